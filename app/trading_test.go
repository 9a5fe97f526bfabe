package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/events"
	"switchyard/jobs"
	simbinance "switchyard/sim/exchanges/binance"
)

const (
	canaryKey    = "canary-exchange-key-51aa"
	canarySecret = "canary-exchange-secret-90cd"
	canaryToken  = "canary-webhook-token-3f77"
)

// trades has a configuration trade on a simulated exchange (account 1) and on paper
// (account 2).
func trades(s *simbinance.Server) func(*configs.Config) {
	return func(c *configs.Config) {
		c.Trading.Accounts = []configs.TradingAccount{
			{ID: 1, Name: "Main Account", Exchange: "binance", Mode: "live", Key: configs.NewSecret(canaryKey), Secret: configs.NewSecret(canarySecret), SpotURL: s.URL(), FuturesURL: s.URL()},
			{ID: 2, Name: "Paper", Exchange: "binance", Mode: "paper", Paper: configs.TradingPaper{Prices: "deterministic"}},
		}
		c.Trading.Groups = []configs.TradingGroup{{
			Name: "g", Tokens: []configs.TradingToken{{Hash: configs.HashAPIKey(canaryToken)}}, Accounts: []configs.TradingShare{{ID: 1}, {ID: 2}},
		}}
		c.Trading.FollowInterval = configs.Duration(time.Second)
	}
}

// signal is the body of a webhook of group g.
func signal(token, members string) string {
	return fmt.Sprintf(`{"group_name":"g","token":%q,"exchange":"BINANCE","market_type":"FUTURES","currency":"USDT","symbol":"BTCUSDT",%s}`, token, members)
}

// Ensure alerts become orders on an exchange and on paper, are taken back, looked
// after, logged and told, by processes with no more rights in Redis than their own,
// and that no secret gets into Redis.
func TestTrading(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s, err := simbinance.Start(b.ctx, "127.0.0.1:0", simbinance.Options{
		Accounts: []simbinance.Account{{Key: canaryKey, Secret: canarySecret, Futures: map[string]string{"USDT": "10000"}}},
		Prices:   map[string]string{"BTCUSDT": "95000"},
	})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	api := b.start(t, b.config(b.user(t, "api", jobs.APIAccess()), trades(s)), app.API)
	workers := b.config(b.user(t, "worker", jobs.WorkerAccess()), trades(s))
	b.start(t, workers, app.Worker)

	limit := b.wants(t, api, http.MethodPost, "/api/webhook", signal(canaryToken, `"order_type":"LIMIT","side":"buy","price":80000,"qty_per":5`), 200, `"status":"PENDING"`)
	if n := strings.Count(limit, `"status":"PENDING"`); n != 2 || len(s.Ledger()) != 1 {
		t.Errorf("%d orders at the exchange; answer %s", len(s.Ledger()), limit)
	}
	b.wants(t, api, http.MethodPost, "/api/webhook", signal(canaryToken, `"order_type":"MARKET","side":"buy","qty_per":5`), 200, `"status":"FILLED"`)
	// One that is filled later is noticed.
	b.wants(t, api, http.MethodPost, "/api/webhook", signal(canaryToken, `"order_type":"LIMIT","side":"buy","price":94000,"qty_per":5`), 200, `"status":"PENDING"`)
	b.wants(t, api, http.MethodPost, "/api/webhook", `{"group_name":"g","token":"`+canaryToken+`","order_type":"CANCEL_ALL_ORDER"}`, 200, `"total_cancelled_orders":4`)
	b.wants(t, api, http.MethodGet, "/api/v1/webhook-logs?group=g", "", 200, `"action":"cancel_all_orders"`)
	b.wants(t, api, http.MethodGet, "/metrics", "", 200, "switchyard_webhooks_total")

	rdb := b.redis(t)
	b.eventually(t, "every change of an order is an event", func() bool {
		n, err := rdb.XLen(b.ctx, events.Orders.Stream()).Result()
		return err == nil && n >= 10
	})
	keys, err := rdb.Keys(b.ctx, "*").Result()
	must(t, err)
	for _, k := range keys {
		dump, err := rdb.Dump(b.ctx, k).Result()
		must(t, err)
		for _, secret := range []string{canaryKey, canarySecret, canaryToken} {
			if strings.Contains(dump, secret) {
				t.Errorf("%s is in %s", secret, k)
			}
		}
	}
	for _, d := range b.denied(t) {
		t.Errorf("Redis denied %s", d)
	}
}

// Ensure a reload takes over groups and tokens at once: the new token is good, the old
// one isn't, and a group that pauses trades no more.
func TestTradingReload(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s, err := simbinance.Start(b.ctx, "127.0.0.1:0", simbinance.Options{
		Accounts: []simbinance.Account{{Key: canaryKey, Secret: canarySecret, Futures: map[string]string{"USDT": "10000"}}},
		Prices:   map[string]string{"BTCUSDT": "95000"},
	})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	p := b.start(t, b.config(trades(s)), app.API, app.Worker)
	const members = `"order_type":"LIMIT","side":"buy","price":80000,"qty_per":5`
	b.wants(t, p, http.MethodPost, "/api/webhook", signal(canaryToken, members), 200, `"PENDING"`)
	b.wants(t, p, http.MethodPost, "/api/webhook", signal("another-token", members), 401, "토큰")

	p.Reload(b.config(trades(s), func(c *configs.Config) {
		c.Trading.Groups[0].Tokens[0].Hash = configs.HashAPIKey("another-token")
		c.Trading.Accounts[1].State = configs.TradingPaused
	}))
	b.wants(t, p, http.MethodPost, "/api/webhook", signal(canaryToken, members+`,"n":1`), 401, "토큰")
	b.wants(t, p, http.MethodPost, "/api/webhook", signal("another-token", members), 200, `"total_accounts":1`)

	p.Reload(b.config(trades(s), func(c *configs.Config) { c.Trading.Groups[0].State = configs.TradingPaused }))
	b.wants(t, p, http.MethodPost, "/api/webhook", signal(canaryToken, members+`,"n":2`), 404, "활성 전략")
}
