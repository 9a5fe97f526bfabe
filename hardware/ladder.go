package hardware

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"switchyard/tasks"
)

// Method is a way of step 2.
type Method string

// The methods.
const (
	MethodNetMode    Method = "net_mode"
	MethodDataswitch Method = "dataswitch"
)

// Repair does one step of the ladder other than 2. It returns when it has done
// what it can; whether that helped is then probed. ErrUnavailable passes the
// step over.
type Repair func(ctx context.Context, d *Dongle) error

// ErrUnavailable: the host can't do this step.
var ErrUnavailable = errors.New("not available on this host")

// Ladder is how a host toggles.
type Ladder struct {
	// Methods of step 2, in order.
	Methods []Method
	// AcceptUnchanged ends a toggle at step 2 when the address came back
	// unchanged; else it goes on to step 3.
	AcceptUnchanged bool
	// StepLimit bounds each method and each repair.
	StepLimit time.Duration
	// Limits are those of steps that need another than StepLimit, by step.
	Limits map[int]time.Duration
	// Holds are how long mobile data is kept off, one try each.
	Holds []time.Duration
	// Poll is how often a modem is asked.
	Poll time.Duration
	// DropLimit is how long a modem that was told to change its mode may stay
	// on the network before it counts as having ignored it.
	DropLimit time.Duration
	// SettleLimit is how long a modem that never left the network is watched
	// for a new address.
	SettleLimit time.Duration
	// RestoreLimit bounds putting things back, beyond the toggle's own time.
	RestoreLimit time.Duration
	// Repairs by step (1, 3, 4). A step that is missing is passed over.
	Repairs map[int]Repair
}

// Hooks are the toggle's way to whoever ordered it.
type Hooks struct {
	// Check is asked before each effect; an error ends the toggle with it.
	Check func(context.Context) error
	// Progress is told whenever a step begins or ends.
	Progress func(context.Context, tasks.ToggleProgress)
}

// toggle is one climb.
type toggle struct {
	*Ladder
	d     *Dongle
	hooks Hooks
	prog  tasks.ToggleProgress
	old   netip.Addr
}

// result of a step.
type result int

const (
	noAddress result = iota // no connectivity
	unchanged               // connectivity, with the old address
	changed                 // connectivity, with another one
	skipped
)

func (r result) String() string {
	return [...]string{"failed", "unchanged", "ok", "skipped"}[r]
}

// Toggle gives the dongle a new address, repairing what stands in the way. The
// outcome's Success tells whether it worked; an error means that the climb was
// broken off (the cause of ctx, or an error of Check), and the outcome then
// says how far it came. Diagnosis and steps are in the progress.
func (l *Ladder) Toggle(ctx context.Context, d *Dongle, hooks Hooks) (tasks.ToggleOutcome, error) {
	lock, err := WaitLock(ctx, d.LockPath, nil)
	if err != nil {
		return tasks.ToggleOutcome{}, err
	}
	defer lock.Unlock() //nolint:errcheck // closing a file that was only locked
	if d.ShareHub != nil {
		release, err := d.ShareHub(ctx)
		if err != nil {
			return tasks.ToggleOutcome{}, err
		}
		defer release()
	}
	t := &toggle{Ladder: l, d: d, hooks: hooks}
	if u, err := d.unfinished(); err == nil && !u.nothing() {
		// That already is work on the modem.
		if err := hooks.Check(ctx); err != nil {
			return tasks.ToggleOutcome{}, err
		}
		if err := t.putBack(ctx); err != nil && ctx.Err() != nil {
			return tasks.ToggleOutcome{}, context.Cause(ctx)
		}
		// Where a modem would not take it back now, step 2 tries again.
	}
	return t.climb(ctx)
}

func (t *toggle) climb(ctx context.Context) (tasks.ToggleOutcome, error) {
	diagnosis, old, err := t.d.Diagnose(ctx)
	if err != nil {
		return tasks.ToggleOutcome{}, err
	}
	t.old = old
	t.prog.Diagnosis = string(diagnosis)
	t.prog.OldIP = text(old)
	t.prog.Steps = []tasks.ToggleStep{}
	t.hooks.Progress(ctx, t.prog)

	reached, ran, last := diagnosis.FirstStep(), diagnosis.FirstStep(), noAddress
	var ip netip.Addr
	for step := diagnosis.FirstStep(); step <= 4; step++ {
		if step == 4 && last == noAddress {
			// A way that failed may have left the dongle as it was, and it works.
			if last, ip = t.look(ctx); ctx.Err() != nil {
				return tasks.ToggleOutcome{Step: reached}, context.Cause(ctx)
			}
		}
		if step == 4 && last != noAddress {
			break // it works: no reason to cut its power
		}
		reached = step
		r, addr, err := t.step(ctx, step)
		if err != nil {
			return tasks.ToggleOutcome{Step: reached}, err
		}
		if r == skipped {
			continue // what was known of the dongle still holds
		}
		ran, last, ip = step, r, addr
		if r == changed || (r == unchanged && (step != 2 || t.AcceptUnchanged)) {
			break
		}
	}
	if last == noAddress {
		return tasks.ToggleOutcome{Step: reached}, nil
	}
	return t.success(ctx, diagnosis, ran, last, ip), nil
}

