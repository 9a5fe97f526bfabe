package hardware

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// machineForm is what stands in the file.
var machineForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// MachineID tells this machine apart from others that were given the same host
// name. It is made once and kept in host.state_dir, and has the kernel's boot id
// behind it: of two machines made from one image with the directory in it, each
// has its own.
func (h *Host) MachineID() (string, error) {
	path := filepath.Join(h.stateDir, "machine-id")
	id, err := readMachineID(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeMachineID(path); err != nil {
			return "", fmt.Errorf("making this machine's id (host.state_dir): %w", err)
		}
		id, err = readMachineID(path)
	}
	if err != nil {
		return "", fmt.Errorf("reading this machine's id (host.state_dir): %w", err)
	}
	// Without one, as in some containers, the file has to do.
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSuffix(id+"@"+strings.TrimSpace(string(boot)), "@"), nil
}

func readMachineID(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(b))
	if !machineForm.MatchString(id) {
		return "", fmt.Errorf("%s does not hold an id of 32 hexadecimal digits; remove it, and a new one is made", path)
	}
	return id, nil
}

// makeMachineID writes the file whole or not at all, and leaves one that another
// process has made meanwhile.
func makeMachineID(path string) error {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "machine-id-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(hex.EncodeToString(id) + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		if err = os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	return errors.Join(err, os.Remove(f.Name()))
}
