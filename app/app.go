package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"switchyard/api"
	"switchyard/api/access"
	"switchyard/api/ws"
	"switchyard/cloudflare"
	"switchyard/configs"
	"switchyard/delivery"
	"switchyard/events"
	"switchyard/hardware"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/logs"
	"switchyard/metrics"
	"switchyard/scheduler"
	"switchyard/strategy/catalog"
	"switchyard/strategy/prices"
	"switchyard/telegram"
	"switchyard/trading/execution"
	"switchyard/trading/venue"
	"switchyard/worker"
)

// Role is what a process does.
type Role string

// The roles.
const (
	API       Role = "api"
	Worker    Role = "worker"
	Scheduler Role = "scheduler"
)

// Roles are all of them.
func Roles() []Role { return []Role{API, Worker, Scheduler} }

// CheckRoles says what is wrong with a choice of roles.
func CheckRoles(roles []Role) error {
	if len(roles) == 0 {
		return errors.New("no role: choose from api, worker, scheduler")
	}
	for _, r := range roles {
		if !slices.Contains(Roles(), r) {
			return fmt.Errorf("unknown role %q: choose from api, worker, scheduler", r)
		}
	}
	return nil
}

// Options of an App.
type Options struct {
	Config *configs.Config
	Roles  []Role
	Log    *slog.Logger
	// Files are the log files beside Log; nil: none. Whoever opened them closes
	// them, after the app has stopped.
	Files *logs.Files
	// Version of this program.
	Version string
	// Embedded: Redis is the demo's own, so durability is not asked for.
	Embedded bool
	// Notify is told by Run, in the words of sd_notify(3), that every role is
	// ready and that the process is stopping. nil: nobody asks.
	Notify func(state string) error
}

// App is a process' roles.
type App struct {
	opt Options
	cfg *configs.Config
	log *slog.Logger
	// quiet is the log without what streams its lines: for what would make more of them.
	quiet *slog.Logger
	lines atomic.Pointer[events.Publisher] // of the stream; nil before there is one

	dial     *dialler
	rdb      *redis.Client // commands
	stream   *redis.Client // blocking reads
	store    *jobs.Store
	registry *hosts.Registry
	hub      *events.Hub
	meter    *metrics.Metrics

	reloading sync.Mutex
	live      atomic.Pointer[configs.Config] // holds what may change; see Reload
	guard     *access.Guard
	cert      atomic.Pointer[certificate] // nil without TLS

	up        atomic.Bool // requests are taken
	api       *api.Server
	servers   []*http.Server
	listeners []listener
	serving   sync.WaitGroup

	host     *hardware.Host
	hostLock *hardware.Lock
	hostInfo hosts.Info
	vitals   atomic.Pointer[hosts.Vitals] // of the host's machine; nil before they were read
	hostJobs *worker.HostJobs
	worker   *worker.Worker
	sender   *delivery.Sender

	cloudflare *cloudflare.Client
	bot        *telegram.Client
	trader     *execution.Trader // of a worker that trades
	venues     *venue.Venues
	catalog    *catalog.Catalog
	prices     *prices.HTTP // of a worker that executes strategies with prices of a server
	events     *events.Publisher

	publishing context.CancelFunc // ends the publisher, after those who publish
	publisher  sync.WaitGroup

	clock     context.CancelFunc // ends what runs by the clock
	byClock   sync.WaitGroup
	reader    context.CancelFunc
	reading   sync.WaitGroup
	collected chan struct{} // closed after the host's first collection
	failed    chan error    // holds what ends a process that runs

	socket *ws.Server // of the api

	monitoring *asynqmon.HTTPHandler // of the api
	figures    *http.Server          // of /metrics where there is no api
	figuresAt  net.Listener

	mu      sync.Mutex
	started bool
	stopped bool
}

// New prepares an app; nothing is opened yet.
func New(opt Options) (*App, error) {
	if err := CheckRoles(opt.Roles); err != nil {
		return nil, err
	}
	strategies, err := strategyCatalog(opt.Config.Strategy)
	if err != nil {
		return nil, err
	}
	a := &App{
		catalog: strategies,
		opt:     opt, cfg: opt.Config, quiet: opt.Log, hub: events.NewHub(), guard: access.New(opt.Config), meter: metrics.New(opt.Version),
		collected: make(chan struct{}), failed: make(chan error, 1),
	}
	a.log = slog.New(logs.Stream(opt.Log.Handler(), a.streamLine))
	a.live.Store(opt.Config)
	return a, nil
}

func (a *App) has(r Role) bool { return slices.Contains(a.opt.Roles, r) }

// Start starts every role and returns when they are ready. ctx bounds the
// start only. After an error, what was started is stopped again.
func (a *App) Start(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.started || a.stopped {
		return errors.New("app: started before, or stopped")
	}
	a.started = true
	if err := a.start(ctx); err != nil {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.HTTP.DrainTimeout.Std())
		defer cancel()
		a.stopped = true
		return errors.Join(err, a.stop(stopCtx))
	}
	return nil
}

