package hardware_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/hardware"
	"switchyard/hardware/hilink"
)

// restoreLimit is how long the ladder tries to put a modem in order beyond the
// toggle's own time.
const restoreLimit = 30 * time.Second

// moody is a modem that, from the test's sign on, fails some writes before it
// takes one.
type moody struct {
	hardware.Modem
	on    atomic.Bool
	errs  []error // the last one for ever, unless it is nil
	asked int
}

var _ hardware.Modem = (*moody)(nil)

func (m *moody) write(f func() error) error {
	if !m.on.Load() {
		return f()
	}
	m.asked++
	if len(m.errs) == 0 {
		return f()
	}
	err := m.errs[0]
	if len(m.errs) > 1 || err == nil {
		m.errs = m.errs[1:]
	}
	if err == nil {
		return f()
	}
	return err
}

func (m *moody) SetNetMode(ctx context.Context, n hilink.NetMode) error {
	return m.write(func() error { return m.Modem.SetNetMode(ctx, n) })
}

func (m *moody) SetDataSwitch(ctx context.Context, on bool) error {
	return m.write(func() error { return m.Modem.SetDataSwitch(ctx, on) })
}

// Ensure the modem is put in order even if it doesn't take that at once: it is
// asked again through whatever may pass, up to a limit; not where it has said
// that it never will, or can't be asked any more.
func TestRestore(t *testing.T) {
	t.Parallel()
	busy := &hilink.Error{Code: 100004}
	dialling := &hilink.Error{Code: 112001}
	timeout := fmt.Errorf("set: %w (4s)", hilink.ErrTimeout)
	page := fmt.Errorf("set: %w: a web page", hilink.ErrNotHiLink)
	network := errors.New("connection reset by peer")
	never := &hilink.Error{Code: 112003}
	for _, tt := range []struct {
		name  string
		errs  []error
		order bool
		asked int           // 0: more than once
		limit time.Duration // that it takes in the end
		why   string        // in the record
	}{
		{"at once", nil, true, 1, 0, ""},
		{"busy, then taken", []error{busy, busy, nil}, true, 3, 200 * time.Millisecond, ""},
		{"dialling, then taken", []error{dialling, nil}, true, 2, 100 * time.Millisecond, ""},
		{"silent, then taken", []error{timeout, timeout, nil}, true, 3, 200 * time.Millisecond, ""},
		{"cut off, then taken", []error{network, nil}, true, 2, 100 * time.Millisecond, ""},
		{"another page, then taken", []error{page, nil}, true, 2, 100 * time.Millisecond, ""},
		{"all of it, then taken", []error{timeout, network, busy, page, nil}, true, 5, 400 * time.Millisecond, ""},
		{"silent for good", []error{timeout}, false, 0, restoreLimit, "not taken within 30s"},
		{"busy for good", []error{busy}, false, 0, restoreLimit, "not taken within 30s"},
		{"refused", []error{never}, false, 1, 0, "112003"},
		{"closed", []error{hilink.ErrClosed}, false, 1, 0, "closed"},
	} {
		for _, method := range []hardware.Method{hardware.MethodNetMode, hardware.MethodDataswitch} {
			t.Run(tt.name+"/"+string(method), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					p, j := newPlace(t, healthy), &journal{}
					p.ways[method] = ignored // so that it has to be waited for
					m := &moody{Modem: p.modem(), errs: tt.errs}
					l := p.ladder()
					l.Methods, l.Poll = []hardware.Method{method}, 100*time.Millisecond
					// It is away from its order by then, and waits.
					time.AfterFunc(time.Second, func() { m.on.Store(true); cancel(errCancelled) })
					_, err := l.Toggle(ctx, p.dongle(t, m), j.hooks())
					took := time.Since(start()) - time.Second
					if !errors.Is(err, errCancelled) || len(p.did) == 0 {
						t.Errorf("ended with %v, after %q", err, p.did)
					}
					if (p.mode == p.original && p.data) != tt.order {
						t.Errorf("in order: %v; mode %s, data %v", !tt.order, p.mode.Mode, p.data)
					}
					if p.noted() == tt.order {
						t.Errorf("what is left to put back is noted: %v", p.noted())
					}
					if took != tt.limit {
						t.Errorf("it took %v, want %v", took, tt.limit)
					}
					if tt.asked > 0 && m.asked != tt.asked || m.asked == 0 {
						t.Errorf("asked %d times, want %d", m.asked, tt.asked)
					}
					if steps := strings.Join(j.steps(), "\n"); !strings.Contains(steps, tt.why) || tt.why != "" && !strings.Contains(steps, restoring[method]) {
						t.Errorf("the record says %q, want %q", steps, tt.why)
					}
				})
			})
		}
	}
}

// restoring is what the record calls putting the modem in order.
var restoring = map[hardware.Method]string{
	hardware.MethodNetMode: "putting back net mode 03", hardware.MethodDataswitch: "switching mobile data on again",
}

