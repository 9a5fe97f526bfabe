package okx_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchyard/configs"
	"switchyard/sim/exchanges/matching"
	sim "switchyard/sim/exchanges/okx"
	"switchyard/trading/exchange"
	"switchyard/trading/exchange/exchangetest"
	"switchyard/trading/exchange/okx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey    = "test-key-0123456789"
	testSecret = "test-secret-9876543210"
	testPhrase = "test-phrase-5555555555"
)

// start returns a simulated OKX and a client of it.
func start(t *testing.T, market exchange.Market, change func(*sim.Options, *okx.Options)) (*sim.Server, *okx.Client) {
	t.Helper()
	so := sim.Options{
		Accounts: []sim.Account{{Key: testKey, Secret: testSecret, Passphrase: testPhrase, Balances: map[string]string{"USDT": "10000", "BTC": "1"}}},
		Prices:   map[string]string{"BTCUSDT": "95000", "ETHUSDT": "3000"}, Orders: 1000,
	}
	co := okx.Options{Market: market, Key: configs.NewSecret(testKey), Secret: configs.NewSecret(testSecret), Passphrase: configs.NewSecret(testPhrase)}
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
	c, err := okx.New(co)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return s, c
}

// Ensure spot does what is asked of every exchange.
func TestSpotConforms(t *testing.T) { conforms(t, exchange.Spot) }

// Ensure swaps do what is asked of every exchange.
func TestSwapsConform(t *testing.T) { conforms(t, exchange.Futures) }

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
		s, c := start(t, market, func(o *sim.Options, _ *okx.Options) { o.Accounts[0].Hedge = hedge })
		where := matching.Spot
		if market == exchange.Futures {
			where = matching.Futures
		}
		// The next order, of whichever kind: what is looked up first isn't posted.
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
				next(sim.Fault{Done: true, Status: 200, Code: "50004", Message: "Endpoint request timeout (does not indicate success or failure of order, please check order status)"})
			},
			// OKX never says for how long; see TestRate.
			Skew: func(d time.Duration) { s.SetSkew(d) },
			Fill: func(part string) { next(sim.Fault{Fill: part}) },
		}
	}
}
