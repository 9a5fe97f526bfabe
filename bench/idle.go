package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/hibiken/asynq"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/tasks"
)

const (
	// idleWindow is what one round counts: a common multiple of the rhythms in
	// it (fetch 5 s, asynq's heartbeat 5 s, delayed tasks 2 s, sweep 5 s, clock
	// 10 s, heartbeat 3 s), and of the minute, since all hosts push at its
	// beginning: of shorter windows the median would never show that.
	idleWindow = time.Minute
	// plainWindow is that of asynq alone, which has no rhythm beyond 5 s.
	plainWindow = 10 * time.Second
	// idleSettle is left after the start before anything is counted.
	idleSettle      = 6 * time.Second
	idleCommands    = 6.0 // a second and asynq server
	idleCPU         = 5.0 // percent of a core
	serversPerHost  = 2
	plainServers    = 100
	unreachable     = "127.0.0.1:1" // nothing listens there
	plainConcurrent = 8
)

// idle measures what hosts cost that have nothing to do: each host is the real
// app in its role worker with its two queues, heartbeat and registration, and
// pushes its status once a minute, to nobody; one process holds them all, another
// one is the scheduler that sweeps them and has them push. The collection of the
// dongles' state, one HSET for each dongle a minute, is left out. Commands are as Redis counts them, with those inside of scripts.
//
// The peer is asynq alone with its default poll of 1 s, in plainServers
// servers of one queue; its figures are scaled to as many as ours.
func idle(ctx context.Context, o options) ([]row, error) {
	ours, err := idleRounds(ctx, o, childSpec{Count: o.hosts, Profile: o.profile}, idleWindow, "workers", "scheduler")
	if err != nil {
		return nil, err
	}
	plain, err := idleRounds(ctx, o, childSpec{Count: plainServers}, plainWindow, "plain")
	if err != nil {
		return nil, fmt.Errorf("measuring asynq: %w", err)
	}
	servers := float64(o.hosts * serversPerHost)
	scaled := servers / plainServers
	commands, peer := median(ours.commands)/servers, median(plain.commands)/plainServers
	cpu, peerCPU := median(ours.cpu), median(plain.cpu)*scaled
	name := func(what string) string { return fmt.Sprintf("idle, %d hosts, %s", o.hosts, what) }
	against := func(figure string) string { return fmt.Sprintf("asynq, %d scaled: %s", plainServers, figure) }
	return []row{
		{
			what: name("Redis commands"), ours: fmt.Sprintf("%.2f/s each", commands), against: against(fmt.Sprintf("%.2f/s each", peer)),
			ratio: ratio(commands / peer), target: fmt.Sprintf("<= %.0f/s each", idleCommands), verdict: atMost(commands, idleCommands),
		},
		{
			what: name("Redis CPU"), ours: percent(cpu), against: against(percent(peerCPU)),
			ratio: ratio(cpu / peerCPU), target: "<= " + percent(idleCPU), verdict: atMost(cpu, idleCPU),
		},
		{
			what: name("workers' CPU"), ours: percent(median(ours.processes[0])), against: against(percent(median(plain.processes[0]) * scaled)),
			ratio: ratio(median(ours.processes[0]) / (median(plain.processes[0]) * scaled)),
		},
		{what: name("scheduler's CPU"), ours: percent(median(ours.processes[1]))},
		{what: name("connections"), ours: fmt.Sprintf("%.0f", ours.clients), against: against(fmt.Sprintf("%.0f", plain.clients*scaled)), ratio: ratio(ours.clients / (plain.clients * scaled))},
	}, nil
}

func percent(f float64) string { return fmt.Sprintf("%.1f %%", f) }

// idleFigures are those of each round.
type idleFigures struct {
	commands  []float64   // a second
	cpu       []float64   // percent of a core, Redis'
	processes [][]float64 // percent of a core, by process
	clients   float64
}

