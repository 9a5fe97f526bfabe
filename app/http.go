package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"switchyard/api"
)

// leaveTimeout bounds what is said to Redis on the way out.
const leaveTimeout = 3 * time.Second

// listen opens the configured addresses. An IPv6 loopback that the machine
// doesn't have is passed over if there is another address.
func (a *App) listen(ctx context.Context) error {
	var lc net.ListenConfig
	var passed error
	for _, addr := range a.cfg.HTTP.Listen {
		l, err := lc.Listen(ctx, "tcp", addr)
		switch {
		case err == nil:
			a.listeners = append(a.listeners, l)
		case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
			a.log.Warn("this machine doesn't have the address; not listening on it", "addr", addr)
			passed = err
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("listening on %s: another program is using it; stop that one, or choose another address (http.listen): %w", addr, err)
		default:
			return fmt.Errorf("listening on %s (http.listen): %w", addr, err)
		}
	}
	if len(a.listeners) == 0 {
		return fmt.Errorf("no address to listen on (http.listen): %w", passed)
	}
	return nil
}

// Addrs are the addresses that the api listens on.
func (a *App) Addrs() []string {
	out := make([]string, len(a.listeners))
	for i, l := range a.listeners {
		out[i] = l.Addr().String()
	}
	return out
}

func (a *App) startAPI() {
	log := a.log.With("role", "api")
	a.api = api.New(api.Options{
		Config: a.cfg, Store: a.store, Registry: a.registry, Log: log, Version: a.opt.Version, Ready: a.ready,
		Started: a.up.Load, Meter: a.meter, Metrics: a.meter.Handler(log), Monitoring: a.openMonitoring(),
	})
	c := a.cfg.HTTP
	for _, l := range a.listeners {
		srv := &http.Server{
			Handler: a.api, ReadHeaderTimeout: c.ReadHeaderTimeout.Std(), ReadTimeout: c.ReadTimeout.Std(),
			IdleTimeout: c.IdleTimeout.Std(), ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		}
		a.servers = append(a.servers, srv)
		a.serving.Go(func() {
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				log.Error("http server ended", "addr", l.Addr().String(), "err", err)
			}
		})
		log.Info("listening", "addr", l.Addr().String())
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
	var errs []error
	for _, srv := range a.servers {
		if err := bounded(ctx, a.cfg.HTTP.DrainTimeout.Std(), srv.Shutdown); err != nil {
			// What is still under way is cut: its job goes on all the same.
			errs = append(errs, srv.Close())
		}
	}
	a.serving.Wait()
	return errors.Join(append(errs, a.monitoring.Close())...)
}

func bounded(ctx context.Context, d time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return f(ctx)
}
