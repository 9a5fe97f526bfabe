package hardware

import (
	"context"
	"slices"
	"time"

	"switchyard/hardware/recovery"
	"switchyard/tasks"
)

const waitConnected = recovery.WaitConnected

// waits is what a step of the ladder waited for, and how long. One goroutine at a
// time uses it.
type waits struct {
	tell  func([]tasks.ToggleWait)
	spent []tasks.ToggleWait
	now   string // "": none
	since time.Time
}

type waitsKey struct{}

func newWaits(tell func([]tasks.ToggleWait)) *waits { return &waits{tell: tell} }

// in returns a context whose noteWait notes here.
func (w *waits) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, waitsKey{}, w)
}

// noteWait says what the step under way waits for from now on.
func noteWait(ctx context.Context, name string) {
	w, ok := ctx.Value(waitsKey{}).(*waits)
	if !ok || w.now == name {
		return
	}
	w.end()
	w.now, w.since = name, time.Now()
	w.tell(w.sum())
}

// end ends the wait under way and returns all.
func (w *waits) end() []tasks.ToggleWait {
	w.spent, w.now = w.sum(), ""
	return w.spent
}

// sum is the time spent in each wait, in the order in which they began. One that
// comes again goes on where it was.
func (w *waits) sum() []tasks.ToggleWait {
	all := slices.Clone(w.spent) // the former one is shown already
	if w.now == "" {
		return all
	}
	i := slices.IndexFunc(all, func(t tasks.ToggleWait) bool { return t.Name == w.now })
	if i < 0 {
		i, all = len(all), append(all, tasks.ToggleWait{Name: w.now})
	}
	all[i].DurationMS += time.Since(w.since).Milliseconds()
	return all
}
