package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"switchyard/jobs"
	"switchyard/jobs/convoy"
	"switchyard/metrics"
	"switchyard/tasks"
)

// Queue is one queue to take tasks from.
type Queue struct {
	Name string
	// Concurrency is the number of handlers at once.
	Concurrency int
}

// Options of a Worker.
type Options struct {
	// Store of the jobs.
	Store *jobs.Store
	// Process under which attempts are claimed.
	Process *jobs.Process
	// NewClient makes the client that the asynq servers fetch with (and only
	// they, since the doorbell hooks into it) and the one that listens. The
	// worker closes them.
	NewClient func(poolSize int) redis.UniversalClient
	Queues    []Queue
	Handlers  map[tasks.Type]Handler
	Log       *slog.Logger
	// Meter counts the runs. Optional.
	Meter *metrics.Metrics

	// Heartbeat is how often the process says it is alive.
	Heartbeat time.Duration
	// FetchHold is how long an idle fetch waits for its bell.
	FetchHold time.Duration
	// FetchPoll is the polling interval where the doorbell can't be used.
	FetchPoll time.Duration
	// DelayedCheck is how often delayed tasks are looked through.
	DelayedCheck time.Duration
	// HeldDelay is when a task that another worker has is looked at again.
	HeldDelay time.Duration
	// ShutdownTimeout is what cancelled handlers have to end.
	ShutdownTimeout time.Duration
	// OnBeat is called with every heartbeat, for what has the same rhythm.
	// Optional.
	OnBeat func(ctx context.Context) error
}

// Worker executes the jobs of its queues. Make one with New; Start and Stop it
// once.
type Worker struct {
	opt     Options
	bell    *doorbell
	fetch   redis.UniversalClient
	listen  redis.UniversalClient
	weather weather
	servers []*asynq.Server

	handlers     context.Context // parent of every handler's
	stopHandlers context.CancelCauseFunc
	store        context.Context // ends when outcomes can no longer be recorded
	stopStore    context.CancelFunc
	background   sync.WaitGroup // heartbeat and listener
	stopBeat     context.CancelFunc

	mu       sync.Mutex
	stopping bool
	started  bool
	stopped  chan struct{} // closed when Stop is through
	running  map[string]*Run
	runs     sync.WaitGroup
}

// New returns a worker that has not started.
func New(opt Options) *Worker {
	w := &Worker{opt: opt, bell: newDoorbell(opt.FetchHold), running: map[string]*Run{}, stopped: make(chan struct{})}
	w.handlers, w.stopHandlers = context.WithCancelCause(context.Background())
	w.store, w.stopStore = context.WithCancel(context.Background())
	return w
}

