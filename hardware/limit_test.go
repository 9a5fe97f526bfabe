package hardware_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/hardware"
	"switchyard/hardware/hilink"
)

var errTime = errors.New("the toggle's time is over")

// Ensure the time of the whole toggle ends it in whatever step it is, at once
// and with that step as the one that it reached, and that the modem is put in
// order all the same.
func TestLimit_inEachStep(t *testing.T) {
	t.Parallel()
	for _, found := range []hardware.Diagnosis{healthy, unreachable, misrouted, unplugged} {
		t.Run(string(found), func(t *testing.T) {
			t.Parallel()
			seen := map[int]bool{}
			for limit, through := time.Second, false; !through; limit += 1700 * time.Millisecond {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errTime)
					defer cancel()
					p, j := newPlace(t, found), &journal{}
					p.ways[hardware.MethodNetMode], p.ways[hardware.MethodDataswitch] = loses, loses
					p.repairs = map[int]string{1: idle, 3: idle, 4: idle}
					l := p.ladder()
					l.StepLimit, l.Poll = 12*time.Second, time.Second
					out, err := l.Toggle(ctx, p.dongle(t, p.modem()), j.hooks())
					p.inOrder(t)
					through = time.Since(start()) < limit
					if err == nil {
						// Through, or its time and the last step's ended together.
						if out.Step != 4 || out.Success {
							t.Errorf("with %v: %+v", limit, out)
						}
						seen[4] = true
						return
					}
					if took := time.Since(start()); !errors.Is(err, errTime) || took != limit || out.Success || out.IP != nil {
						t.Errorf("with %v it took %v: %+v, %v", limit, took, out, err)
					}
					steps := j.last().Steps
					if len(steps) == 0 {
						if out.Step > 2 && found != unplugged {
							t.Errorf("with %v it reached step %d by the diagnosis alone", limit, out.Step)
						}
						return
					}
					if last := steps[len(steps)-1]; out.Step < last.Step || last.Outcome != "failed" && last.Outcome != "skipped" {
						t.Errorf("with %v it says step %d after %q", limit, out.Step, j.steps())
					}
					seen[out.Step] = true
				})
			}
			for step := found.FirstStep(); step <= 4; step++ {
				if !seen[step] {
					t.Errorf("its time was never over in step %d", step)
				}
			}
		})
	}
}

// Ensure a toggle whose dongle is lost comes to the power cycle within its time,
// however long the steps before it take: the later ways of step 2 make room.
func TestLimit_leavesRoom(t *testing.T) {
	t.Parallel()
	for _, found := range []hardware.Diagnosis{healthy, unreachable, misrouted} {
		t.Run(string(found), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeoutCause(t.Context(), 180*time.Second, errTime)
				defer cancel()
				p, j := newPlace(t, found), &journal{}
				p.ways[hardware.MethodNetMode], p.ways[hardware.MethodDataswitch] = loses, loses
				p.repairs = map[int]string{1: idle, 3: idle, 4: changes}
				out, err := p.ladder().Toggle(ctx, p.dongle(t, p.modem()), j.hooks())
				if err != nil || !out.Success || out.Step != 4 {
					t.Errorf("%+v, %v", out, err)
				}
				said := strings.Join(j.steps(), "\n")
				if !strings.Contains(said, "2 net_mode failed") || !strings.Contains(said, "2 dataswitch skipped: the time that is left is needed") {
					t.Errorf("steps %q", j.steps())
				}
				p.inOrder(t)
			})
		})
	}
}

// Ensure no room is left for a power cycle that can't be done on this host: it
// goes to the ways of step 2.
func TestLimit_noRoomForNothing(t *testing.T) {
	t.Parallel()
	for limit, skips := range map[time.Duration]bool{probeTimeout + time.Second: false, 250 * time.Second: true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 180*time.Second, errTime)
			defer cancel()
			p, j := newPlace(t, unreachable), &journal{}
			p.ways[hardware.MethodNetMode], p.ways[hardware.MethodDataswitch] = loses, loses
			p.repairs = map[int]string{3: idle, 4: idle}
			l := p.ladder()
			l.Limits = map[int]time.Duration{4: limit}
			l.Repairs[4] = func(context.Context, *hardware.Dongle) error { return hardware.ErrUnavailable }
			if out, err := l.Toggle(ctx, p.dongle(t, p.modem()), j.hooks()); err != nil || out.Success || out.Step != 4 {
				t.Errorf("%+v, %v", out, err)
			}
			if said := strings.Join(j.steps(), "\n"); strings.Contains(said, "2 dataswitch skipped") != skips || !strings.Contains(said, "4 skipped") {
				t.Errorf("with %s for step 4: %q", limit, j.steps())
			}
		})
	}
}

