package main

import (
	"context"
	"errors"
	"math/rand/v2"

	simbinance "switchyard/sim/exchanges/binance"
	simbybit "switchyard/sim/exchanges/bybit"
	"switchyard/sim/exchanges/matching"
	simokx "switchyard/sim/exchanges/okx"
)

// venue is a simulated exchange of the trading suite.
type venue struct {
	name string
	sim  interface {
		URL() string
		Ledger() []matching.Entry
		Recover()
		Close() error
	}
	// ways are the faults that it can have, each for one request; ban shuts the address
	// out, where the exchange says for how long.
	ways []func()
	ban  func()
}

// passphrase is that of every account at OKX.
const passphrase = "chaos-phrase"

// openVenues starts the exchanges, each with the keys that fall to it.
func openVenues(ctx context.Context) (out []venue, err error) {
	coins := map[string]string{"USDT": "1000000", "BTC": "10"}
	prices := map[string]string{"BTCUSDT": "95000"}
	var binance simbinance.Options
	var bybit simbybit.Options
	var okx simokx.Options
	binance.Prices, bybit.Prices, okx.Prices = prices, prices, prices
	for i := range tradingAccounts {
		key, secret := keyOf(i)
		switch exchangeOf(i) {
		case "binance":
			binance.Accounts = append(binance.Accounts, simbinance.Account{Key: key, Secret: secret, Spot: coins, Futures: map[string]string{"USDT": "1000000"}})
		case "bybit":
			bybit.Accounts = append(bybit.Accounts, simbybit.Account{Key: key, Secret: secret, Balances: coins})
		case "okx":
			okx.Accounts = append(okx.Accounts, simokx.Account{Key: key, Secret: secret, Passphrase: passphrase, Balances: coins})
		}
	}
	const addr = "127.0.0.1:0"
	defer func() {
		if err != nil {
			err = errors.Join(err, closeVenues(out))
		}
	}()
	b, err := simbinance.Start(ctx, addr, binance)
	if err != nil {
		return out, err
	}
	out = append(out, venue{"binance", b, binanceWays(b), func() {
		b.Fail(simbinance.Fault{Method: "GET", Times: 1, Status: 418, Code: -1003, RetryAfter: "2", Message: "Way too many requests."})
	}})
	y, err := simbybit.Start(ctx, addr, bybit)
	if err != nil {
		return out, err
	}
	out = append(out, venue{"bybit", y, bybitWays(y), nil})
	o, err := simokx.Start(ctx, addr, okx)
	if err != nil {
		return out, err
	}
	return append(out, venue{"okx", o, okxWays(o), nil}), nil
}

func closeVenues(list []venue) (err error) {
	for _, v := range list {
		err = errors.Join(err, v.sim.Close())
	}
	return err
}

// exchangeOf is where the account of this index is.
func exchangeOf(i int) string { return []string{"binance", "bybit", "okx"}[i%3] }

// ledgers are the orders of all exchanges.
func ledgers(list []venue) (out []matching.Entry) {
	for _, v := range list {
		out = append(out, v.sim.Ledger()...)
	}
	return out
}

func binanceWays(s *simbinance.Server) (out []func()) {
	for _, f := range []simbinance.Fault{
		{Method: "POST", Done: true, Drop: true},
		{Method: "POST", Cut: true},
		{Method: "POST", Drop: true},
		{Method: "POST", Done: true, Status: 503, Code: -1007, Message: "Timeout waiting for response from backend server."},
		{Method: "POST", Status: 503, Code: -1008, Message: "Server is currently overloaded with other requests."},
		{Method: "POST", Status: 429, Code: -1003, RetryAfter: "1", Message: "Too many requests."},
		{Method: "POST", Status: 429, Code: -1015, RetryAfter: "1", Message: "Too many new orders."},
		{Method: "GET", Drop: true},
	} {
		f.Times = 1
		out = append(out, func() { s.Fail(f) })
	}
	return out
}

func bybitWays(s *simbybit.Server) (out []func()) {
	for _, f := range []simbybit.Fault{
		{Method: "POST", Done: true, Drop: true},
		{Method: "POST", Cut: true},
		{Method: "POST", Drop: true},
		{Method: "POST", Done: true, Status: 200, Code: 10016, Message: "Server error."},
		{Method: "POST", Done: true, Status: 502, Message: "bad gateway"},
		{Method: "POST", Status: 200, Code: 10019, Message: "busy"},
		{Method: "POST", Status: 200, Code: 10006, Message: "Too many visits. Exceeded the API Rate Limit.", Reset: 1},
		{Path: "/order/create", Hidden: 5},
		{Method: "GET", Drop: true},
	} {
		f.Times = 1
		out = append(out, func() { s.Fail(f) })
	}
	return out
}

func okxWays(s *simokx.Server) (out []func()) {
	for _, f := range []simokx.Fault{
		{Method: "POST", Done: true, Drop: true},
		{Method: "POST", Cut: true},
		{Method: "POST", Drop: true},
		{Method: "POST", Done: true, Status: 200, Code: "50004", Message: "Endpoint request timeout"},
		{Method: "POST", Done: true, Status: 502, Message: "bad gateway"},
		{Method: "POST", Status: 200, Code: "50013", Message: "System is busy, please try again later."},
		{Method: "POST", Status: 429, Code: "50011", Message: "Rate limit reached."},
		{Path: "/trade/order", Method: "POST", Hidden: 5},
		{Method: "GET", Drop: true},
	} {
		f.Times = 1
		out = append(out, func() { s.Fail(f) })
	}
	return out
}

// breakOne has the next request at one of the exchanges go wrong. A ban is rare: it stops
// everybody.
func breakOne(random *rand.Rand, list []venue, n int) {
	v := list[random.IntN(len(list))]
	if n%60 == 59 && v.ban != nil {
		v.ban()
		return
	}
	v.ways[random.IntN(len(v.ways))]()
}
