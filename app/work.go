package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/cloudflare"
	"switchyard/configs"
	"switchyard/delivery"
	"switchyard/hardware"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/limits"
	"switchyard/tasks"
	"switchyard/worker"
)

// startWorker starts the worker with its queues, and what belongs to them: the
// host's registration and collections, the settling of debts.
func (a *App) startWorker(ctx, clockCtx context.Context) error {
	log := a.log.With("role", "worker")
	shared := sharedQueues(a.cfg)
	queues := make([]worker.Queue, 0, len(shared)+2)
	for _, q := range shared {
		queues = append(queues, worker.Queue{Name: q, Concurrency: max(1, a.cfg.Worker.Concurrency[q])})
	}
	var err error
	if a.sender, err = delivery.NewSender(delivery.SenderOptions{
		Allow: a.cfg.Delivery.Allow, MaxResponse: a.cfg.Delivery.MaxResponse, UserAgent: "switchyard/" + a.opt.Version,
	}); err != nil {
		return fmt.Errorf("setting up deliveries: %w", err)
	}
	handlers := map[tasks.Type]worker.Handler{}
	var hostNames []string
	if a.host != nil {
		if err := a.setUpHost(ctx); err != nil {
			return err
		}
		hostNames = []string{a.host.Name}
		toggles := a.cfg.Toggle.Concurrency
		if toggles == 0 {
			toggles = tasks.MaxSubnet - tasks.MinSubnet + 1 // all dongles, those too that will be found
		}
		queues = append(queues,
			worker.Queue{Name: tasks.HostQueue(a.host.Name), Concurrency: toggles},
			worker.Queue{Name: tasks.HostStatusQueue(a.host.Name), Concurrency: statusHandlers})
		handlers[tasks.Toggle], handlers[tasks.Collect], handlers[tasks.Push] = a.hostJobs.Toggle, a.hostJobs.Collect, a.pushes().Handle
	}
	if len(queues) == 0 {
		return errors.New("this worker has no queue: set host.name, or worker.queues")
	}
	delivers := contains(queues, tasks.QueueDelivery)
	if delivers {
		c := &worker.Callbacks{Deliverer: delivery.NewDeliverer(a.sender, a.callbacks, a.cfg.Delivery), Meter: a.meter, Events: a.events}
		handlers[tasks.Callback] = c.Handle
	}
	if contains(queues, tasks.QueueInteractive) {
		a.cloudflare = cloudflare.New(a.cfg.Cloudflare, "switchyard/"+a.opt.Version)
		c := &worker.Cloudflare{Client: a.cloudflare, Limits: limits.New(a.rdb), Config: a.cfg.Cloudflare, Log: log}
		handlers[tasks.CFBlock], handlers[tasks.CFRelease], handlers[tasks.CFSearch] = c.Handle, c.Handle, c.Handle
		m, err := a.messages(log)
		if err != nil {
			return err
		}
		handlers[tasks.Telegram] = m.Handle
	}
	trades := contains(queues, tasks.QueueTrading)
	if trades {
		a.trader = a.newTrader(log)
		t := &worker.Trading{Trader: a.trader, Log: log}
		handlers[tasks.Trade], handlers[tasks.TradeCancel] = t.Trade, t.Cancel
	}
	if contains(queues, tasks.QueueStrategy) {
		s := &worker.Strategies{Runner: a.newRunner(), Config: a.cfg.Strategy, Log: log}
		handlers[tasks.Strategy] = s.Handle
	}
	if central := contains(queues, tasks.QueueDefault); central || a.host != nil {
		d, err := a.deployments(log, central)
		if err != nil {
			return err
		}
		handlers[tasks.Deployment] = d.Handle
	}
	process := a.store.NewProcess(len(shared) > 0, hostNames...)
	a.hostInfo.Process = process.ID
	w := a.cfg.Worker
	opt := worker.Options{
		Store: a.store, Process: process, Queues: queues, Handlers: handlers, Log: log, Meter: a.meter,
		NewClient: func(pool int) redis.UniversalClient { return a.newClient(pool) },
		Heartbeat: w.Heartbeat.Std(), FetchHold: w.FetchHold.Std(), FetchPoll: w.FetchPoll.Std(),
		DelayedCheck: w.DelayedCheck.Std(), HeldDelay: w.HeldDelay.Std(), ShutdownTimeout: w.ShutdownTimeout.Std(),
	}
	if a.host != nil {
		opt.OnBeat = a.register
		if err := a.claimHost(ctx, process); err != nil {
			return err
		}
	}
	a.worker = worker.New(opt)
	if err := a.worker.Start(ctx); err != nil {
		return err
	}
	if a.host != nil {
		a.byClock.Go(func() { a.host.KeepInOrder(clockCtx, log) })
		a.byClock.Go(func() { a.host.KeepRouted(clockCtx, log) })
		a.byClock.Go(func() { a.collectLoop(clockCtx) })
		a.byClock.Go(func() { a.host.FollowUSB(clockCtx, log) })
	}
	if trades {
		a.byClock.Go(func() { a.trader.Follow(clockCtx, process.ID) })
	}
	if delivers {
		s := &delivery.Settler{
			Store: a.store, Callbacks: a.callbacks, Client: a.stream, Interval: a.cfg.Delivery.SettleInterval.Std(), Log: log,
		}
		a.byClock.Go(func() { s.Run(clockCtx) })
	}
	return nil
}

// sharedQueues are those taken beside the host's own. All that there is work in
// are taken by default where there is no host.
func sharedQueues(c *configs.Config) []string {
	if len(c.Worker.Queues) > 0 || c.Host.Name != "" {
		return c.Worker.Queues
	}
	return tasks.SharedQueues()
}

