package worker_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/strategy"
	"switchyard/strategy/command"
	"switchyard/strategy/prices"
	"switchyard/tasks"
	"switchyard/worker"
)

// strategies starts a worker that executes them.
func (b *bundle) strategies(t *testing.T, r *strategy.Runner, change ...func(*worker.Options)) *worker.Worker {
	t.Helper()
	c := configs.Default().Strategy
	c.FirstRetry, c.MaxRetry = configs.Duration(time.Millisecond), configs.Duration(time.Millisecond)
	h := &worker.Strategies{Runner: r, Config: c, Log: discard}
	return b.start(t, nil, append([]func(*worker.Options){soon, func(o *worker.Options) {
		o.Queues = []worker.Queue{{Name: tasks.QueueStrategy, Concurrency: 2}}
		o.Handlers = map[tasks.Type]worker.Handler{tasks.Strategy: h.Handle}
	}}, change...)...)
}

// execute has an execution accepted.
func (b *bundle) execute(t *testing.T, p tasks.StrategyPayload) string {
	t.Helper()
	if p.Parameters == nil {
		p.Parameters = json.RawMessage(`{"variant":"BAA-G4","initial_capital":100000,"use_real_data":false,"transaction_cost":0.001,"start_date":null,"end_date":null}`)
	}
	return b.accept(t, jobs.Request{Draft: tasks.NewStrategy(p, time.Minute, "", "")})
}

var baaG4 = tasks.StrategyPayload{Execution: 1, Strategy: "BoldAssetAllocation", Version: "1.0.0"}

// own is a runner with a program.
func own(script, dir string) *strategy.Runner {
	return &strategy.Runner{Commands: map[string]command.Spec{"Own": {
		Argv: []string{"/bin/sh", "-c", script}, Dir: dir, Timeout: time.Minute, CPU: time.Minute, Memory: 128 << 20,
	}}}
}

var ownPayload = tasks.StrategyPayload{Execution: 2, Strategy: "Own", Version: "1", Parameters: json.RawMessage(`{}`)}

// Ensure an execution brings its result and tells how far it was, and that a value that
// can't be used is why another fails.
func TestStrategy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.strategies(t, &strategy.Runner{})
	j := b.ended(t, b.execute(t, baaG4))
	if j.State != jobs.Completed || !strings.HasPrefix(string(j.Result), `{"strategy":"BoldAssetAllocation","variant":"BAA-G4"`) || string(j.Progress) != `{"percent":100,"stage":"finished"}` {
		t.Errorf("%s: %s, progress %s, result %.100s", j.State, j.Error, j.Progress, j.Result)
	}
	p := baaG4
	p.Parameters, p.Fault = json.RawMessage(`{"variant":"INVALID"}`), "Unknown variant: INVALID. Available variants: BAA-G12"
	if j := b.ended(t, b.execute(t, p)); j.State != jobs.Failed || j.Error != p.Fault || j.Tries != 1 && j.Tries != 0 {
		t.Errorf("%s: %q after %d tries", j.State, j.Error, j.Tries)
	}
}

// away is a source of prices that can't be reached a few times.
type away struct{ times atomic.Int64 }

func (*away) Name() string { return "away" }

func (a *away) Daily(ctx context.Context, symbol string) (*prices.Series, error) {
	if a.times.Add(-1) >= 0 {
		return nil, &prices.UnavailableError{Symbol: symbol, Err: os.ErrDeadlineExceeded}
	}
	return prices.Generator{Seed: 1}.Daily(ctx, symbol)
}

// Ensure an execution whose prices can't be had is tried again, four times in all.
func TestStrategyRetries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source := &away{}
	b.strategies(t, &strategy.Runner{Real: source})
	p := baaG4
	p.Parameters = json.RawMessage(`{"variant":"BAA-SPY","initial_capital":1000,"use_real_data":true,"transaction_cost":0}`)
	source.times.Store(2)
	if j := b.ended(t, b.execute(t, p)); j.State != jobs.Completed || j.Attempt != 3 {
		t.Errorf("%s in attempt %d: %s", j.State, j.Attempt, j.Error)
	}
	source.times.Store(1000)
	if j := b.ended(t, b.execute(t, p)); j.State != jobs.Failed || j.Attempt != 4 || !strings.Contains(j.Error, "can't be had") {
		t.Errorf("%s in attempt %d: %s", j.State, j.Attempt, j.Error)
	}
}

// Ensure a cancelled execution ends as that, and its program with it.
func TestStrategyCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.strategies(t, own(`echo '{"progress":40}'; exec sleep 600`, ""))
	id := b.execute(t, ownPayload)
	b.eventually(t, "the program runs", func() bool { return strings.Contains(string(b.get(t, id).Progress), `"stage":"command"`) })
	if _, err := b.store.Cancel(b.ctx, id); err != nil {
		t.Fatal(err)
	}
	if j := b.ended(t, id); j.State != jobs.Cancelled || j.Error != "cancelled" || j.Result != nil {
		t.Errorf("%s: %s, %s", j.State, j.Error, j.Result)
	}
}

// Ensure a worker that stops lets go of an execution, which another one then does from
// its beginning.
func TestStrategyStop(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir := t.TempDir()
	first := b.strategies(t, own(`echo $$ >started; exec sleep 600`, dir))
	id := b.execute(t, ownPayload)
	b.eventually(t, "the program runs", func() bool {
		_, err := os.Stat(filepath.Join(dir, "started"))
		return err == nil
	})
	b.stopped(t, b.stopping(b.ctx, first))
	if j := b.get(t, id); j.State != jobs.Queued || j.Attempt != 2 {
		t.Errorf("%s, attempt %d", j.State, j.Attempt)
	}
	b.strategies(t, own(`echo '{"return":0.5}'`, dir))
	if j := b.ended(t, id); j.State != jobs.Completed || string(j.Result) != `{"return":0.5}` {
		t.Errorf("%s: %s, %s", j.State, j.Error, j.Result)
	}
}

// Ensure an execution that takes too long fails and says which setting that is, and what
// a program wrote to its standard error is kept.
func TestStrategyLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.strategies(t, own(`echo "still at it" >&2; exec sleep 600`, ""))
	id := b.accept(t, jobs.Request{Draft: tasks.NewStrategy(ownPayload, 500*time.Millisecond, "", "")})
	if j := b.ended(t, id); j.State != jobs.Failed || j.Error != "it took longer than 500ms (strategy.limit)" || !strings.Contains(string(j.Progress), `"stderr":"still at it\n"`) {
		t.Errorf("%s: %s, progress %s", j.State, j.Error, j.Progress)
	}
}