// start is when the clock of a bubble begins.
func start() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// Ensure a toggle that could put nothing back any more, from any call on, as if
// its process had been killed, has written down what there is to do, and that
// the next toggle does it.
func TestRestore_byTheNext(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			for from, through := 0, false; !through; from++ {
				synctest.Test(t, func(t *testing.T) {
					p, j := newPlace(t, healthy), &journal{}
					p.setMode(w.mode)
					p.ways[w.method] = changes
					through = true
					d := p.dongle(t, &interrupted{Modem: p.modem(), At: func(n int) error {
						if n < from {
							return nil
						}
						through = false
						return hilink.ErrClosed
					}})
					l := p.ladder()
					l.Methods, l.StepLimit = []hardware.Method{w.method}, 10*time.Second
					if _, err := l.Toggle(t.Context(), d, j.hooks()); err != nil {
						t.Fatalf("from call %d: %v", from, err)
					}
					if inOrder := p.mode == p.original && p.data; !inOrder && !p.noted() {
						t.Errorf("from call %d: nothing is noted; writes: %q", from, p.did)
					}
					d.Modem = p.modem()
					l.StepLimit = time.Minute
					if out, err := l.Toggle(t.Context(), d, j.hooks()); err != nil || !out.Success {
						t.Errorf("from call %d: %+v, %v", from, out, err)
					}
					p.inOrder(t)
					if t.Failed() {
						t.Fatalf("from call %d: %q", from, j.steps())
					}
				})
			}
		})
	}
}

// Ensure a write that may have been taken though its answer was an error is
// taken back, and that one which certainly wasn't is left alone.
func TestRestore_inDoubt(t *testing.T) {
	t.Parallel()
	timeout := fmt.Errorf("set: %w (4s)", hilink.ErrTimeout)
	for _, tt := range []struct {
		name  string
		err   error
		taken bool
		did   map[hardware.Method]string // all writes that were taken
	}{
		{"silent, but taken", timeout, true, map[hardware.Method]string{
			hardware.MethodNetMode: "mode 00, mode 03", hardware.MethodDataswitch: "data false, data true",
		}},
		{"silent, and not taken", timeout, false, map[hardware.Method]string{
			hardware.MethodNetMode: "mode 03", hardware.MethodDataswitch: "data true",
		}},
		{"refused", &hilink.Error{Code: 112003}, false, map[hardware.Method]string{}},
		{"another page", fmt.Errorf("set: %w: a web page", hilink.ErrNotHiLink), false, map[hardware.Method]string{}},
	} {
		for _, method := range []hardware.Method{hardware.MethodNetMode, hardware.MethodDataswitch} {
			t.Run(tt.name+"/"+string(method), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p, j := newPlace(t, healthy), &journal{}
					p.ways[method] = keeps
					first := true
					m := p.modem()
					mode, data := m.SetNetModeFn, m.SetDataSwitchFn
					once := func(write func() error) error {
						if !first {
							return write()
						}
						if first = false; tt.taken {
							_ = write()
						}
						return tt.err
					}
					m.SetNetModeFn = func(ctx context.Context, n hilink.NetMode) error {
						return once(func() error { return mode(ctx, n) })
					}
					m.SetDataSwitchFn = func(ctx context.Context, on bool) error {
						return once(func() error { return data(ctx, on) })
					}
					l := p.ladder()
					l.Methods, l.Holds = []hardware.Method{method}, l.Holds[:1]
					if _, err := l.Toggle(t.Context(), p.dongle(t, m), j.hooks()); err != nil {
						t.Fatal(err)
					}
					if got := strings.Join(p.did, ", "); got != tt.did[method] {
						t.Errorf("it did %q, want %q", got, tt.did[method])
					}
					p.inOrder(t)
				})
			})
		}
	}
}

// Ensure a modem that hangs from any call on holds a toggle up no longer than
// the limits of its steps, and is in order if it comes to itself in time.
func TestHang(t *testing.T) {
	t.Parallel()
	const answer, stepLimit = 4 * time.Second, 20 * time.Second
	for _, w := range ways {
		for _, recovery := range []time.Duration{10 * time.Second, time.Hour} {
			t.Run(fmt.Sprintf("%s/for %v", w.name, recovery), func(t *testing.T) {
				t.Parallel()
				for from, through := 0, false; !through; from++ {
					synctest.Test(t, func(t *testing.T) {
						p, j := newPlace(t, healthy), &journal{}
						p.setMode(w.mode)
						p.ways[w.method] = keeps
						var until time.Time
						m := &interrupted{Modem: p.modem()}
						m.At = func(n int) error {
							if n == from {
								until = time.Now().Add(recovery)
							}
							if n < from || time.Now().After(until) {
								return nil
							}
							<-time.After(answer)
							return hilink.ErrTimeout
						}
						l := p.ladder()
						l.Methods, l.Holds, l.StepLimit = []hardware.Method{w.method}, l.Holds[:1], stepLimit
						out, err := l.Toggle(t.Context(), p.dongle(t, m), j.hooks())
						if through = until.IsZero(); err != nil || through && !out.Success {
							t.Fatalf("from call %d: %+v, %v", from, out, err)
						}
						// A call that was begun in time may end behind the limit.
						most := stepLimit + restoreLimit + 2*answer
						for _, s := range j.last().Steps {
							if took := time.Duration(s.DurationMS) * time.Millisecond; took > most {
								t.Errorf("from call %d: step %d took %v", from, s.Step, took)
							}
						}
						if recovery < restoreLimit {
							p.inOrder(t)
						}
						if ip, works := p.connected(); out.Success && (!works || *out.IP != ip.String()) {
							t.Errorf("from call %d: %+v, and there is connectivity: %v", from, out, works)
						}
						if t.Failed() {
							t.Fatalf("from call %d: %q", from, j.steps())
						}
					})
				}
			})
		}
	}
}
