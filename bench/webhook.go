package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"switchyard/app"
	"switchyard/configs"
	simbinance "switchyard/sim/exchanges/binance"
	"switchyard/tasks"
)

const (
	// webhookAlerts is what the exchange's limits take at once, so that none waits for
	// its turn there: that is not what is measured.
	webhookAlerts = 24
	webhookPause  = 50 * time.Millisecond
	webhookP50    = 5 * time.Millisecond
	webhookP99    = 25 * time.Millisecond
	webhookToken  = "token-of-bench"
)

// webhook measures the time from the sending of an alert until the exchange gets the
// first request because of it: over HTTP, with the api and a worker in one process and
// the exchange simulated in the same, idle otherwise.
func webhook(ctx context.Context, o options) ([]row, error) {
	var p50, p99 []time.Duration
	for range o.rounds {
		took, err := webhookRound(ctx, o)
		if err != nil {
			return nil, err
		}
		p50, p99 = append(p50, percentile(took, 50)), append(p99, percentile(took, 99))
	}
	line := func(what string, ours, target time.Duration) row {
		return row{what: what, ours: millis(ours), target: "<= " + millis(target), verdict: atMost(ours, target)}
	}
	return []row{
		line("webhook to exchange, p50", median(p50), webhookP50),
		line("webhook to exchange, p99", median(p99), webhookP99),
	}, nil
}

func webhookRound(ctx context.Context, o options) (took []time.Duration, err error) {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return nil, err
	}
	defer srv.Stop()
	sim, err := simbinance.Start(ctx, "127.0.0.1:0", simbinance.Options{
		Accounts: []simbinance.Account{{Key: "k", Secret: "s", Futures: map[string]string{"USDT": "100000000"}}},
		Prices:   map[string]string{"BTCUSDT": "95000"}, Weight: 1_000_000,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	log, closer, err := newLog()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	a, err := app.New(app.Options{Config: webhookConfig(srv.Addr(), sim.URL()), Roles: []app.Role{app.API, app.Worker}, Log: log, Version: "bench"})
	if err != nil {
		return nil, err
	}
	if err := a.Start(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Stop(context.WithoutCancel(ctx))) }()
	endProfile, err := profileTo(o.profile)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, endProfile()) }()
	client := &http.Client{Timeout: startWait}
	defer client.CloseIdleConnections()
	const warm = 3
	for i := range webhookAlerts + warm {
		d, err := webhookOnce(ctx, client, a.Addrs()[0], sim, i)
		if err != nil {
			return nil, err
		}
		if i >= warm {
			took = append(took, d)
		}
		if err := pause(ctx, webhookPause); err != nil {
			return nil, err
		}
	}
	return took, nil
}

func webhookConfig(redisAddr, exchangeURL string) *configs.Config {
	c := configs.Default()
	c.Redis.Addr = redisAddr
	c.HTTP.Listen = []string{"127.0.0.1:0"}
	c.HTTP.RateLimit.PerSecond = 0
	c.Worker.Queues = []string{tasks.QueueTrading}
	c.Trading.Accounts = []configs.TradingAccount{{
		ID: 1, Name: "bench", Exchange: "binance", Mode: "live", Key: configs.NewSecret("k"), Secret: configs.NewSecret("s"), SpotURL: exchangeURL, FuturesURL: exchangeURL,
	}}
	c.Trading.Groups = []configs.TradingGroup{{
		Name: "bench", Tokens: []configs.TradingToken{{Hash: configs.HashAPIKey(webhookToken)}}, Accounts: []configs.TradingShare{{ID: 1}},
	}}
	return c
}

// webhookOnce sends an alert, and returns how long after that the exchange was asked
// for the first time. It returns when the order is through.
func webhookOnce(ctx context.Context, client *http.Client, addr string, sim *simbinance.Server, n int) (time.Duration, error) {
	before := len(sim.Calls())
	body := fmt.Sprintf(`{"group_name":"bench","token":%q,"exchange":"BINANCE","market_type":"FUTURES","currency":"USDT","symbol":"BTCUSDT","order_type":"LIMIT","side":"buy","price":80000,"qty_per":0.001,"note":%d}`, webhookToken, n)
	if n%10 == 9 { // or no more orders may be open
		body = fmt.Sprintf(`{"group_name":"bench","token":%q,"order_type":"CANCEL_ALL_ORDER"}`, webhookToken)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/api/webhook", bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, err
	}
	sent := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if answer, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		return 0, errors.Join(err, fmt.Errorf("an alert was answered %d: %s", res.StatusCode, answer))
	}
	calls := sim.Calls()
	if len(calls) <= before {
		return 0, errors.New("an alert brought no request to the exchange")
	}
	first := calls[before].At
	for _, c := range calls[before:] { // they stand in the order they were answered
		if c.At.Before(first) {
			first = c.At
		}
	}
	return first.Sub(sent), nil
}