func (a *App) start(ctx context.Context) error {
	if err := a.open(); err != nil {
		return err
	}
	a.measure()
	// The API first: a port that is taken should be heard of at once, and who
	// asks while Redis is away gets an answer.
	if a.has(API) {
		if err := a.listen(ctx); err != nil {
			return err
		}
		a.startAPI()
	} else if err := a.startMetrics(ctx); err != nil {
		return err
	}
	if a.has(Worker) && a.cfg.Host.Name != "" {
		if err := a.openHost(ctx); err != nil {
			return err
		}
	}
	if err := a.connect(ctx); err != nil {
		return err
	}
	a.up.Store(true)
	clockCtx, cancel := context.WithCancel(context.Background())
	a.clock = cancel
	a.byClock.Go(func() { a.syncClock(clockCtx) })
	a.events = events.NewPublisher(a.rdb, a.quiet)
	a.lines.Store(a.events)
	publishing, done := context.WithCancel(context.Background())
	a.publishing = done
	a.publisher.Go(func() { a.events.Run(publishing) })
	if a.has(API) {
		a.byClock.Go(func() { a.socket.Run(clockCtx) })
		a.byClock.Go(func() { a.tellStatus(clockCtx) })
		if err := a.listenToChats(clockCtx); err != nil {
			return err
		}
	}
	if a.host == nil {
		a.byClock.Go(func() { a.watchMachine(clockCtx) })
	}
	if a.has(Worker) {
		if err := a.startWorker(ctx, clockCtx); err != nil {
			return err
		}
	}
	if a.has(Scheduler) {
		a.byClock.Go(func() {
			scheduler.Run(clockCtx, scheduler.Options{
				Store: a.store, Registry: a.registry, SweepInterval: a.cfg.Scheduler.SweepInterval.Std(), Log: a.log.With("role", "scheduler"),
				Meter: a.meter, Push: a.push, Watch: a.watch(a.log.With("role", "scheduler")),
			})
		})
	}
	return nil
}

// Run starts the app, and stops it when ctx ends, or when it can't go on: that is
// its error then.
func (a *App) Run(ctx context.Context) error {
	if err := a.Start(ctx); err != nil {
		if a.up.Load() && ctx.Err() != nil && errors.Is(err, context.Canceled) {
			a.log.Info("told to stop while it started", "err", err)
			return nil // Redis was there, and was just away: nothing is wrong with this process
		}
		return err
	}
	a.notify("READY=1")
	var err error
	select {
	case <-ctx.Done():
	case err = <-a.failed:
	}
	a.notify("STOPPING=1")
	a.log.Info("stopping")
	return errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
}

// fail has Run stop the app with this error; the first one counts.
func (a *App) fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

// notify tells the service manager. A process that nobody hears works all the
// same.
func (a *App) notify(state string) {
	if a.opt.Notify == nil {
		return
	}
	if err := a.opt.Notify(state); err != nil {
		a.log.Warn("the service manager doesn't hear us", "state", state, "err", err)
	}
}

// Stop stops the app in the order of the package comment. It is bounded by the
// configured timeouts, and by ctx.
func (a *App) Stop(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.started || a.stopped {
		a.stopped = true
		return nil
	}
	a.stopped = true
	return a.stop(ctx)
}

func (a *App) stop(ctx context.Context) error {
	var errs []error
	errs = append(errs, a.stopAPI(ctx))
	if a.clock != nil {
		a.clock()
	}
	a.byClock.Wait()
	if a.worker != nil {
		errs = append(errs, bounded(ctx, a.cfg.Worker.ShutdownTimeout.Std()+a.cfg.Worker.LeaveTimeout.Std(), a.worker.Stop))
	}
	if a.sender != nil {
		a.sender.Close()
	}
	if a.cloudflare != nil {
		a.cloudflare.Close()
	}
	if a.bot != nil {
		a.bot.Close()
	}
	if a.venues != nil {
		a.venues.Close()
	}
	if a.prices != nil {
		a.prices.Close()
	}
	errs = append(errs, a.leaveHost(ctx), a.stopMetrics(ctx))
	if a.publishing != nil {
		a.publishing()
	}
	a.publisher.Wait()
	if a.reader != nil {
		a.reader()
	}
	if a.stream != nil {
		// Before the reader is waited for: a blocking read ends with its
		// connection, not with its context. What closing says of a connection
		// that is dead already is no fault of ours.
		_ = a.stream.Close()
	}
	a.reading.Wait()
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.rdb != nil {
		_ = a.rdb.Close() // see above
	}
	a.log.Info("stopped")
	return errors.Join(errs...)
}

// Store is the app's job store, for the demo and tests.
func (a *App) Store() *jobs.Store { return a.store }
