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
	"syscall"
	"time"

	"switchyard/api"
	"switchyard/api/ws"
	"switchyard/executions"
)

// listener is one of the addresses served.
type listener struct {
	net.Listener
	tls bool
}

// listen opens the configured addresses. An IPv6 loopback that the machine
// doesn't have is passed over if there is another address.
func (a *App) listen(ctx context.Context) error {
	h := a.cfg.HTTP
	if len(h.TLS.Listen) > 0 {
		c, err := newCertificate(h.TLS.Cert, h.TLS.Key, a.log.With("role", "api"))
		if err != nil {
			return a.cfg.Fault("http.tls.cert", "%v", err)
		}
		a.cert.Store(c)
	}
	var lc net.ListenConfig
	var passed error
	for i, addr := range slices.Concat(h.Listen, h.TLS.Listen) {
		key, tls := "http.listen", i >= len(h.Listen)
		if tls {
			key = "http.tls.listen"
		}
		l, err := lc.Listen(ctx, "tcp", addr)
		switch {
		case err == nil:
			a.listeners = append(a.listeners, listener{l, tls})
		case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
			a.log.Warn("this machine doesn't have the address; not listening on it", "addr", addr)
			passed = err
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("listening on %s: another program is using it; stop that one, or choose another address (%s): %w", addr, key, err)
		default:
			return fmt.Errorf("listening on %s (%s): %w", addr, key, err)
		}
	}
	if len(a.listeners) == 0 {
		return fmt.Errorf("no address to listen on (http.listen): %w", passed)
	}
	return nil
}

// Addrs are the addresses that the api listens on without TLS.
func (a *App) Addrs() []string { return a.addrs(false) }

// TLSAddrs are those with TLS.
func (a *App) TLSAddrs() []string { return a.addrs(true) }

func (a *App) addrs(tls bool) []string {
	out := []string{}
	for _, l := range a.listeners {
		if l.tls == tls {
			out = append(out, l.Addr().String())
		}
	}
	return out
}

func (a *App) startAPI() {
	log := a.log.With("role", "api")
	a.socket = ws.New(ws.Options{Config: a.cfg.WS, Guard: a.guard, Hub: a.hub, Redis: a.rdb, Log: a.quiet.With("role", "api"), Meter: a.meter, Version: a.opt.Version, Webhook: a.sendWebhook})
	a.api = api.New(api.Options{
		Config: a.cfg, Store: a.store, Registry: a.registry, Log: log, Toggles: a.opt.Files.Toggles(), Version: a.opt.Version, Ready: a.ready,
		Trading: a.trading, Intake: a.intake(), Socket: a.socket, Alerts: a.alertBook(), Strategies: a.catalog, Executions: executions.NewNumbers(a.rdb, a.cfg.Jobs.MaxPerType), StepLogs: a.stepLogs(), Started: a.up.Load, Access: a.guard, Meter: a.meter, Metrics: a.meter.Handler(log), Monitoring: a.openMonitoring(),
	})
	for _, l := range a.listeners {
		srv := a.server(log)
		serve, more := srv.Serve, []any{"addr", l.Addr().String()}
		if l.tls {
			srv.TLSConfig = a.cert.Load().config()
			serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
			more = append(more, "tls", true)
		}
		a.servers = append(a.servers, srv)
		a.serving.Go(func() {
			if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
				log.Error("http server ended", "addr", l.Addr().String(), "err", err)
			}
		})
		log.Info("listening", more...)
	}
}

// server bounds what a client may take of it: the size of a header, and the
// time for each part of a request. Without TLS it speaks HTTP/1.1, with it
// HTTP/2 too.
func (a *App) server(log *slog.Logger) *http.Server {
	c := a.cfg.HTTP
	return &http.Server{
		Handler: a.api, MaxHeaderBytes: c.MaxHeader, ReadHeaderTimeout: c.ReadHeaderTimeout.Std(), ReadTimeout: c.ReadTimeout.Std(),
		WriteTimeout: c.WriteTimeout.Std(), IdleTimeout: c.IdleTimeout.Std(), ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// ready says what stands against taking requests.
func (a *App) ready(ctx context.Context) error {
	if err := a.rdb.Ping(ctx).Err(); err != nil {
		a.log.Debug("redis does not answer", "err", err)
		return errors.New("redis is out of reach")
	}
	if a.has(Worker) && a.cfg.Host.Name != "" {
		select {
		case <-a.collected:
		default:
			return errors.New("the host's dongles have not been read yet")
		}
	}
	return nil
}

func (a *App) stopAPI(ctx context.Context) error {
	if a.api == nil {
		var errs []error
		for _, l := range a.listeners {
			errs = append(errs, l.Close())
		}
		return errors.Join(errs...)
	}
	a.api.StopWaiting()
	_ = bounded(ctx, a.cfg.HTTP.DrainTimeout.Std(), a.socket.Close) // never fails: who doesn't answer is cut
	// All at once: the time to drain is that of the whole process.
	errs := make([]error, len(a.servers))
	var draining sync.WaitGroup
	for i, srv := range a.servers {
		draining.Go(func() {
			if err := bounded(ctx, a.cfg.HTTP.DrainTimeout.Std(), srv.Shutdown); err != nil {
				// What is still under way is cut: its job goes on all the same.
				errs[i] = srv.Close()
			}
		})
	}
	draining.Wait()
	a.serving.Wait()
	return errors.Join(errors.Join(errs...), a.monitoring.Close())
}

func bounded(ctx context.Context, d time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return f(ctx)
}
