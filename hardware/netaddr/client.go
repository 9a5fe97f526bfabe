package netaddr

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// manager tells who looks after an interface and will ask for its address
// unasked: "" if nobody is known to. dir is where they say so, /run.
func manager(dir string, l link) string {
	index := strconv.Itoa(l.index)
	// systemd-networkd: one file for each link, those too that it leaves alone.
	state, ok := value(filepath.Join(dir, "systemd", "netif", "links", index), "ADMIN_STATE")
	if ok && state != "unmanaged" {
		return "systemd-networkd"
	}
	if managed, ok := value(filepath.Join(dir, "NetworkManager", "devices", index), "managed"); ok && managed == "true" {
		return "NetworkManager"
	}
	// dhcpcd looks after every interface unless it was started for one.
	for who, names := range map[string][]string{
		"dhcpcd":   {"dhcpcd/pid", "dhcpcd.pid", "dhcpcd/" + l.name + "-4.pid", "dhcpcd/" + l.name + ".pid", "dhcpcd-" + l.name + ".pid"},
		"dhclient": {"dhclient." + l.name + ".pid", "dhclient-" + l.name + ".pid"},
		"udhcpc":   {"udhcpc." + l.name + ".pid"},
	} {
		for _, name := range names {
			if running(filepath.Join(dir, name)) {
				return who
			}
		}
	}
	return ""
}

// value is what stands behind a key in a file of lines KEY=value.
func value(path, key string) (string, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", false
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), key+"="); ok {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// running tells whether the process named in a file is there.
func running(path string) bool {
	b, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 1 {
		return false
	}
	err = syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

const (
	// leftBehind is how long a command's output is waited for after its end: a
	// client that goes on in the background keeps it open.
	leftBehind = time.Second
	// maxOutput is how much of it is told.
	maxOutput = 1024
)

// command runs the command. Whether the address came is not its to say.
func (e *ensuring) command(ctx context.Context) error {
	args := fill(e.opt.Command, e.name)
	if len(args) == 0 {
		return errors.New("there is no command to ask for an address: set host.address.command")
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, leftBehind
	// With its own children: a script is to end with what it has started.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case ctx.Err() != nil:
		err = fmt.Errorf("it did not end within %s", e.opt.Wait)
	}
	said := strings.TrimSpace(out.String())
	if len(said) > maxOutput {
		said = "…" + said[len(said)-maxOutput:]
	}
	if said == "" {
		return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, said)
}