// step runs one step, or each way of step 2 until the address differs.
func (t *toggle) step(ctx context.Context, step int) (result, netip.Addr, error) {
	if step == 2 {
		return t.network(ctx)
	}
	repair := t.Repairs[step]
	return t.timed(ctx, step, "", func(limited context.Context) (result, netip.Addr, error) {
		if repair == nil {
			return skipped, netip.Addr{}, ErrUnavailable
		}
		if err := repair(limited, t.d); err != nil {
			if errors.Is(err, ErrUnavailable) {
				return skipped, netip.Addr{}, err
			}
			// It may have helped all the same, or have done no harm; and the
			// step's time may be over.
			r, ip := t.look(ctx)
			return r, ip, err
		}
		noteWait(limited, waitConnected)
		return t.awaitAny(limited)
	})
}

// network is step 2: it goes through its ways until the address differs.
func (t *toggle) network(ctx context.Context) (result, netip.Addr, error) {
	last, lastIP := noAddress, netip.Addr{}
	for i, w := range t.ways() {
		way := w.do
		if i > 0 && t.limit(ctx, 2) < t.StepLimit/4 {
			way = func(context.Context) (result, netip.Addr, error) { return skipped, netip.Addr{}, errNoTime }
		}
		r, ip, err := t.timed(ctx, 2, string(w.method), way)
		if err != nil || r == changed {
			return r, ip, err
		}
		if r != skipped {
			last, lastIP = r, ip
		}
	}
	if last == noAddress {
		// A way that failed may have left the dongle as it was, and it works, or
		// it has come back since.
		last, lastIP = t.look(ctx)
		if ctx.Err() != nil {
			return noAddress, netip.Addr{}, context.Cause(ctx)
		}
	}
	return last, lastIP, nil
}

// errNoTime is why a way of step 2 is passed over.
var errNoTime = errors.New("the time that is left is needed for the steps that follow")

// way is one try of step 2.
type way struct {
	method Method
	do     func(context.Context) (result, netip.Addr, error)
}

// ways are those of step 2, in order.
func (t *toggle) ways() (out []way) {
	for _, m := range t.Methods {
		if m != MethodDataswitch {
			out = append(out, way{m, t.netMode})
			continue
		}
		for _, hold := range t.Holds {
			out = append(out, way{m, func(ctx context.Context) (result, netip.Addr, error) { return t.dataswitch(ctx, hold) }})
		}
	}
	return out
}

// limit is how long the next way of a step may take: what the toggle's own time
// leaves if each repair that may follow is to have its limit, too.
func (t *toggle) limit(ctx context.Context, step int) time.Duration {
	own := t.own(step)
	end, bounded := ctx.Deadline()
	if !bounded {
		return own
	}
	left := time.Until(end)
	for later := step + 1; later <= 4; later++ {
		if later == 2 || t.Repairs[later] != nil {
			left -= min(t.own(later), t.StepLimit)
		}
	}
	return min(left, own)
}

// own is a step's own limit.
func (t *toggle) own(step int) time.Duration {
	if own, another := t.Limits[step]; another {
		return own
	}
	return t.StepLimit
}

// timed runs one way of a step within its limit and writes down how it went. An
// error of the way itself is a reason; only the end of the toggle's own context
// or a failed Check is an error.
func (t *toggle) timed(ctx context.Context, step int, method string, way func(context.Context) (result, netip.Addr, error)) (result, netip.Addr, error) {
	if err := t.hooks.Check(ctx); err != nil {
		return noAddress, netip.Addr{}, err
	}
	began := time.Now()
	t.prog.Steps = append(t.prog.Steps, tasks.ToggleStep{Step: step, Method: method, Outcome: "running"})
	t.hooks.Progress(ctx, t.prog)
	limit := t.limit(ctx, step)
	if limit < t.StepLimit/4 {
		limit = t.StepLimit // there isn't enough for all of them: whoever comes first is served
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no effect within %s", limit.Round(100*time.Millisecond)))
	defer cancel()
	s := &t.prog.Steps[len(t.prog.Steps)-1]
	waits := newWaits(func(all []tasks.ToggleWait) {
		s.Waits = all
		t.hooks.Progress(ctx, t.prog)
	})
	r, ip, err := way(waits.in(limited))
	s.Waits = waits.end()
	s.Outcome, s.Reason, s.DurationMS = r.String(), words(err), time.Since(began).Milliseconds()
	t.prog.NewIP = text(ip)
	if ctx.Err() != nil {
		s.Outcome = noAddress.String()
		t.hooks.Progress(ctx, t.prog)
		return noAddress, netip.Addr{}, context.Cause(ctx)
	}
	t.hooks.Progress(ctx, t.prog)
	return r, ip, nil
}

// success is the outcome of a climb that ended with connectivity.
func (t *toggle) success(ctx context.Context, diagnosis Diagnosis, step int, r result, ip netip.Addr) tasks.ToggleOutcome {
	if step == 2 && r == changed && diagnosis == Healthy {
		step = 0
	}
	if known := t.prog.NewIP; known == nil || *known != ip.String() {
		// The last step was not the one that brought it.
		t.prog.NewIP = text(ip)
		t.hooks.Progress(ctx, t.prog)
	}
	out := tasks.ToggleOutcome{Success: true, IP: text(ip), Step: step}
	out.Traffic, out.Signal = t.d.radio(ctx)
	return out
}

// look tells whether there is connectivity now.
func (t *toggle) look(ctx context.Context) (result, netip.Addr) {
	ip, err := t.d.Prober.Look(ctx, t.d.Network)
	if err != nil {
		return noAddress, netip.Addr{}
	}
	return t.compare(ip), ip
}

// compare tells what an address means for this toggle.
func (t *toggle) compare(ip netip.Addr) result {
	if ip == t.old {
		return unchanged
	}
	return changed
}

func text(ip netip.Addr) *string {
	if !ip.IsValid() {
		return nil
	}
	s := ip.String()
	return &s
}
