package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"switchyard/configs"
	simcloudflare "switchyard/sim/cloudflare"
	simhilink "switchyard/sim/hilink"
	"switchyard/sim/receiver"
	"switchyard/sim/redisserver"
	simtelegram "switchyard/sim/telegram"
)

// The simulated host.
const (
	demoHost     = "demo"
	demoServerIP = "198.51.100.7"
	demoFirst    = 11
	demoDongles  = 8
	demoReattach = 2 * time.Second
	// demoWait is how long the demo's own toggle may take.
	demoWait = 60 * time.Second
	// demoEcho is what the dongles ask for their address. Behind every
	// simulated modem, whatever is asked is answered with its own.
	demoEcho = "http://ip.example.com/"
)

// DemoOptions of a Demo.
type DemoOptions struct {
	// Listen are the API's addresses. Empty: the configuration's defaults.
	Listen []string
	// Receiver is where callbacks are received. Empty: any free loopback port.
	Receiver string
	// Cloudflare is where the simulated one is. Empty: any free loopback port.
	Cloudflare string
	// Telegram is where the simulated one is. Empty: any free loopback port.
	Telegram string
	Log      *slog.Logger
	Version  string
}

// Demo is everything in one process on loopback: an app of all roles, an
// embedded Redis, a simulated host with its modems, a simulated Cloudflare and
// Telegram, and a callback receiver.
type Demo struct {
	App        *App
	Receiver   *receiver.Receiver
	Modems     []*simhilink.Modem
	Cloudflare *simcloudflare.Server
	Telegram   *simtelegram.Server
	Config     *configs.Config
	// Redis says in words which Redis it is.
	Redis string
	// RedisAddr is where it listens.
	RedisAddr string

	dir   string
	stops []func() error // in the order they were started
}

// StartDemo starts everything and returns when it is ready.
func StartDemo(ctx context.Context, opt DemoOptions) (*Demo, error) {
	d := &Demo{}
	if err := d.start(ctx, opt); err != nil {
		return nil, errors.Join(err, d.Stop(context.WithoutCancel(ctx)))
	}
	return d, nil
}

func (d *Demo) start(ctx context.Context, opt DemoOptions) error {
	var err error
	if d.dir, err = os.MkdirTemp("", "switchyard-demo-"); err != nil {
		return fmt.Errorf("making a directory for the demo: %w", err)
	}
	d.stops = append(d.stops, func() error { return os.RemoveAll(d.dir) })
	if err := d.startRedis(ctx); err != nil {
		return err
	}
	addr := opt.Receiver
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	if d.Receiver, err = receiver.Start(ctx, addr); err != nil {
		return err
	}
	d.stops = append(d.stops, d.Receiver.Close)

	c := configs.Default()
	d.Config = c
	c.Redis.Addr = d.RedisAddr
	if len(opt.Listen) > 0 {
		c.HTTP.Listen = opt.Listen
	}
	c.Host.Name, c.Host.ServerIP, c.Host.EchoURLs = demoHost, demoServerIP, []string{demoEcho}
	c.Host.StateDir = filepath.Join(d.dir, "state")
	c.Worker.Queues = []string{"trading", "delivery", "interactive", "strategy", "default"}
	c.Delivery.Allow = []string{"127.0.0.0/8", "::1/128"}
	c.Callbacks.Toggle = []configs.ToggleReceiver{{
		Name: "demo", StartURL: d.Receiver.URL() + "/toggle/start", ResultURL: d.Receiver.URL() + "/toggle/result",
	}}
	c.Push.Receivers = []configs.PushReceiver{
		{Name: "proxy", URL: d.Receiver.URL() + "/api/proxy"}, {Name: "sync", URL: d.Receiver.URL() + "/sync/dongle"},
	}
	for n := demoFirst; n < demoFirst+demoDongles; n++ {
		m := simhilink.New(simhilink.Options{Subnet: n, Reattach: demoReattach, Seed: 1})
		if err := m.Start(ctx); err != nil {
			return fmt.Errorf("starting simulated modem %d: %w", n, err)
		}
		d.stops = append(d.stops, func() error { m.Close(); return nil })
		d.Modems = append(d.Modems, m)
		c.Host.Dongles = append(c.Host.Dongles, configs.Dongle{Subnet: n, Modem: m.URL(), Gateway: m.Gateway()})
	}
	if err := d.startCloudflare(ctx, opt.Cloudflare, &c.Cloudflare); err != nil {
		return err
	}
	if err := d.startTelegram(ctx, opt.Telegram, &c.Telegram); err != nil {
		return err
	}
	demoTrading(&c.Trading)
	if err := d.makeProject(ctx, &c.Deployments, opt.Log); err != nil {
		return err
	}
	c.Webhooks.Templates = []configs.WebhookTemplate{{ID: "posco_news_alert", Text: "{title}\n{url}\n{timestamp}"}}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("the demo's configuration: %w", err)
	}
	d.App, err = New(Options{Config: c, Roles: Roles(), Log: opt.Log, Version: opt.Version, Embedded: true})
	if err != nil {
		return err
	}
	if err := d.App.Start(ctx); err != nil {
		return err
	}
	return d.App.AwaitReady(ctx)
}

func (d *Demo) startRedis(ctx context.Context) error {
	if redisserver.Available() {
		s, err := redisserver.Start(ctx, redisserver.Options{Dir: d.dir, Fsync: "everysec"})
		if err != nil {
			return err
		}
		d.stops = append(d.stops, func() error { s.Stop(); return nil })
		d.RedisAddr = s.Addr()
		d.Redis = "redis-server from the PATH, with a data directory that goes when the demo ends"
		return nil
	}
	e, err := redisserver.StartEmbedded()
	if err != nil {
		return err
	}
	d.stops = append(d.stops, func() error { e.Stop(); return nil })
	d.RedisAddr = e.Addr()
	d.Redis = "in this process (no redis-server on the PATH): jobs are gone when the demo ends"
	return nil
}

// Stop stops everything, the last started first. ctx bounds it.
func (d *Demo) Stop(ctx context.Context) error {
	var errs []error
	if d.App != nil {
		errs = append(errs, d.App.Stop(ctx))
	}
	for i := len(d.stops) - 1; i >= 0; i-- {
		errs = append(errs, d.stops[i]())
	}
	d.stops = nil
	return errors.Join(errs...)
}

// readyPoll is how often AwaitReady looks.
const readyPoll = 10 * time.Millisecond

// AwaitReady waits until the app would answer /readyz with 200.
func (a *App) AwaitReady(ctx context.Context) error {
	t := time.NewTicker(readyPoll)
	defer t.Stop()
	for {
		err := a.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", errors.Join(context.Cause(ctx), err))
		case <-t.C:
		}
	}
}