// idleRounds starts one child of each kind on a Redis of its own and counts for
// as long as each round's window lasts.
func idleRounds(ctx context.Context, o options, spec childSpec, window time.Duration, kinds ...string) (f idleFigures, err error) {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return f, err
	}
	defer srv.Stop()
	rdb := newClient(srv.Addr(), 1)
	defer rdb.Close()
	spec.Redis, spec.Dir = srv.Addr(), filepath.Join(o.dir, "state")
	var pids []int
	for _, kind := range kinds {
		c, err := startChild(ctx, kind, spec)
		if err != nil {
			return f, err
		}
		defer func() { err = errors.Join(err, c.stop()) }() //nolint:revive // a few children, all needed to the end
		pids = append(pids, c.pid)
		spec.Profile = "" // the first one's
	}
	f.processes = make([][]float64, len(pids))
	if err := pause(ctx, idleSettle); err != nil {
		return f, err
	}
	for range o.rounds {
		before, err := readLoad(ctx, rdb)
		if err != nil {
			return f, err
		}
		cpuBefore, err := cpuTimes(pids)
		if err != nil {
			return f, err
		}
		if err := pause(ctx, window); err != nil {
			return f, err
		}
		after, err := readLoad(ctx, rdb)
		if err != nil {
			return f, err
		}
		cpuAfter, err := cpuTimes(pids)
		if err != nil {
			return f, err
		}
		seconds := after.at.Sub(before.at).Seconds()
		f.commands = append(f.commands, (after.commands-before.commands)/seconds)
		f.cpu = append(f.cpu, 100*(after.cpu-before.cpu)/seconds)
		f.clients = after.clients
		for i := range pids {
			f.processes[i] = append(f.processes[i], 100*(cpuAfter[i]-cpuBefore[i]).Seconds()/seconds)
		}
	}
	return f, nil
}

func cpuTimes(pids []int) ([]time.Duration, error) {
	out := make([]time.Duration, len(pids))
	for i, pid := range pids {
		var err error
		if out[i], err = cpuTime(pid); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// hostConfig is the configuration of a host's worker that nobody asks anything.
func hostConfig(spec childSpec, i int) *configs.Config {
	c := configs.Default()
	c.Redis.Addr = spec.Redis
	c.Host.Name, c.Host.ServerIP = benchHost(i)
	c.Host.StateDir = spec.Dir
	c.Host.EchoURLs = []string{"http://ip.example.com/"}
	c.Host.CollectInterval = configs.Duration(time.Hour)
	c.Host.Dongles = []configs.Dongle{{Subnet: tasks.MinSubnet, Modem: "http://" + unreachable, Gateway: unreachable}}
	return c
}

// workersChild is as many hosts as it is told.
func workersChild(ctx context.Context, spec childSpec) (string, func(context.Context) error, error) {
	var list []*app.App
	for i := range spec.Count {
		list = append(list, nil)
		cfg := hostConfig(spec, i)
		var err error
		if err = cfg.Validate(); err == nil {
			list[i], err = app.New(app.Options{Config: cfg, Roles: []app.Role{app.Worker}, Log: slog.New(slog.DiscardHandler), Version: "bench"})
		}
		if err != nil {
			return "", nil, errors.Join(err, stopApps(ctx, list[:i]))
		}
	}
	_, err := inParallel(ctx, 16, len(list), func(i int) error { return list[i].Start(ctx) })
	if err != nil {
		return "", nil, errors.Join(err, stopApps(ctx, list))
	}
	return "", func(ctx context.Context) error { return stopApps(ctx, list) }, nil
}

func stopApps(ctx context.Context, list []*app.App) error {
	// One goroutine each: an error ends the goroutine that met it.
	_, err := inParallel(ctx, max(1, len(list)), len(list), func(i int) error { return list[i].Stop(ctx) })
	return err
}

// schedulerChild is the app in its role scheduler.
func schedulerChild(ctx context.Context, spec childSpec) (string, func(context.Context) error, error) {
	cfg := configs.Default()
	cfg.Redis.Addr = spec.Redis
	a, err := app.New(app.Options{Config: cfg, Roles: []app.Role{app.Scheduler}, Log: slog.New(slog.DiscardHandler), Version: "bench"})
	if err != nil {
		return "", nil, err
	}
	if err := a.Start(ctx); err != nil {
		return "", nil, err
	}
	return "", a.Stop, nil
}

// plainChild is as many servers of asynq alone as it is told.
func plainChild(_ context.Context, spec childSpec) (string, func(context.Context) error, error) {
	var list []*asynq.Server
	stop := func(ctx context.Context) error {
		_, err := inParallel(ctx, max(1, len(list)), len(list), func(i int) error { list[i].Shutdown(); return nil })
		return err
	}
	for i := range spec.Count {
		name, _ := benchHost(i)
		s := asynq.NewServer(asynq.RedisClientOpt{Addr: spec.Redis}, asynq.Config{
			Concurrency: plainConcurrent, Queues: map[string]int{name: 1}, LogLevel: asynq.ErrorLevel,
		})
		if err := s.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })); err != nil {
			return "", nil, errors.Join(fmt.Errorf("starting asynq: %w", err), stop(context.Background()))
		}
		list = append(list, s)
	}
	return "", stop, nil
}
