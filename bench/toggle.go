package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/sim/hilink"
	"switchyard/tasks"
)

const (
	toggleReattach = 2 * time.Second
	toggleBeyond   = 300 * time.Millisecond
	toggleTogether = 1.2
	toggleWait     = 60 // seconds that a request waits
)

// toggle measures a toggle by HTTP through the whole app, from the request to
// the result in its answer, on simulated modems that are back on the network
// two seconds after a change of mode.
//
// What the modem needs is taken from its own ledger: from the first write that
// it accepted until it was attached for good. The stricter row takes the two
// seconds alone off; it counts what we need between the two writes of a toggle
// as ours, which the first one counts as the modem's.
func toggle(ctx context.Context, o options) (rows []row, err error) {
	t, err := startToggler(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.stop(ctx)) }()
	var one, beyond, strict, together []time.Duration
	var ratios []float64
	for i := range o.rounds {
		single, modem, err := t.toggleOne(ctx, i%len(t.modems))
		if err != nil {
			return nil, err
		}
		all, err := t.toggleAll(ctx)
		if err != nil {
			return nil, err
		}
		one, beyond, strict = append(one, single), append(beyond, single-modem), append(strict, single-toggleReattach)
		together, ratios = append(together, all), append(ratios, float64(all)/float64(single))
	}
	r := median(ratios)
	line := func(what string, ours []time.Duration) row {
		return row{
			what: what, ours: millis(median(ours)), against: "whole toggle " + millis(median(one)),
			ratio:  ratio(float64(median(ours)) / float64(median(one))),
			target: "<= " + millis(toggleBeyond), verdict: atMost(median(ours), toggleBeyond),
		}
	}
	return []row{
		line("toggle, beyond the modem's time", beyond),
		line("toggle, beyond its 2 s off the air", strict),
		{
			what: fmt.Sprintf("toggle, %d at once", len(t.modems)), ours: millis(median(together)), against: "one " + millis(median(one)),
			ratio: ratio(r), target: fmt.Sprintf("<= %.1f", toggleTogether), verdict: atMost(r, toggleTogether),
		},
	}, nil
}

// toggler is an app of all roles with a full host of simulated modems.
type toggler struct {
	app    *app.App
	client *http.Client
	modems []*hilink.Modem
	stops  []func(context.Context) error // in the order they were started
}

func startToggler(ctx context.Context, o options) (*toggler, error) {
	t := &toggler{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	if err := t.start(ctx, o); err != nil {
		return nil, errors.Join(err, t.stop(ctx))
	}
	return t, nil
}

func (t *toggler) start(ctx context.Context, o options) error {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return err
	}
	t.stops = append(t.stops, func(context.Context) error { srv.Stop(); return nil })
	log, closer, err := newLog()
	if err != nil {
		return err
	}
	t.stops = append(t.stops, func(context.Context) error { return closer.Close() })
	c := configs.Default()
	c.Redis.Addr = srv.Addr()
	c.HTTP.Listen = []string{"127.0.0.1:0"}
	c.HTTP.RateLimit.PerSecond = 0
	c.Host.Name, c.Host.ServerIP = benchHost(0)
	c.Host.EchoURLs = []string{"http://ip.example.com/"}
	c.Host.StateDir = filepath.Join(o.dir, "state")
	c.Worker.Queues = []string{tasks.QueueDelivery, tasks.QueueDefault}
	modems, stop, err := startModems(ctx, tasks.MaxSubnet-tasks.MinSubnet+1)
	if err != nil {
		return err
	}
	t.stops = append(t.stops, stop)
	t.modems = modems
	c.Host.Dongles = dongles(modems)
	if err := c.Validate(); err != nil {
		return fmt.Errorf("the configuration: %w", err)
	}
	if t.app, err = app.New(app.Options{Config: c, Roles: app.Roles(), Log: log, Version: "bench"}); err != nil {
		return err
	}
	if err := t.app.Start(ctx); err != nil {
		return err
	}
	t.stops = append(t.stops, t.app.Stop)
	return t.app.AwaitReady(ctx)
}

func (t *toggler) stop(ctx context.Context) error {
	t.client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveLimit)
	defer cancel()
	var errs []error
	for i := len(t.stops) - 1; i >= 0; i-- {
		errs = append(errs, t.stops[i](ctx))
	}
	return errors.Join(errs...)
}

// startModems starts simulated modems with subnets from the first on.
func startModems(ctx context.Context, n int) ([]*hilink.Modem, func(context.Context) error, error) {
	var list []*hilink.Modem
	stop := func(context.Context) error {
		for _, m := range list {
			m.Close()
		}
		return nil
	}
	for i := range n {
		m := hilink.New(hilink.Options{Subnet: tasks.MinSubnet + i, Reattach: toggleReattach, Seed: 1})
		if err := m.Start(ctx); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("starting simulated modem %d: %w", tasks.MinSubnet+i, err), stop(ctx))
		}
		list = append(list, m)
	}
	return list, stop, nil
}

// dongles is how a configuration names the modems.
func dongles(modems []*hilink.Modem) []configs.Dongle {
	var out []configs.Dongle
	for i, m := range modems {
		out = append(out, configs.Dongle{Subnet: tasks.MinSubnet + i, Modem: m.URL(), Gateway: m.Gateway()})
	}
	return out
}

// toggleOne toggles the i-th dongle and returns how long the request took, and
// how much of that was the modem's.
func (t *toggler) toggleOne(ctx context.Context, i int) (took, modem time.Duration, err error) {
	m := t.modems[i]
	before, seen := m.Address(), len(m.Ledger())
	body := fmt.Sprintf(`{"port":%d,"wait":%d}`, tasks.Port(tasks.MinSubnet+i), toggleWait)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+t.app.Addrs()[0]+togglePath, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, 0, fmt.Errorf("writing the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	began := time.Now()
	res, err := t.client.Do(req)
	if err != nil {
		return 0, 0, fmt.Errorf("asking for a toggle: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	took = time.Since(began)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the result: %w", err)
	}
	var result tasks.ToggleResult
	if res.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("the answer has status %d: %s", res.StatusCode, answer)
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return 0, 0, fmt.Errorf("reading the result: %w", err)
	}
	now := m.Address()
	if !result.Success || result.IP == nil || *result.IP != now.String() || now == before {
		return 0, 0, fmt.Errorf("the toggle of %s ended with %s: %s", before, now, answer)
	}
	modem, err = ownTime(m.Ledger()[seen:])
	return took, modem, err
}

// ownTime is the modem's part of a toggle: from the first write that it accepted
// until it was attached.
func ownTime(ledger []hilink.Entry) (time.Duration, error) {
	var first, attached time.Time
	for _, e := range ledger {
		switch {
		case first.IsZero() && strings.HasPrefix(e.What, "net-mode "):
			first = e.At
		case strings.HasPrefix(e.What, "attached "):
			attached = e.At
		}
	}
	if first.IsZero() || attached.Before(first) {
		return 0, fmt.Errorf("the modem's ledger has no toggle: %v", ledger)
	}
	return attached.Sub(first), nil
}

// toggleAll toggles every dongle at once and returns how long the slowest took.
func (t *toggler) toggleAll(ctx context.Context) (time.Duration, error) {
	var wg sync.WaitGroup
	errs := make([]error, len(t.modems))
	began := time.Now()
	for i := range t.modems {
		wg.Go(func() { _, _, errs[i] = t.toggleOne(ctx, i) })
	}
	wg.Wait()
	return time.Since(began), errors.Join(errs...)
}
