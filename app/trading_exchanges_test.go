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
	simbinance "switchyard/sim/exchanges/binance"
	simbybit "switchyard/sim/exchanges/bybit"
	"switchyard/sim/exchanges/matching"
	simokx "switchyard/sim/exchanges/okx"
)

// Ensure the accounts of one group at three exchanges trade, and are taken back by one
// webhook beside each other: none waits for another's exchange.
func TestThreeExchanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	prices, coins := map[string]string{"BTCUSDT": "95000"}, map[string]string{"USDT": "10000"}
	binance, err := simbinance.Start(b.ctx, "127.0.0.1:0", simbinance.Options{Prices: prices, Accounts: []simbinance.Account{{Key: canaryKey, Secret: canarySecret, Futures: coins}}})
	must(t, err)
	t.Cleanup(func() { must(t, binance.Close()) })
	bybit, err := simbybit.Start(b.ctx, "127.0.0.1:0", simbybit.Options{Prices: prices, Accounts: []simbybit.Account{{Key: canaryKey, Secret: canarySecret, Balances: coins}}})
	must(t, err)
	t.Cleanup(func() { must(t, bybit.Close()) })
	okx, err := simokx.Start(b.ctx, "127.0.0.1:0", simokx.Options{Prices: prices, Accounts: []simokx.Account{{Key: canaryKey, Secret: canarySecret, Passphrase: "phrase", Demo: true, Balances: coins}}})
	must(t, err)
	t.Cleanup(func() { must(t, okx.Close()) })

	p := b.start(t, b.config(func(c *configs.Config) {
		key, secret := configs.NewSecret(canaryKey), configs.NewSecret(canarySecret)
		c.Trading.Accounts = []configs.TradingAccount{
			{ID: 1, Name: "One", Exchange: "binance", Mode: "live", Key: key, Secret: secret, SpotURL: binance.URL(), FuturesURL: binance.URL()},
			{ID: 2, Name: "Two", Exchange: "bybit", Mode: "live", Key: key, Secret: secret, SpotURL: bybit.URL(), FuturesURL: bybit.URL()},
			{ID: 3, Name: "Three", Exchange: "okx", Mode: "demo", Key: key, Secret: secret, Passphrase: configs.NewSecret("phrase"), SpotURL: okx.URL(), FuturesURL: okx.URL()},
		}
		c.Trading.Groups = []configs.TradingGroup{{
			Name: "g", Tokens: []configs.TradingToken{{Hash: configs.HashAPIKey(canaryToken)}}, Accounts: []configs.TradingShare{{ID: 1}, {ID: 2}, {ID: 3}},
		}}
	}), app.API, app.Worker)
	for _, name := range []string{"BINANCE", "bybit", "OKX"} {
		for _, members := range []string{`"order_type":"LIMIT","side":"buy","price":80000,"qty_per":10`, `"order_type":"STOP_MARKET","side":"buy","stop_price":99000,"qty_per":10`} {
			body := strings.Replace(signal(canaryToken, members), `"exchange":"BINANCE"`, fmt.Sprintf(`"exchange":%q`, name), 1)
			b.wants(t, p, http.MethodPost, "/api/webhook?wait=10", body, 200, `"status":"PENDING"`)
		}
	}
	ledgers := func() map[string][]matching.Entry {
		return map[string][]matching.Entry{"binance": binance.Ledger(), "bybit": bybit.Ledger(), "okx": okx.Ledger()}
	}
	for name, l := range ledgers() {
		// 10 % of 10,000 USDT, less the reserve, at 80,000, by each exchange's steps.
		if len(l) != 2 || !strings.HasPrefix(l[0].Quantity, "0.012") {
			t.Errorf("%s took %+v", name, l)
		}
	}

	// Two exchanges don't answer cancellations; the third one's orders are taken back.
	binance.Fail(simbinance.Fault{Method: "DELETE", Hang: true})
	bybit.Fail(simbybit.Fault{Path: "/order/cancel", Hang: true})
	b.wants(t, p, http.MethodPost, "/api/webhook?wait=0", `{"group_name":"g","token":"`+canaryToken+`","order_type":"CANCEL_ALL_ORDER"}`, 200, `"total_cancelled_orders":0`)
	cancelled := func(name string) func() bool {
		return func() bool {
			for _, o := range ledgers()[name] {
				if o.Status != "CANCELED" {
					return false
				}
			}
			return true
		}
	}
	b.eventually(t, "OKX's orders are taken back", cancelled("okx"))
	for _, name := range []string{"binance", "bybit"} {
		if cancelled(name)() {
			t.Errorf("%s answered", name)
		}
	}
	binance.Recover()
	bybit.Recover()
	for _, name := range []string{"binance", "bybit"} {
		b.eventually(t, name+"'s orders are taken back, too", cancelled(name))
	}
}

// Ensure an exchange that shuts the address out is left alone, and people are told.
func TestBannedAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s, err := simbybit.Start(b.ctx, "127.0.0.1:0", simbybit.Options{
		Prices: map[string]string{"BTCUSDT": "95000"}, Accounts: []simbybit.Account{{Key: canaryKey, Secret: canarySecret, Balances: map[string]string{"USDT": "10000"}}},
	})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	p := b.start(t, b.config(func(c *configs.Config) {
		c.Trading.Accounts = []configs.TradingAccount{{ID: 1, Name: "One", Exchange: "bybit", Mode: "live", Key: configs.NewSecret(canaryKey), Secret: configs.NewSecret(canarySecret), SpotURL: s.URL(), FuturesURL: s.URL()}}
		c.Trading.Groups = []configs.TradingGroup{{Name: "g", Tokens: []configs.TradingToken{{Hash: configs.HashAPIKey(canaryToken)}}, Accounts: []configs.TradingShare{{ID: 1}}}}
		c.Trading.MaxAge.Other = configs.Duration(2 * time.Second)
	}), app.API, app.Worker)
	s.Fail(simbybit.Fault{Path: "/wallet-balance", Status: http.StatusForbidden, Message: "access too frequent"})
	body := strings.Replace(signal(canaryToken, `"order_type":"LIMIT","side":"buy","price":80000,"qty_per":10`), "BINANCE", "BYBIT", 1)
	b.wants(t, p, http.MethodPost, "/api/webhook?wait=10", body, 200, `"status":"FAILED"`)
	rdb := b.redis(t)
	b.eventually(t, "an alert is raised", func() bool {
		list, err := rdb.XRange(b.ctx, events.Alerts.Stream(), "-", "+").Result()
		return err == nil && len(list) > 0 && strings.Contains(fmt.Sprint(list[0].Values), `"subject":"bybit default"`) && strings.Contains(fmt.Sprint(list[0].Values), `"level":"critical"`)
	})
	asked := len(s.Calls())
	b.wants(t, p, http.MethodPost, "/api/webhook?wait=10", strings.Replace(body, "80000", "80001", 1), 200, `"status":"FAILED"`)
	if got := len(s.Calls()); got != asked {
		t.Errorf("asked %d times more while it was shut out", got-asked)
	}
}
