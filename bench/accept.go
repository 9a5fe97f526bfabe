package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hibiken/asynq"

	"switchyard/api"
	"switchyard/app"
	"switchyard/configs"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/tasks"
)

const (
	togglePath   = "/api/v1/proxies/toggle"
	acceptTarget = 0.60
	chats        = 1000
)

// accept measures POST /api/v1/proxies/toggle, answered with 202, against a
// bound: the time of a request that does nothing plus the time of asynq's own
// bare enqueue, both measured in the same round.
//
// The request that does nothing goes through the same router, is validated and
// decoded, writes the same line to the log, and is answered with a document;
// but its port is none, so it is refused (400) before anything is asked of
// Redis. Every accepted request is for another dongle, so that none joins.
func accept(ctx context.Context, o options) ([]row, error) {
	var noop, raw, ours cost
	var bounds []float64
	for i := range o.rounds {
		if err := noopRound(ctx, o, &noop); err != nil {
			return nil, fmt.Errorf("measuring the no-op handler: %w", err)
		}
		if err := enqueueRound(ctx, o, &raw); err != nil {
			return nil, fmt.Errorf("measuring asynq's enqueue: %w", err)
		}
		if err := acceptRound(ctx, o, &ours); err != nil {
			return nil, fmt.Errorf("measuring the api: %w", err)
		}
		bounds = append(bounds, 1/(1/noop.rate[i]+1/raw.rate[i]))
	}
	r := medianRatio(ours.rate, bounds)
	cpu := func(what string, ours []time.Duration, peer string, theirs []time.Duration) row {
		return row{what: "accept, " + what, ours: micros(median(ours)), against: peer + " " + micros(median(theirs)), ratio: ratio(medianRatio(ours, theirs))}
	}
	return []row{
		{
			what: fmt.Sprintf("accept, %d connections", connections), ours: perSecond(median(ours.rate)),
			against: fmt.Sprintf("bound %s (%.0f, %.0f)", perSecond(median(bounds)), median(noop.rate), median(raw.rate)), ratio: ratio(r),
			target: fmt.Sprintf(">= %.2f", acceptTarget), verdict: atLeast(r, acceptTarget),
		},
		cpu("server CPU each", ours.process, "no-op", noop.process),
		cpu("Redis CPU each", ours.redis, "asynq", raw.redis),
	}, nil
}

// benchHost is the i-th host: its name and public address, from the network
// set aside for benchmarks.
func benchHost(i int) (name, ip string) {
	return fmt.Sprintf("bench-%d", i), fmt.Sprintf("198.18.%d.%d", i/250, 1+i%250)
}

// toggleRequests are requests for the dongles from subnet first to last of each
// host, host by host within a subnet.
func toggleRequests(count, first, last int) [][]byte {
	var out [][]byte
	for subnet := first; subnet <= last; subnet++ {
		for i := range count {
			_, ip := benchHost(i)
			out = append(out, request(togglePath, fmt.Sprintf(`{"server_ip":"%s","port":%d,"chat_id":%d}`, ip, tasks.Port(subnet), -1-len(out)%chats)))
		}
	}
	return out
}

// acceptRound measures the real api.
func acceptRound(ctx context.Context, o options, into *cost) (err error) {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return err
	}
	defer srv.Stop()
	rdb := newClient(srv.Addr(), 4)
	defer rdb.Close()
	registry := hosts.New(rdb, time.Hour)
	var dongles []int
	for n := tasks.MinSubnet; n <= tasks.MaxSubnet; n++ {
		dongles = append(dongles, n)
	}
	now := time.Now().UTC()
	for i := range o.hosts {
		name, ip := benchHost(i)
		if err := registry.Register(ctx, hosts.Info{Name: name, ServerIP: ip, Dongles: dongles, Physical: len(dongles), Started: now, Seen: now}); err != nil {
			return err
		}
	}
	c, err := startChild(ctx, "api", childSpec{Redis: srv.Addr(), Profile: o.profile})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if _, err := send(ctx, c.addr, toggleRequests(o.hosts, tasks.MinSubnet, tasks.MinSubnet), http.StatusAccepted); err != nil {
		return err
	}
	requests := toggleRequests(o.hosts, tasks.MinSubnet+1, tasks.MaxSubnet)
	err = into.measure(ctx, rdb, c.pid, len(requests), func() (time.Duration, error) {
		return send(ctx, c.addr, requests, http.StatusAccepted)
	})
	if err != nil {
		return err
	}
	// What was answered with 202 has to be there, and be a job of its own.
	kept, err := rdb.ZCard(ctx, "sw:v1:index:type:"+string(tasks.Toggle)).Result()
	if err != nil {
		return fmt.Errorf("counting the jobs: %w", err)
	}
	if want := int64(len(requests) + o.hosts); kept != want {
		return fmt.Errorf("%d requests were accepted, but there are %d jobs", want, kept)
	}
	return nil
}

