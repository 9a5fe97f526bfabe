package guest

import (
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// logDevice is where the worker's log goes.
const logDevice = "/dev/ttyS1"

// Main is the machine's first process. It returns only with an error, upon which
// the kernel stops the machine.
func Main() error {
	g := &Guest{log: newLog(), modems: map[int]*modem{}}
	if err := g.bootUp(); err != nil {
		return err
	}
	runner, err := commandLine(RunnerKey)
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", runner) //nolint:noctx // the machine ends with it
	if err != nil {
		return fmt.Errorf("calling the lab: %w", err)
	}
	server := rpc.NewServer()
	if err := server.RegisterName(service, g); err != nil {
		return err
	}
	server.ServeConn(conn)
	return errors.New("the lab has hung up")
}

// Guest is the machine as its Client sees it. Each exported method is one of
// Client's.
type Guest struct {
	log    *eventLog
	modems map[int]*modem // by subnet; set by Setup
	setup  Setup

	mu     sync.Mutex
	worker *exec.Cmd
	done   chan struct{} // closed when the worker has ended
}

// bootUp mounts what there is to be mounted, loads the modules and brings up the
// network to the outside.
func (g *Guest) bootUp() error {
	for _, m := range []struct{ what, where string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}, {"tmpfs", "/run"}, {"tmpfs", "/var"},
	} {
		if err := os.MkdirAll(m.where, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.what, m.where, m.what, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mounting %s: %w", m.where, err)
		}
	}
	if err := os.Setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"); err != nil {
		return err
	}
	if out, err := exec.Command(Busybox, "--install", "-s", "/bin").CombinedOutput(); err != nil { //nolint:noctx // the machine ends with it
		return fmt.Errorf("setting up the shell: %w: %s", err, out)
	}
	if err := loadModules(); err != nil {
		return err
	}
	return outside()
}

func loadModules() error {
	files, err := filepath.Glob(ModulesDir + "/*")
	if err != nil {
		return err
	}
	slices.Sort(files)
	for _, file := range files {
		image, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := unix.InitModule(image, ""); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("loading %s: %w", filepath.Base(file), err)
		}
	}
	return nil
}

// commandLine returns what stands behind a key in the kernel's command line.
func commandLine(key string) (string, error) {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return "", err
	}
	for word := range strings.FieldsSeq(string(line)) {
		if v, ok := strings.CutPrefix(word, key); ok {
			return v, nil
		}
	}
	return "", fmt.Errorf("the kernel's command line has no %s", key)
}
