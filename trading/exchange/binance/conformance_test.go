package binance_test

import (
	"strconv"
	"testing"
	"time"

	"switchyard/configs"
	sim "switchyard/sim/exchanges/binance"
	"switchyard/trading/exchange"
	"switchyard/trading/exchange/binance"
	"switchyard/trading/exchange/exchangetest"
)

const (
	testKey    = "test-key-0123456789"
	testSecret = "test-secret-9876543210"
)

// start returns a simulated Binance and a client of it.
func start(t *testing.T, market exchange.Market, change func(*sim.Options, *binance.Options)) (*sim.Server, *binance.Client) {
	t.Helper()
	so := sim.Options{
		Accounts: []sim.Account{{Key: testKey, Secret: testSecret, Spot: map[string]string{"USDT": "10000", "BTC": "1"}, Futures: map[string]string{"USDT": "10000"}}},
		Prices:   map[string]string{"BTCUSDT": "95000", "ETHUSDT": "3000"},
	}
	co := binance.Options{Market: market, Key: configs.NewSecret(testKey), Secret: configs.NewSecret(testSecret)}
	if change != nil {
		change(&so, &co)
	}
	s, err := sim.Start(t.Context(), "127.0.0.1:0", so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	co.BaseURL = s.URL()
	c, err := binance.New(co)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return s, c
}

// Ensure spot does what is asked of every exchange.
func TestSpotConforms(t *testing.T) { conforms(t, exchange.Spot) }

// Ensure futures do what is asked of every exchange.
func TestFuturesConform(t *testing.T) { conforms(t, exchange.Futures) }

// Ensure an account that keeps long and short apart does.
func TestHedgedConforms(t *testing.T) {
	t.Parallel()
	exchangetest.RunHedged(t, world(exchange.Futures, true))
}

func conforms(t *testing.T, market exchange.Market) {
	t.Parallel()
	exchangetest.Run(t, world(market, false))
}

// world makes an exchange with nothing on it.
func world(market exchange.Market, hedge bool) func(*testing.T) exchangetest.World {
	return func(t *testing.T) exchangetest.World {
		t.Helper()
		s, c := start(t, market, func(o *sim.Options, _ *binance.Options) { o.Accounts[0].Hedge = hedge })
		where := sim.Spot
		if market == exchange.Futures {
			where = sim.Futures
		}
		// The next order, of whichever kind: only those are posted.
		next := func(f sim.Fault) {
			f.Method, f.Times = "POST", 1
			s.Fail(f)
		}
		return exchangetest.World{
			Exchange: c, Market: market,
			SetPrice: func(p string) {
				if err := s.SetPrice(where, exchangetest.Symbol, p); err != nil {
					t.Fatal(err)
				}
			},
			Taken:       func() int { return len(s.Ledger()) },
			LoseAnswer:  func() { next(sim.Fault{Done: true, Drop: true}) },
			CutAnswer:   func() { next(sim.Fault{Cut: true}) },
			LoseRequest: func() { next(sim.Fault{Drop: true}) },
			Break: func() {
				next(sim.Fault{Done: true, Status: 503, Code: -1007, Message: "Timeout waiting for response from backend server. Send status unknown; execution status unknown."})
			},
			Limit: func(n int) { next(sim.Fault{Status: 429, Code: -1003, RetryAfter: strconv.Itoa(n)}) },
			Ban:   func(n int) { next(sim.Fault{Status: 418, Code: -1003, RetryAfter: strconv.Itoa(n)}) },
			Skew:  func(d time.Duration) { s.SetSkew(d) },
			Fill:  func(part string) { next(sim.Fault{Fill: part}) },
		}
	}
}
