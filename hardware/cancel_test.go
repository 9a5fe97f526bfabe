package hardware_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/hardware"
	"switchyard/hardware/hilink"
)

var errCancelled = errors.New("cancelled by the test")

// interrupted is a modem that stands between the ladder and another one, and
// counts the calls that change or read the way into the network.
type interrupted struct {
	hardware.Modem
	calls int
	// At is called before each call with its number, from 0 on; an error is the
	// answer then, and the call isn't made. After, after it: an error takes the
	// answer's place.
	At, After func(n int) error
}

var _ hardware.Modem = (*interrupted)(nil)

func (i *interrupted) around(f func() error) error {
	n := i.calls
	i.calls++
	if i.At != nil {
		if err := i.At(n); err != nil {
			return err
		}
	}
	err := f()
	if err == nil && i.After != nil {
		err = i.After(n)
	}
	return err
}

func (i *interrupted) NetMode(ctx context.Context) (m hilink.NetMode, err error) {
	err = i.around(func() error { m, err = i.Modem.NetMode(ctx); return err })
	return m, err
}

func (i *interrupted) Status(ctx context.Context) (s hilink.Status, err error) {
	err = i.around(func() error { s, err = i.Modem.Status(ctx); return err })
	return s, err
}

func (i *interrupted) SetNetMode(ctx context.Context, m hilink.NetMode) error {
	return i.around(func() error { return i.Modem.SetNetMode(ctx, m) })
}

func (i *interrupted) SetDataSwitch(ctx context.Context, on bool) error {
	return i.around(func() error { return i.Modem.SetDataSwitch(ctx, on) })
}

// ways are a place's modems whose toggle goes through all waits of step 2: from
// each net mode, and by the data switch.
var ways = []struct {
	name   string
	mode   string
	method hardware.Method
}{
	{"from 00", "00", hardware.MethodNetMode},
	{"from 02", "02", hardware.MethodNetMode},
	{"from 03", "03", hardware.MethodNetMode},
	{"data switch", "03", hardware.MethodDataswitch},
}

// Ensure a toggle that is cancelled at any call of the modem, before the modem
// has heard of it or after it has done it, ends with the cause and leaves the
// modem as it found it.
func TestCancel_atEachCall(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/after %v", w.name, after), func(t *testing.T) {
				t.Parallel()
				for n, through := 0, false; !through; n++ {
					synctest.Test(t, func(t *testing.T) {
						ctx, cancel := context.WithCancelCause(t.Context())
						defer cancel(nil)
						stop := func(k int) error {
							if k != n {
								return nil
							}
							cancel(errCancelled)
							return ctx.Err()
						}
						m := &interrupted{At: stop}
						if after {
							m.At, m.After = nil, stop
						}
						through = cancelled(ctx, t, w.mode, w.method, m, fmt.Sprintf("at call %d", n))
					})
				}
			})
		}
	}
}

// Ensure the same of a toggle that is cancelled at any moment: each wait ends
// at once.
func TestCancel_atEachMoment(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			for after, through := time.Millisecond, false; !through; after += 93 * time.Millisecond {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					var at time.Time
					defer time.AfterFunc(after, func() { at = time.Now(); cancel(errCancelled) }).Stop()
					through = cancelled(ctx, t, w.mode, w.method, &interrupted{}, fmt.Sprintf("after %v", after))
					if !through && !time.Now().Equal(at) {
						t.Errorf("it ended %v after it was cancelled", time.Since(at))
					}
				})
			}
		})
	}
}

// cancelled toggles a dongle whose net mode is mode by one method, and checks
// what it left behind. It reports whether the toggle came to its end first.
func cancelled(ctx context.Context, t *testing.T, mode string, method hardware.Method, m *interrupted, when string) (through bool) {
	t.Helper()
	p := newPlace(t, healthy)
	p.setMode(mode)
	p.ways[method] = changes
	p.repairs = map[int]string{3: changes, 4: changes}
	m.Modem = p.modem()
	l, j := p.ladder(), &journal{}
	l.Methods = []hardware.Method{method}
	out, err := l.Toggle(ctx, p.dongle(t, m), j.hooks())
	p.inOrder(t)
	if t.Failed() {
		t.Fatalf("%s", when)
	}
	if ctx.Err() == nil {
		if err != nil || !out.Success || out.Step != 0 {
			t.Fatalf("not cancelled, and yet %+v, %v", out, err)
		}
		return true
	}
	if !errors.Is(err, errCancelled) || out.Success || out.IP != nil || len(p.cut) > 0 {
		t.Fatalf("%s: %+v, %v; repairs %q", when, out, err, p.cut)
	}
	for _, s := range j.last().Steps {
		if s.Outcome != "failed" {
			t.Fatalf("%s: the record says %q", when, j.steps())
		}
	}
	return false
}

// Ensure a toggle that is cancelled in a repair, or while it waits for what the
// repair does, ends at once and does nothing more.
func TestCancel_inRepairs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		found hardware.Diagnosis
		step  int
		// what the repair is doing when it is cancelled
		waits bool
	}{
		{"routing", misrouted, 1, false}, {"routing, waiting", misrouted, 1, true},
		{"reset", unplugged, 3, false}, {"reset, waiting", unplugged, 3, true},
		{"power cycle", unplugged, 4, false}, {"power cycle, waiting", unplugged, 4, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				p, j := newPlace(t, tt.found), &journal{}
				l := p.ladder()
				for step := tt.step + 1; step <= 4; step++ {
					l.Repairs[step] = func(context.Context, *hardware.Dongle) error {
						t.Errorf("repair %d was begun", step)
						return nil
					}
				}
				l.Repairs[tt.step] = func(ctx context.Context, _ *hardware.Dongle) error {
					if tt.waits {
						time.AfterFunc(time.Second, func() { cancel(errCancelled) })
						return nil
					}
					cancel(errCancelled)
					return ctx.Err()
				}
				out, err := l.Toggle(ctx, p.dongle(t, p.modem()), j.hooks())
				if !errors.Is(err, errCancelled) || out.Success || out.Step != tt.step {
					t.Errorf("%+v, %v", out, err)
				}
				if len(p.did) > 0 {
					t.Errorf("the modem was told %q", p.did)
				}
			})
		})
	}
}

// Ensure a toggle that is cancelled while it diagnoses does nothing at all.
func TestCancel_inDiagnosis(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errCancelled) })
		p, j := newPlace(t, unreachable), &journal{}
		out, err := p.ladder().Toggle(ctx, p.dongle(t, p.modem()), j.hooks())
		if !errors.Is(err, errCancelled) || out.Success || len(p.did)+len(j.said) > 0 {
			t.Errorf("%+v, %v; it did %q and said %v", out, err, p.did, j.said)
		}
	})
}

// Ensure a toggle that is cancelled in its last look before a power cycle cuts
// no power.
func TestCancel_beforePowerCycle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		p, j := newPlace(t, unplugged), &journal{}
		p.repairs = map[int]string{4: changes}
		l := p.ladder()
		d := p.dongle(t, p.modem())
		d.Network = &fakeNetwork{InterfaceFn: func() (string, error) {
			// From the diagnosis on: the next look is the one before step 4.
			time.AfterFunc(time.Second, func() { cancel(errCancelled) })
			return "", nil
		}}
		out, err := l.Toggle(ctx, d, j.hooks())
		if !errors.Is(err, errCancelled) || out.Success || len(p.cut) > 0 {
			t.Errorf("%+v, %v; repairs %q", out, err, p.cut)
		}
	})
}
