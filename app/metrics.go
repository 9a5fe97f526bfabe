package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"switchyard/alerts"
	"switchyard/hosts"
	"switchyard/metrics"
	"switchyard/tasks"
)

// measure has the metrics include what this process knows of Redis. Only the
// roles that have everything in view tell of queues, hosts and debts: a proxy
// host's own Redis user may not see the others.
func (a *App) measure() {
	a.rdb.AddHook(a.meter.RedisHook())
	a.meter.Pool("commands", a.rdb.PoolStats)
	a.meter.Pool("stream", a.stream.PoolStats)
	look := a.survey
	if !a.has(API) && !a.has(Scheduler) {
		look = func(ctx context.Context) (metrics.Survey, error) { return metrics.Survey{}, a.rdb.Ping(ctx).Err() }
	}
	a.meter.Look(look)
}

// survey reads how much waits, and how it stands with the hosts.
func (a *App) survey(ctx context.Context) (metrics.Survey, error) {
	all, err := a.registry.All(ctx)
	if err != nil {
		return metrics.Survey{}, err
	}
	now := a.store.Now()
	var out metrics.Survey
	queues := tasks.SharedQueues()
	names := make([]string, len(all))
	for i, h := range all {
		names[i] = h.Name
	}
	states, err := a.registry.States(ctx, names)
	if err != nil {
		return metrics.Survey{}, err
	}
	for i, h := range all {
		queues = append(queues, tasks.HostQueue(h.Name), tasks.HostStatusQueue(h.Name))
		out.Hosts = append(out.Hosts, hostFigures(h, states[i], a.registry.Online(h, now), now))
	}
	backlogs, err := a.store.Backlogs(ctx, queues)
	if err != nil {
		return metrics.Survey{}, err
	}
	for _, q := range queues {
		b := backlogs[q]
		queue := metrics.Queue{Name: q, Pending: b.Pending, Active: b.Active, Scheduled: b.Scheduled, Retry: b.Retry}
		if !b.Oldest.IsZero() {
			queue.Oldest = max(0, now.Sub(b.Oldest))
		}
		out.Queues = append(out.Queues, queue)
	}
	list, err := a.alertBook().List(ctx)
	if err != nil {
		return metrics.Survey{}, err
	}
	out.Alerts = map[[2]string]int{}
	for _, x := range list {
		if x.State != alerts.Over {
			out.Alerts[[2]string{string(x.Level), x.Source}]++
		}
	}
	open, oldest, err := a.store.OwedSince(ctx)
	if err != nil {
		return metrics.Survey{}, err
	}
	out.Debts = &metrics.Debts{Open: open}
	if open > 0 {
		out.Debts.Oldest = max(0, now.Sub(oldest))
	}
	return out, nil
}

// hostFigures are those of one host. Levels of a host that is away are no news,
// so they aren't told.
func hostFigures(h *hosts.Info, st hosts.State, online bool, now time.Time) metrics.Host {
	out := metrics.Host{Name: h.Name, Online: online, Dongles: len(h.Dongles)}
	for _, n := range h.Dongles {
		d, r := st.Dongles[n], st.Rotated(n, now)
		out.Rotations, out.Unique = out.Rotations+r.Toggles, out.Unique+r.Unique
		if d.Connected {
			out.Connected++
		}
		if s := d.Signal.Plain(); online && s != nil {
			out.Radios = append(out.Radios, metrics.Radio{
				Subnet: n, RSRP: s.RSRP, RSRQ: s.RSRQ, RSSI: s.RSSI, SINR: s.SINR, Quality: levels(d.Signal.Quality()),
			})
		}
	}
	for _, c := range st.Collisions(h.Dongles) {
		out.Colliding += len(c.Subnets)
	}
	return out
}

// levels are the qualities of those readings that there are.
func levels(q *tasks.SignalQuality) map[string]int {
	out := map[string]int{}
	for reading, quality := range map[string]*tasks.Quality{"rsrp": q.RSRP, "rsrq": q.RSRQ, "sinr": q.SINR} {
		if quality != nil {
			out[reading] = quality.Level
		}
	}
	return out
}

// startMetrics serves /metrics at an address of its own, where there is no api
// that would.
func (a *App) startMetrics(ctx context.Context) error {
	addr := a.cfg.Metrics.Listen
	if addr == "" {
		return nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listening on %s (metrics.listen): %w", addr, err)
	}
	a.figuresAt = l
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.meter.Handler(a.log))
	c := a.cfg.HTTP
	a.figures = &http.Server{
		Handler: mux, ReadHeaderTimeout: c.ReadHeaderTimeout.Std(), ReadTimeout: c.ReadTimeout.Std(),
		IdleTimeout: c.IdleTimeout.Std(), ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	a.serving.Go(func() {
		if err := a.figures.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("metrics server ended", "addr", l.Addr().String(), "err", err)
		}
	})
	a.log.Info("metrics at", "url", "http://"+l.Addr().String()+"/metrics")
	return nil
}

// metricsTimeout bounds what a stopping process waits for those who read its
// figures.
const metricsTimeout = time.Second

func (a *App) stopMetrics(ctx context.Context) error {
	if a.figures == nil {
		return nil
	}
	err := bounded(ctx, metricsTimeout, a.figures.Shutdown)
	if err != nil {
		err = a.figures.Close()
	}
	a.serving.Wait()
	return err
}

// MetricsAddr is the address that /metrics is served at beside an api's; empty
// where there is none.
func (a *App) MetricsAddr() string {
	if a.figuresAt == nil {
		return ""
	}
	return a.figuresAt.Addr().String()
}
