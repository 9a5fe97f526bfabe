package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/tasks"
)

const (
	// demoLimit bounds start, toggle and callbacks together.
	demoLimit = 60 * time.Second
	// demoLeave bounds the stop.
	demoLeave = 30 * time.Second
)

func (e *env) demoCommand() *cobra.Command {
	var once, verbose bool
	var opt app.DemoOptions
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run everything on this machine against a simulated proxy host",
		Long: `Run everything in one process on loopback: the server with all its roles, a Redis
of its own, a simulated proxy host with 8 modems, a simulated Cloudflare and Telegram, and
a callback receiver. One toggle is shown with its callbacks; then it runs on until Ctrl-C.

With --once: one toggle, and what came of it as one JSON document.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			level := "warn"
			if verbose {
				level = "debug"
			}
			opt.Version, opt.Log = version, e.logger(configs.Log{Level: level})
			// A terminal that is closed ends the demo in order, too.
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
			defer stop()
			if once {
				if !verbose {
					opt.Log = slog.New(slog.DiscardHandler)
				}
				if len(opt.Listen) == 0 {
					opt.Listen = []string{"127.0.0.1:0"}
				}
				return e.demoOnce(ctx, opt)
			}
			return e.demoGuided(ctx, opt)
		},
	}
	c.Flags().BoolVar(&once, "once", false, "toggle once, print the outcome as JSON, and end")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the whole log")
	c.Flags().StringSliceVar(&opt.Listen, "listen", nil, "addresses of the API (default: ports 8080 and 8000 on loopback; with --once, any free port)")
	c.Flags().StringVar(&opt.Cloudflare, "cloudflare", "", "address of the simulated Cloudflare (default: any free loopback port)")
	c.Flags().StringVar(&opt.Telegram, "telegram", "", "address of the simulated Telegram (default: any free loopback port)")
	c.Flags().StringVar(&opt.Receiver, "receiver", "", "address of the callback receiver (default: any free loopback port)")
	return c
}

// onceDocument is the outcome of demo --once.
type onceDocument struct {
	Result    json.RawMessage    `json:"result"`
	Callbacks []app.DemoCallback `json:"callbacks"`
}

func (e *env) demoOnce(ctx context.Context, opt app.DemoOptions) (err error) {
	ctx, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	d, err := app.StartDemo(ctx, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopDemo(ctx, d)) }()
	t, err := d.Toggle(ctx)
	if err != nil {
		return err
	}
	b, err := json.Marshal(onceDocument{Result: t.Result, Callbacks: t.Callbacks})
	if err != nil {
		return fmt.Errorf("writing the outcome: %w", err)
	}
	if _, err := fmt.Fprintln(e.stdout, string(b)); err != nil {
		return err
	}
	return t.Err()
}

func stopDemo(ctx context.Context, d *app.Demo) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoLeave)
	defer cancel()
	return d.Stop(ctx)
}

func (e *env) demoGuided(ctx context.Context, opt app.DemoOptions) (err error) {
	say := func(format string, a ...any) { fmt.Fprintf(e.stdout, format+"\n", a...) }
	startCtx, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	d, err := app.StartDemo(startCtx, opt)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w\nAnother demo may be running. Other addresses: switchyard demo --listen 127.0.0.1:8081", err)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // Ctrl-C before there was anything to show
	}
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, stopDemo(ctx, d))
		say("Stopped.")
	}()
	api := d.URL()
	say("Switchyard demo: everything runs in this process, on loopback only.\n")
	say("  API          %s", strings.Join(prefixed("http://", d.App.Addrs()), "  "))
	say("  Receiver     %s/_received lists the callbacks", d.Receiver.URL())
	say("  Cloudflare   %s (simulated); its /_sim/rules and /_sim/ledger show what it was told", strings.TrimSuffix(d.Cloudflare.URL(), "/client/v4"))
	say("  Telegram     %s (simulated); its /_sim/messages shows what chats were sent", d.Telegram.URL())
	say("  Redis        %s: %s", d.RedisAddr, d.Redis)
	say("  Host         %s, %s, dongles %d to %d (simulated; back on the network 2 s after a switch)\n",
		d.Config.Host.Name, d.Config.Host.ServerIP, d.Config.Host.Dongles[0].Subnet, d.Config.Host.Dongles[len(d.Config.Host.Dongles)-1].Subnet)

	first := d.Config.Host.Dongles[0].Subnet
	say("1. Toggle dongle %d, which has the address %s:\n", first, d.Modems[0].Address())
	say("   curl -X POST %s/api/v1/proxies/toggle -H 'Content-Type: application/json' -d '{\"port\": %d, \"wait\": 60}'\n", d.URL(), tasks.Port(first))
	began := time.Now()
	t, err := d.Toggle(startCtx)
	if ctx.Err() != nil {
		say("\nStopping…")
		return nil
	}
	if err != nil {
		return err
	}
	say("   %s", t.Result)
	say("   %s became %s in %.1f s.\n", t.Before, t.After, time.Since(began).Seconds())
	say("2. The receiver was told, of the start and of the result:\n")
	for _, c := range t.Callbacks {
		verdict := "as specified"
		if c.Fault != "" {
			verdict = "NOT as specified: " + c.Fault
		}
		say("   POST %s  (webhook-id %s; %s)", c.Path, c.Headers["Webhook-Id"], verdict)
		say("   %s\n", c.Body)
	}
	say("3. Now you:\n")
	say("   curl %s/toggle/12           # waits, and answers with the outcome", api)
	say("   curl %s/status              # all dongles", api)
	say("   curl %s/api/v1/jobs         # what was done", api)
	say("   switchyard push --server %s   # the status that the host posts every minute", api)
	say("   curl -X POST '%s/api/v1/cf/block?ip=192.0.2.44&chat_id=-12345678'   # has Cloudflare block an address", api)
	say("   curl -X POST %s/api/webhook -d '{\"group_name\":\"test1\",\"token\":\"your_webhook_token\",\"exchange\":\"BINANCE\",\"market_type\":\"FUTURES\","+
		"\"currency\":\"USDT\",\"symbol\":\"BTCUSDT\",\"order_type\":\"MARKET\",\"side\":\"buy\",\"qty_per\":5}'   # a trading alert, on paper", api)
	if len(d.Config.Deployments.Pipelines) > 0 {
		say("   curl -X POST %s/api/v1/deployments -H 'Content-Type: application/json' -d '{\"project\": \"%s\", \"wait\": 60}'   # deploys a project", api, d.Config.Deployments.Pipelines[0].Project)
	}
	say("   curl %s/_sim/say -d '{\"chat\": \"%s\", \"text\": \"/toggle 13\"}'   # a chat tells the bot, …", d.Telegram.URL(), app.DemoChat)
	say("   curl %s/_sim/messages       # … and is told", d.Telegram.URL())
	say("   curl %s/_received           # what the receiver got", d.Receiver.URL())
	say("   switchyard modem signal --url %s   # what modem %d says itself\n", d.Modems[0].URL(), first)
	say("Ctrl-C ends it.")
	<-ctx.Done()
	say("\nStopping…")
	return nil
}

func prefixed(prefix string, list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = prefix + s
	}
	return out
}
