package bybit_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchyard/configs"
	sim "switchyard/sim/exchanges/bybit"
	"switchyard/sim/exchanges/matching"
	"switchyard/trading/exchange"
	"switchyard/trading/exchange/bybit"
	"switchyard/trading/exchange/exchangetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey    = "test-key-0123456789"
	testSecret = "test-secret-9876543210"
)

// start returns a simulated Bybit and a client of it.
func start(t *testing.T, market exchange.Market, change func(*sim.Options, *bybit.Options)) (*sim.Server, *bybit.Client) {
	t.Helper()
	so := sim.Options{
		Accounts: []sim.Account{{Key: testKey, Secret: testSecret, Balances: map[string]string{"USDT": "10000", "BTC": "1"}}},
		Prices:   map[string]string{"BTCUSDT": "95000", "ETHUSDT": "3000"}, OrdersPerSecond: 1000, Requests: 10_000,
	}
	co := bybit.Options{Market: market, Key: configs.NewSecret(testKey), Secret: configs.NewSecret(testSecret)}
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
	c, err := bybit.New(co)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return s, c
}

// Ensure spot does what is asked of every exchange.
func TestSpotConforms(t *testing.T) { conforms(t, exchange.Spot) }

// Ensure linear contracts do what is asked of every exchange.
func TestLinearConforms(t *testing.T) { conforms(t, exchange.Futures) }

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
		s, c := start(t, market, func(o *sim.Options, _ *bybit.Options) { o.Accounts[0].Hedge = hedge })
		where := matching.Spot
		if market == exchange.Futures {
			where = matching.Futures
		}
		// The next order, of whichever kind.
		next := func(f sim.Fault) {
			f.Method, f.Path, f.Times = "POST", "/order/create", 1
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
				next(sim.Fault{Done: true, Status: 200, Code: 10016, Message: "Internal System Error."})
			},
			Limit: func(n int) {
				next(sim.Fault{Status: 200, Code: 10006, Message: "Too many visits. Exceeded the API Rate Limit.", Reset: n})
			},
			// A ban lasts as long as Bybit likes; see TestBan.
			Skew: func(d time.Duration) { s.SetSkew(d) },
			Fill: func(part string) { next(sim.Fault{Fill: part}) },
		}
	}
}