// Ensure a toggle with less time than its steps begins with the first one all
// the same.
func TestLimit_short(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Second, errTime)
		defer cancel()
		p, j := newPlace(t, healthy), &journal{}
		p.ways[hardware.MethodNetMode] = changes
		p.repairs = map[int]string{3: changes, 4: changes}
		if out, err := p.ladder().Toggle(ctx, p.dongle(t, p.modem()), j.hooks()); err != nil || !out.Success || out.Step != 0 {
			t.Errorf("%+v, %v; %q", out, err, j.steps())
		}
	})
}

// Ensure a repair that is out of its time is looked at all the same: the dongle
// may have come back with its last breath.
func TestLimit_repairComesBackLate(t *testing.T) {
	t.Parallel()
	for _, step := range []int{1, 3, 4} {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				found := unplugged
				if step == 1 {
					found = misrouted
				}
				p, j := newPlace(t, found), &journal{}
				l := p.ladder()
				l.Repairs[step] = func(ctx context.Context, _ *hardware.Dongle) error {
					<-ctx.Done()
					p.mu.Lock()
					defer p.mu.Unlock()
					p.iface, p.leaks, p.ip = true, false, newIP
					return context.Cause(ctx)
				}
				out, err := l.Toggle(t.Context(), p.dongle(t, p.modem()), j.hooks())
				if err != nil || !out.Success || out.Step != step || *out.IP != newIP.String() {
					t.Errorf("%+v, %v; %q", out, err, j.steps())
				}
			})
		})
	}
}

// Ensure a toggle that is cancelled in the look at what step 2 left, ends there:
// no step is begun any more.
func TestCancel_afterStep2(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		p, j := newPlace(t, unreachable), &journal{}
		p.ways[hardware.MethodNetMode], p.ways[hardware.MethodDataswitch] = refused, refused
		p.repairs = map[int]string{3: changes, 4: changes}
		time.AfterFunc(probeTimeout+time.Second, func() { cancel(errCancelled) }) // the diagnosis' look, and a part of this one
		out, err := p.ladder().Toggle(ctx, p.dongle(t, p.modem()), j.hooks())
		if !errors.Is(err, errCancelled) || out.Step != 2 || len(p.cut) > 0 || len(j.last().Steps) != 3 {
			t.Errorf("%+v, %v; repairs %q, steps %q", out, err, p.cut, j.steps())
		}
	})
}

// Ensure putting a modem in order is not given up for a refusal that may pass,
// and is for one that can't.
func TestRestore_refusals(t *testing.T) {
	t.Parallel()
	for code, final := range map[int]bool{
		100002: true, 100005: true, 100006: true, 108006: true, 108007: true, 112003: true, 112007: true,
		100003: false, 100004: false, 100010: false, 108003: false, 108005: false, 108009: false,
		112001: false, 112006: false, 125001: false, 125002: false, 125003: false,
	} {
		for _, method := range []hardware.Method{hardware.MethodNetMode, hardware.MethodDataswitch} {
			t.Run(fmt.Sprint(code, " ", method), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					p, j := newPlace(t, healthy), &journal{}
					p.ways[method] = ignored
					refusal := &hilink.Error{Code: code}
					m := &moody{Modem: p.modem(), errs: []error{refusal, refusal, nil}}
					l := p.ladder()
					l.Methods = []hardware.Method{method}
					time.AfterFunc(time.Second, func() { m.on.Store(true); cancel(errCancelled) })
					if _, err := l.Toggle(ctx, p.dongle(t, m), j.hooks()); !errors.Is(err, errCancelled) {
						t.Errorf("ended with %v", err)
					}
					if order := p.mode == p.original && p.data; order == final || p.noted() != final {
						t.Errorf("in order: %v, noted: %v; asked %d times", order, p.noted(), m.asked)
					}
				})
			})
		}
	}
}
