package usb

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program writes a shell script that stands in for usb_modeswitch.
func program(t *testing.T, script string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "usb_modeswitch")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

// Ensure exactly the stick at the path is switched: by its address, as all of a kind have
// the same ids.
func TestSwitchMode(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "args")
	m := boot(t, Options{ModeSwitch: program(t, `echo "$@" > `+out)}, append(rig(), gadget{path: "1-3.4.4", id: "12d1:1f01", interfaces: []string{"08/06/50"}})...)
	m.must(m.bus.SwitchMode(t.Context(), "1-3.4.3"))
	args, err := os.ReadFile(out)
	m.must(err)
	if got, want := string(args), "-J -v 0x12d1 -p 0x1f01 -b 1 -g 11\n"; got != want {
		t.Errorf("called with %q, want %q", got, want)
	}
}

// Ensure nothing is called for what is no stick in storage mode, and that a program that
// is missing, fails or hangs is told of.
func TestSwitchMode_fails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		program string
		at      Path
		limit   time.Duration
		want    error // nil: any
		says    string
	}{
		"a modem":      {"true", "1-3.1", 0, ErrGone, "1-3.1"},
		"a hub":        {"true", "1-3", 0, ErrGone, ""},
		"nothing":      {"true", "1-3.3", 0, ErrGone, ""},
		"not there":    {"/nowhere/usb_modeswitch", "1-3.4.3", 0, ErrNoModeSwitch, "usb-modeswitch"},
		"not in PATH":  {"usb_modeswitch_that_nobody_has", "1-3.4.3", 0, ErrNoModeSwitch, ""},
		"fails":        {program(t, `echo first; echo "Error: can't find the device" >&2; exit 3`), "1-3.4.3", 0, nil, "exit status 3: Error: can't find the device"},
		"hangs":        {program(t, `exec sleep 1000`), "1-3.4.3", 20 * time.Millisecond, nil, "not done in 20ms"},
		"leaves a son": {program(t, `sleep 1000 & exec sleep 1000`), "1-3.4.3", 20 * time.Millisecond, nil, "not done in 20ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := boot(t, Options{ModeSwitch: tt.program, ModeSwitchLimit: tt.limit}, rig()...)
			err := m.bus.SwitchMode(t.Context(), tt.at)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("returned %v", err)
			}
		})
	}
}

// Ensure a switch ends with its context.
func TestSwitchMode_cancelled(t *testing.T) {
	t.Parallel()
	begun := fifo(t)
	m := boot(t, Options{ModeSwitch: program(t, "echo begun > "+begun+"; exec sleep 1000")}, rig()...)
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	go func() {
		read(t, begun)
		cancel(stopped)
	}()
	if err := m.bus.SwitchMode(ctx, "1-3.4.3"); !errors.Is(err, stopped) {
		t.Errorf("returned %v", err)
	}
}
