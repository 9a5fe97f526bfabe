package limits

import (
	"context"
	_ "embed"
	"time"

	"github.com/redis/go-redis/v9"
)

// Window is how often something may be done as others count it, who see a request
// when it reaches them: no time as long as Per has more than Events of them, however
// long each was on its way. So a place is taken from when it is given until Per after
// the answer has come.
type Window struct {
	// Name of the window; all who share it use the same numbers.
	Name string
	// Events within Per.
	Events int
	Per    time.Duration
}

var (
	//go:embed enter.lua
	enterSource string
	//go:embed leave.lua
	leaveSource string
	//go:embed shut.lua
	shutSource string

	enterScript, leaveScript, shutScript = redis.NewScript(enterSource), redis.NewScript(leaveSource), redis.NewScript(shutSource)
)

// Windows hands out places in windows. It is safe for concurrent use.
type Windows struct {
	rdb redis.Scripter
	now func() time.Time
}

// NewWindows returns one on this Redis. now is the clock that all who share the windows
// have in common; nil: Redis' own, which the scripts read. Clocks of processes differ
// by milliseconds, and as many too soon is too soon.
func NewWindows(rdb redis.Scripter, now func() time.Time) *Windows {
	return &Windows{rdb: rdb, now: now}
}

// Enter takes a place in all of these windows, or in none: then wait is when asking
// makes sense again. name tells the place from all others. A place that nobody
// leaves is free again after hold, which must be longer than a request may take.
// Error: ErrUnavailable.
func (w *Windows) Enter(ctx context.Context, name string, hold time.Duration, windows ...Window) (wait time.Duration, ok bool, err error) {
	keys, args := w.of(windows, name, hold.Microseconds())
	us, err := enterScript.Run(ctx, w.rdb, keys, args...).Int64()
	if err != nil {
		return 0, false, unavailable("taking a place", err)
	}
	return time.Duration(us) * time.Microsecond, us == 0, nil
}

// Await is Enter for those who wait for a place for at most about most. Errors: a
// *LaterError if there is none so soon, ErrUnavailable, or the cause of ctx.
func (w *Windows) Await(ctx context.Context, most time.Duration, name string, hold time.Duration, windows ...Window) error {
	end := time.Now().Add(most)
	for {
		wait, ok, err := w.Enter(ctx, name, hold, windows...)
		switch {
		case err != nil:
			return err
		case ok:
			return nil
		case wait > max(0, time.Until(end)):
			return &LaterError{After: wait}
		}
		if err := rest(ctx, wait); err != nil {
			return err
		}
	}
}

// Leave says that what the place was taken for is over: it counts for Per from now.
// Error: ErrUnavailable; the place is then free after its hold.
func (w *Windows) Leave(ctx context.Context, name string, windows ...Window) error {
	keys, args := w.of(windows, name)
	if err := leaveScript.Run(ctx, w.rdb, keys, args...).Err(); err != nil {
		return unavailable("leaving a place", err)
	}
	return nil
}

// Shut has nobody enter the windows for d: whoever counts has said that it was too
// much. Error: ErrUnavailable.
func (w *Windows) Shut(ctx context.Context, d time.Duration, windows ...Window) error {
	keys, args := w.of(windows, "shut", d.Microseconds())
	if err := shutScript.Run(ctx, w.rdb, keys, args...).Err(); err != nil {
		return unavailable("shutting windows", err)
	}
	return nil
}

// of are the keys and arguments of a script about windows.
func (w *Windows) of(windows []Window, more ...any) (keys []string, args []any) {
	args = append(args, "")
	if w.now != nil {
		args[0] = w.now().UnixMicro()
	}
	args = append(args, more...)
	for _, x := range windows {
		keys = append(keys, Prefix+x.Name)
		args = append(args, x.Events, x.Per.Microseconds())
	}
	return keys, args
}