// Start announces the process and begins to fetch. It returns when fetching
// has begun; ctx bounds only the start. Redis must be reachable.
func (w *Worker) Start(ctx context.Context) error {
	w.mu.Lock()
	if w.started || w.stopping {
		w.mu.Unlock()
		return errors.New("worker: started before, or stopped")
	}
	w.started = true
	w.mu.Unlock()

	total := 0
	for _, q := range w.opt.Queues {
		total += q.Concurrency
	}
	w.fetch = w.opt.NewClient(total + 4*len(w.opt.Queues) + 4)
	w.listen = w.opt.NewClient(2)
	poll := time.Millisecond
	if probe() {
		w.bell.client = w.fetch
		w.fetch.AddHook(w.bell)
		w.fetch.AddHook(convoy.New(w.fetch, ends))
	} else {
		poll = w.opt.FetchPoll
		w.opt.Log.Warn("this asynq fetches in a way that the doorbell doesn't recognise; polling instead", "every", poll)
	}
	w.fetch.AddHook(&w.weather)
	w.listen.AddHook(&w.weather)
	if err := w.firstBeat(ctx); err != nil {
		return err
	}
	beatCtx, cancel := context.WithCancel(context.Background())
	w.stopBeat = cancel
	sub := w.subscribe(beatCtx)
	w.background.Go(func() { w.beatLoop(beatCtx) })
	w.background.Go(func() { w.listenLoop(beatCtx, sub) })
	for _, q := range w.opt.Queues {
		w.bell.Expect(q.Name, q.Concurrency)
		srv := asynq.NewServerFromRedisClient(w.fetch, asynq.Config{
			Concurrency:              q.Concurrency,
			Queues:                   map[string]int{q.Name: 1},
			TaskCheckInterval:        poll,
			DelayedTaskCheckInterval: w.opt.DelayedCheck,
			JanitorInterval:          time.Hour, // nothing is kept in asynq's completed set
			ShutdownTimeout:          time.Second,
			RetryDelayFunc:           func(int, error, *asynq.Task) time.Duration { return w.opt.HeldDelay },
			IsFailure:                func(err error) bool { return !errors.Is(err, errHeld) },
			Logger:                   asynqLog{w.opt.Log.With("queue", q.Name)},
			LogLevel:                 asynq.WarnLevel,
		})
		if err := srv.Start(asynq.HandlerFunc(func(_ context.Context, t *asynq.Task) error {
			defer w.bell.Ended(q.Name)
			return w.process(t)
		})); err != nil {
			return fmt.Errorf("fetching from queue %s: %w", q.Name, err)
		}
		w.servers = append(w.servers, srv)
	}
	w.opt.Log.Info("worker started", "process", w.opt.Process.ID, "queues", len(w.opt.Queues))
	return nil
}

// Stop stops the worker as the package comment says. ctx bounds how long
// Redis is waited for; handlers have ShutdownTimeout.
func (w *Worker) Stop(ctx context.Context) error {
	w.mu.Lock()
	if !w.started || w.stopping {
		again := w.started && w.stopping
		w.stopping = true
		w.mu.Unlock()
		if again {
			<-w.stopped
		}
		return nil
	}
	w.stopping = true
	w.mu.Unlock()
	defer close(w.stopped)

	w.bell.Stop()
	w.bell.Drain(ctx)
	each(w.servers, (*asynq.Server).Stop)
	w.stopHandlers(ErrStopping)
	w.awaitRuns(ctx)
	w.stopStore()
	each(w.servers, (*asynq.Server).Shutdown)
	if w.stopBeat != nil {
		w.stopBeat()
	}
	w.background.Wait()
	err := w.opt.Process.Leave(ctx)
	// What closing says of a connection that is dead already is no fault.
	_, _ = w.fetch.Close(), w.listen.Close()
	return err
}

// awaitRuns waits for the handlers, and lets go of the jobs of those that don't
// end in time, so that they run elsewhere. What those that did end have said is
// waited for until ctx ends.
func (w *Worker) awaitRuns(ctx context.Context) {
	done := make(chan struct{})
	go func() { w.runs.Wait(); close(done) }()
	t := time.NewTimer(w.opt.ShutdownTimeout)
	defer t.Stop()
	select {
	case <-done:
		return
	case <-t.C:
	case <-ctx.Done():
	}
	w.mu.Lock()
	left := make([]*Run, 0, len(w.running))
	for _, r := range w.running {
		left = append(left, r)
	}
	w.mu.Unlock()
	var ended []*Run
	for _, r := range left {
		if r.settled.Swap(true) {
			ended = append(ended, r)
			continue
		}
		w.opt.Log.Warn("handler did not end in time; letting go of its job", "job", r.ID, "type", r.Type)
		if err := r.claim.Abandon(ctx); err != nil && !errors.Is(err, jobs.ErrLost) {
			w.opt.Log.Error("could not let go of the job; it is taken over when this process is gone", "job", r.ID, "err", err)
		}
	}
	for _, r := range ended {
		select {
		case <-r.through:
		case <-ctx.Done():
		}
	}
}

func each(servers []*asynq.Server, f func(*asynq.Server)) {
	var wg sync.WaitGroup
	for _, s := range servers {
		wg.Go(func() { f(s) })
	}
	wg.Wait()
}