// noopRound measures requests that are refused before Redis is asked.
func noopRound(ctx context.Context, o options, into *cost) (err error) {
	c, err := startChild(ctx, "noop", childSpec{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	refused := request(togglePath, `{"server_ip":"198.18.0.1","port":10099,"chat_id":-1000}`)
	list := func(n int) [][]byte {
		out := make([][]byte, n)
		for i := range out {
			out[i] = refused
		}
		return out
	}
	if _, err := send(ctx, c.addr, list(o.hosts), http.StatusBadRequest); err != nil {
		return err
	}
	requests := list(o.hosts * (tasks.MaxSubnet - tasks.MinSubnet))
	return into.measure(ctx, nil, c.pid, len(requests), func() (time.Duration, error) {
		return send(ctx, c.addr, requests, http.StatusBadRequest)
	})
}

// enqueueRound measures asynq's own client, which as many goroutines as there
// are connections have enqueue tasks like ours.
func enqueueRound(ctx context.Context, o options, into *cost) error {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return err
	}
	defer srv.Stop()
	rdb := newClient(srv.Addr(), connections)
	defer rdb.Close()
	client := asynq.NewClientFromRedisClient(rdb)
	enqueue := func(i int) error {
		name, _ := benchHost(i % o.hosts)
		id := jobs.NewID(time.Now())
		task := asynq.NewTask(string(tasks.Toggle), []byte(`{"job":"`+id+`","attempt":1,"host":"`+name+`","chat_id":"-1000"}`))
		_, err := client.EnqueueContext(ctx, task, asynq.TaskID(id+":1"), asynq.Queue(tasks.HostQueue(name)), asynq.MaxRetry(25), asynq.Timeout(4*time.Minute))
		if err != nil {
			return fmt.Errorf("enqueueing: %w", err)
		}
		return nil
	}
	if _, err := inParallel(ctx, connections, o.hosts, enqueue); err != nil {
		return err
	}
	n := o.hosts * (tasks.MaxSubnet - tasks.MinSubnet)
	return into.measure(ctx, rdb, os.Getpid(), n, func() (time.Duration, error) { return inParallel(ctx, connections, n, enqueue) })
}

// apiChild is the real app in its role api.
func apiChild(ctx context.Context, spec childSpec) (string, func(context.Context) error, error) {
	log, closer, err := newLog()
	if err != nil {
		return "", nil, err
	}
	cfg := configs.Default()
	cfg.Redis.Addr = spec.Redis
	cfg.HTTP.Listen = []string{"127.0.0.1:0"}
	cfg.HTTP.RateLimit.PerSecond = 0 // it is to be found out how many it takes
	a, err := app.New(app.Options{Config: cfg, Roles: []app.Role{app.API}, Log: log, Version: "bench"})
	if err != nil {
		return "", nil, err
	}
	if err := a.Start(ctx); err != nil {
		return "", nil, err
	}
	return a.Addrs()[0], func(ctx context.Context) error { return errors.Join(a.Stop(ctx), closer.Close()) }, nil
}

// noopChild serves the api's handler with no Redis behind it, and writes to the
// log for each request what an accepted one writes.
func noopChild(ctx context.Context, _ childSpec) (string, func(context.Context) error, error) {
	log, closer, err := newLog()
	if err != nil {
		return "", nil, err
	}
	log = log.With("role", "api")
	rdb := newClient("127.0.0.1:1", 1)
	cfg := configs.Default()
	cfg.HTTP.RateLimit.PerSecond = 0
	store := newStore(rdb)
	h := &logged{log: log, next: api.New(api.Options{Config: cfg, Store: store, Registry: hosts.New(rdb, time.Hour), Log: log, Version: "bench"})}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listening: %w", err)
	}
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: cfg.HTTP.ReadHeaderTimeout.Std(), ReadTimeout: cfg.HTTP.ReadTimeout.Std(), IdleTimeout: cfg.HTTP.IdleTimeout.Std(),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	return l.Addr().String(), func(ctx context.Context) error {
		err := srv.Shutdown(ctx)
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return errors.Join(err, store.Close(), rdb.Close(), closer.Close())
	}, nil
}

// logged writes the log line of an accepted toggle for each request.
type logged struct {
	log  *slog.Logger
	next http.Handler
}

// ServeHTTP implements http.Handler.
func (l *logged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.next.ServeHTTP(w, r)
	l.log.Info("toggle accepted", "job", "j_01k9zd3v5y8m1q2r3s4t5v6w7x", "host", "bench-100", "subnet", 16, "chat", "-1000", "joined", false)
}
