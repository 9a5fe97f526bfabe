package usb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// SwitchMode has usb_modeswitch bring the stick at p, and no other of its kind, from
// Storage to Modem. It returns when the program is done; the modem comes by event, as a
// new device at the same path.
// Errors: ErrNoModeSwitch, ErrGone (also when it isn't in Storage mode), ErrStuck.
func (b *Bus) SwitchMode(ctx context.Context, p Path) error {
	tree, err := b.Tree()
	if err != nil {
		return err
	}
	d, ok := tree.Device(p)
	if !ok || d.Mode != Storage {
		return fmt.Errorf("there is no stick in storage mode at %s: %w", p, ErrGone)
	}
	program, err := findProgram(b.opts.ModeSwitch)
	if err != nil {
		return fmt.Errorf("%w (%w): install the package usb-modeswitch", ErrNoModeSwitch, err)
	}
	return b.do(ctx, []Path{p}, func(c *call) error {
		c.allow(b.opts.ModeSwitchLimit + b.opts.WriteLimit)
		return b.switchMode(ctx, program, d)
	})
}

// findProgram also looks where programs for root are, which a service's PATH may lack.
func findProgram(name string) (string, error) {
	program, err := exec.LookPath(name)
	if err == nil || strings.ContainsRune(name, '/') {
		return program, err
	}
	for _, folder := range []string{"/usr/sbin/", "/sbin/", "/usr/local/sbin/"} {
		if found, err := exec.LookPath(folder + name); err == nil {
			return found, nil
		}
	}
	return "", err
}

// modeSwitchArgs name the one stick by its address: all of a kind have the same ids.
// -J is Huawei's message for its newer sticks.
func modeSwitchArgs(d Device) []string {
	return []string{
		"-J", "-v", fmt.Sprintf("0x%04x", d.Vendor), "-p", fmt.Sprintf("0x%04x", d.Product),
		"-b", fmt.Sprint(d.Bus), "-g", fmt.Sprint(d.Number),
	}
}

func (b *Bus) switchMode(ctx context.Context, program string, d Device) error {
	limit, cancel := context.WithTimeout(ctx, b.opts.ModeSwitchLimit)
	defer cancel()
	// A Bus that is closed has no time to wait.
	defer context.AfterFunc(b.ctx, cancel)()
	var out bytes.Buffer
	cmd := exec.CommandContext(limit, program, modeSwitchArgs(d)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = look // a child of its own that keeps the output open
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(limit.Err(), context.DeadlineExceeded):
		return fmt.Errorf("usb_modeswitch for %s was not done in %s: unplug the stick, or switch its port off and on", d.Path, b.opts.ModeSwitchLimit)
	}
	return fmt.Errorf("usb_modeswitch for %s: %w: %s", d.Path, err, lastLine(out.Bytes()))
}

// lastLine is where programs say what went wrong.
func lastLine(out []byte) string {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return clean(string(lines[len(lines)-1]))
}
