package hardware_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/configs"
	"switchyard/hardware"
	"switchyard/hardware/hilink"
	"switchyard/jobs"
	simhilink "switchyard/sim/hilink"
	"switchyard/tasks"
)

// What a killed toggle left changed on a modem is put back: by the next process
// of the host at its start, and by the next toggle, which then doesn't take it
// for what was set before.
func TestWhatAKilledToggleLeftIsPutBack(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(*testing.T, context.Context, *hardware.Host){
		"by the next process": func(t *testing.T, ctx context.Context, h *hardware.Host) {
			if err := h.PutBack(ctx); err != nil {
				t.Fatal(err)
			}
		},
		"by the next toggle": func(t *testing.T, ctx context.Context, h *hardware.Host) {
			d, err := h.Dongle(11)
			if err != nil {
				t.Fatal(err)
			}
			out, err := h.Ladder.Toggle(ctx, d, hardware.Hooks{
				Check:    func(context.Context) error { return nil },
				Progress: func(context.Context, tasks.ToggleProgress) {},
			})
			if err != nil || !out.Success {
				t.Fatalf("toggle: %+v, %v", out, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			m := simhilink.New(simhilink.Options{Subnet: 11, Reattach: 20 * time.Millisecond})
			if err := m.Start(ctx); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(m.Close)
			c := configs.Default()
			c.Host.Name, c.Host.ServerIP, c.Host.EchoURLs, c.Host.StateDir = "h1", "198.51.100.7", []string{"http://ip.example.com/"}, t.TempDir()
			c.Host.Dongles = []configs.Dongle{{Subnet: 11, Modem: m.URL(), Gateway: m.Gateway()}}
			h, err := hardware.NewHost(c)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(h.Close)
			// The modem is as captured, in mode 00 with these bands; before the
			// toggle that was killed it was in mode 03, and had its data on.
			file := filepath.Join(c.Host.StateDir, "dongle-11.unfinished")
			left := `{"net_mode":{"Mode":"03","NetworkBand":"2000004400000","LTEBand":"80800D5"},"data_off":true}`
			if err := os.WriteFile(file, []byte(left), 0o600); err != nil {
				t.Fatal(err)
			}
			next(t, ctx, h)
			if got := m.Mode(); got.Mode != "03" || got.LTEBand != "80800D5" {
				t.Errorf("net mode is %+v, want 03 with its bands", got)
			}
			if !m.DataSwitch() {
				t.Error("mobile data is off")
			}
			if _, err := os.Stat(file); !os.IsNotExist(err) {
				t.Errorf("what was put back is still noted: %v", err)
			}
		})
	}
}

// Mobile data that a killed toggle left off, and that the modem doesn't take back
// now, is still noted after a toggle that it refuses, too.
func TestDataLeftOffStaysNoted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, hardware.NoConnectivity)
		p.data = false
		p.ways[hardware.MethodNetMode], p.ways[hardware.MethodDataswitch] = ignored, refused
		d := p.dongle(t, p.modem())
		left := []byte(`{"data_off":true}`)
		if err := os.WriteFile(p.note, left, 0o600); err != nil {
			t.Fatal(err)
		}
		j := &journal{CheckFn: func(context.Context) error { return nil }}
		if out, err := p.ladder().Toggle(t.Context(), d, j.hooks()); err != nil || out.Success {
			t.Errorf("ended with %+v, %v", out, err)
		}
		if got, err := os.ReadFile(p.note); err != nil || !bytes.Equal(got, left) {
			t.Errorf("noted is %q, %v, want it as it was", got, err)
		}
	})
}

// A toggle that is no longer its worker's touches nothing, and one that is
// cancelled while a silent modem is to be put in order ends at once; either way
// what is left to put back stays noted for the next one.
func TestPuttingBackIsTheTogglesWork(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		check func(context.CancelCauseFunc) error
		want  error
	}{
		"lost": {func(context.CancelCauseFunc) error { return jobs.ErrLost }, jobs.ErrLost},
		"cancelled": {func(cancel context.CancelCauseFunc) error {
			time.AfterFunc(time.Second, func() { cancel(errCancelled) })
			return nil
		}, errCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				p := newPlace(t, healthy)
				m := &moody{Modem: p.modem(), errs: []error{fmt.Errorf("set: %w (4s)", hilink.ErrTimeout)}}
				m.on.Store(true)
				d := p.dongle(t, m)
				left := []byte(`{"net_mode":{"Mode":"03"}}`)
				if err := os.WriteFile(p.note, left, 0o600); err != nil {
					t.Fatal(err)
				}
				j := &journal{CheckFn: func(context.Context) error { return tt.check(cancel) }}
				began := time.Now()
				if _, err := p.ladder().Toggle(ctx, d, j.hooks()); !errors.Is(err, tt.want) {
					t.Errorf("ended with %v, want %v", err, tt.want)
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("it took %s to end", took)
				}
				if got, err := os.ReadFile(p.note); err != nil || !bytes.Equal(got, left) {
					t.Errorf("noted is %q, %v, want it as it was", got, err)
				}
				if len(p.did) > 0 {
					t.Errorf("it did %q to the modem", p.did)
				}
			})
		})
	}
}

// Ensure a modem that would not take its settings back, and comes to itself
// later, is put in order without another toggle or restart.
func TestModemsAreKeptInOrder(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	m := simhilink.New(simhilink.Options{Subnet: 11, Reattach: 20 * time.Millisecond})
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	m.SetFaults(simhilink.Faults{HTML: true})
	c := configs.Default()
	c.Host.Name, c.Host.ServerIP, c.Host.EchoURLs, c.Host.StateDir = "h1", "198.51.100.7", []string{"http://ip.example.com/"}, t.TempDir()
	c.Host.Dongles = []configs.Dongle{{Subnet: 11, Modem: m.URL(), Gateway: m.Gateway()}}
	c.Toggle.RestoreLimit = configs.Duration(50 * time.Millisecond)
	h, err := hardware.NewHost(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	file := filepath.Join(c.Host.StateDir, "dongle-11.unfinished")
	left := `{"net_mode":{"Mode":"03","NetworkBand":"2000004400000","LTEBand":"80800D5"}}`
	if err := os.WriteFile(file, []byte(left), 0o600); err != nil {
		t.Fatal(err)
	}
	keeping, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	failed := make(chan struct{}, 1)
	log := slog.New(whenSaid{slog.DiscardHandler, func(r slog.Record) {
		if r.Level == slog.LevelError {
			failed <- struct{}{}
		}
	}})
	go func() {
		defer close(ended)
		h.KeepInOrderEvery(keeping, 10*time.Millisecond, log)
	}()
	select {
	case <-failed: // it would not take it
	case <-ctx.Done():
		t.Fatal("nothing was said of a modem that takes nothing back")
	}
	m.SetFaults(simhilink.Faults{})
	if err := m.WaitFor(ctx, func(all []simhilink.Entry) bool { return m.Mode().Mode == "03" }); err != nil {
		t.Error(err)
	}
	end()
	<-ended
	if got := m.Mode(); got.Mode != "03" {
		t.Errorf("net mode is %+v, want 03", got)
	}
}

// whenSaid calls a function for each record.
type whenSaid struct {
	slog.Handler
	do func(slog.Record)
}

func (h whenSaid) Enabled(context.Context, slog.Level) bool { return true }

func (h whenSaid) Handle(_ context.Context, r slog.Record) error {
	h.do(r)
	return nil
}