func contains(queues []worker.Queue, name string) bool {
	for _, q := range queues {
		if q.Name == name {
			return true
		}
	}
	return false
}

// openHost makes the host of this process. It goes before Redis, which may be
// away for long: a port of a hub must not be without power as long.
func (a *App) openHost(ctx context.Context) error {
	h, err := hardware.NewHost(a.cfg)
	if err != nil {
		return fmt.Errorf("setting up host %s: %w", a.cfg.Host.Name, err)
	}
	h.Meter, h.Assigner = a.meter, hardware.NewAssigner(a.cfg.Host.Address, a.log)
	a.host = h
	log := a.log.With("role", "worker")
	h.LookAtUSB(ctx, log)
	a.tellPassedOver(ctx, log)
	return nil
}

func (a *App) setUpHost(ctx context.Context) (err error) {
	h := a.host
	a.hostLock, err = hardware.WaitLock(ctx, h.LockPath(), func() {
		a.log.Warn("another worker of this host is still running; waiting for it to end", "host", h.Name, "lock", h.LockPath())
	})
	if err != nil {
		return fmt.Errorf("becoming the worker of host %s: %w", h.Name, err)
	}
	machine, err := h.MachineID()
	if err != nil {
		return err
	}
	a.hostInfo = hosts.Info{
		Machine: machine, Name: h.Name, ServerIP: h.ServerIP, Version: a.opt.Version,
		Started: a.store.Now().UTC().Truncate(time.Millisecond),
	}
	a.hostJobs = &worker.HostJobs{Host: h, Registry: a.registry, Now: a.store.Now, Log: a.log, Toggles: a.opt.Files.Toggles(), CollectLimit: a.cfg.Host.CollectLimit.Std()}
	return nil
}

// statusHandlers lets a push wait for a slow receiver, and another job of the
// status queue go on.
const statusHandlers = 4

// pushes executes the pushes of this host.
func (a *App) pushes() *worker.Pushes {
	return &worker.Pushes{
		Tell: a.tellHost, Host: a.hostJobs, Store: a.store, Info: a.seen, Location: a.cfg.Location(), Meter: a.meter,
		Pusher: delivery.NewPusher(a.sender, func() (configs.Push, configs.Callbacks) { c := a.live.Load(); return c.Push, c.Callbacks }),
		Lines:  a.opt.Files.Push().With("host", a.host.Name), Save: a.opt.Files.SavePush,
	}
}

// claimHost takes the host's name for this machine, and takes up what an earlier
// worker left. Where that was another machine's, it is left to the sweep: our
// lock says nothing about who runs there.
func (a *App) claimHost(ctx context.Context, p *jobs.Process) error {
	inherits, err := a.registry.Claim(ctx, a.seen())
	if err != nil {
		return fmt.Errorf("becoming host %s: %w", a.host.Name, err)
	}
	if !inherits {
		a.log.Info("took the host's name over from another machine", "host", a.host.Name)
		return nil
	}
	return a.takeOver(ctx, p)
}

// takeOver takes up what an earlier worker of the host left; the host's lock
// proves that it is gone.
func (a *App) takeOver(ctx context.Context, p *jobs.Process) error {
	if err := p.BuryPredecessors(ctx, a.host.Name); err != nil {
		return err
	}
	n, err := a.store.Reclaim(ctx, a.host.Name)
	if err != nil {
		return fmt.Errorf("taking up what an earlier worker of host %s left: %w", a.host.Name, err)
	}
	if n.Rescued+n.Expired+n.Lost > 0 {
		a.log.Info("took up what an earlier worker left", "host", a.host.Name, "rescued", n.Rescued, "expired", n.Expired, "lost", n.Lost)
	}
	return nil
}

// register is the host's heartbeat. A process that was replaced while it was away
// ends: its tasks are another's now.
func (a *App) register(ctx context.Context) error {
	err := a.registry.Register(ctx, a.seen())
	if errors.Is(err, hosts.ErrTaken) {
		a.fail(fmt.Errorf("this process was replaced: %w", err))
	}
	return err
}

// seen is what the host says of itself now.
func (a *App) seen() hosts.Info {
	i := a.hostInfo
	i.Dongles = a.host.Subnets()
	i.Physical, i.Hub, i.USB = a.host.Physical(), a.host.Hubs(), a.host.USB()
	i.Vitals = a.vitals.Load()
	i.Seen = a.store.Now().UTC().Truncate(time.Millisecond)
	return i
}

// collectLoop reads the dongles at once, and then whenever nobody has for
// host.collect_interval. It also looks for new ones.
func (a *App) collectLoop(ctx context.Context) {
	interval := a.cfg.Host.CollectInterval.Std()
	t := time.NewTimer(interval)
	defer t.Stop()
	first := true
	for {
		if found, err := a.host.Discover(); err != nil {
			a.log.Warn("could not look for new dongles", "err", err)
		} else if len(found) > 0 {
			a.log.Info("found dongles", "subnets", found)
		}
		a.host.LookAtUSB(ctx, a.log)
		left, err := a.hostJobs.CollectWithin(ctx, interval)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			a.log.Warn("could not note the state of the dongles", "err", err)
		} else if first {
			first = false
			close(a.collected)
		}
		t.Reset(left)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// leaveHost says that the host is gone and frees it.
func (a *App) leaveHost(ctx context.Context) error {
	if a.host == nil {
		return nil
	}
	var errs []error
	if a.worker != nil {
		errs = append(errs, bounded(ctx, a.cfg.Worker.LeaveTimeout.Std(), func(ctx context.Context) error { return a.registry.Leave(ctx, a.seen()) }))
	}
	a.host.Close()
	errs = append(errs, a.host.LeaveUSB())
	if a.hostLock != nil {
		errs = append(errs, a.hostLock.Unlock())
	}
	return errors.Join(errs...)
}
