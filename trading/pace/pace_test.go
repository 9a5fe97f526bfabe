package pace_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/configs"
	"switchyard/limits"
	"switchyard/sim/redisserver"
	"switchyard/trading/exchange"
	"switchyard/trading/pace"
)

// setup returns two pacers, as of two workers behind one address.
func setup(t *testing.T) (ctx context.Context, a, b *pace.Pacer, rdb *redis.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "no"})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	rdb = redis.NewClient(&redis.Options{Addr: srv.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	one := func() *pace.Pacer {
		return &pace.Pacer{Limits: limits.New(rdb), Address: func() string { return "default" }, Log: slog.New(slog.DiscardHandler)}
	}
	return ctx, one(), one(), rdb
}

func account(id int) configs.TradingAccount {
	return configs.TradingAccount{ID: id, Exchange: "binance"}
}

// ready asks for a turn, and says whether there is one within a moment.
func ready(ctx context.Context, h exchange.Hooks, c exchange.Call) bool {
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	return h.Before(ctx, c) == nil
}

var order = exchange.Call{Name: "POST /api/v3/order", Weight: 1, Orders: 1, Changes: true}

// Ensure workers share what an account may order, and accounts don't.
func TestOrdersOfAnAccount(t *testing.T) {
	t.Parallel()
	ctx, a, b, _ := setup(t)
	ha, hb := a.Hooks(account(1), exchange.Spot), b.Hooks(account(1), exchange.Spot)
	n := 0
	for ; n < 200 && ready(ctx, []exchange.Hooks{ha, hb}[n%2], order); n++ {
	}
	if n < 40 || n >= 100 {
		t.Errorf("%d orders at once, the exchange takes 100 in 10 s", n)
	}
	if !ready(ctx, b.Hooks(account(2), exchange.Spot), order) || !ready(ctx, a.Hooks(account(1), exchange.Futures), order) {
		t.Error("another account, or another market, has to wait for it")
	}
}

// Ensure accounts behind one address share its weight.
func TestWeightOfAnAddress(t *testing.T) {
	t.Parallel()
	ctx, a, b, _ := setup(t)
	heavy := exchange.Call{Name: "GET /fapi/v1/positionSide/dual", Weight: 30}
	n := 0
	for ; n < 100 && ready(ctx, []*pace.Pacer{a, b}[n%2].Hooks(account(n), exchange.Futures), heavy); n++ {
	}
	if n*30 > 2400 || n*30 < 240 {
		t.Errorf("weight of %d at once, the exchange takes 2400 a minute", n*30)
	}
	b.Address = func() string { return "other" }
	if !ready(ctx, b.Hooks(account(1), exchange.Futures), heavy) {
		t.Error("another address has to wait for it")
	}
}

// Ensure refusals stop whom they mean, in all workers.
func TestRefused(t *testing.T) {
	t.Parallel()
	refusal := func(kind error, account bool) error {
		return &exchange.Error{Kind: kind, Account: account, RetryAfter: time.Hour}
	}
	for _, tt := range []struct {
		name string
		err  error
		// Who may still go on.
		same, question, otherAccount, otherMarket bool
	}{
		{"orders of the account", refusal(exchange.ErrRate, true), false, true, true, true},
		{"weight of the address", refusal(exchange.ErrRate, false), false, false, false, true},
		{"address shut out", refusal(exchange.ErrBanned, false), false, false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, a, b, _ := setup(t)
			banned := atomic.Bool{}
			a.Banned = func(name, address string, d time.Duration) {
				banned.Store(name == "binance" && address == "default" && d == time.Hour)
			}
			a.Hooks(account(1), exchange.Spot).Refused(tt.err)
			got := []bool{
				ready(ctx, b.Hooks(account(1), exchange.Spot), order),
				ready(ctx, b.Hooks(account(1), exchange.Spot), exchange.Call{Weight: 1}),
				ready(ctx, b.Hooks(account(2), exchange.Spot), order),
				ready(ctx, b.Hooks(account(1), exchange.Futures), order),
			}
			for i, want := range []bool{tt.same, tt.question, tt.otherAccount, tt.otherMarket} {
				if got[i] != want {
					t.Errorf("%d: goes on %v, want %v", i, got[i], want)
				}
			}
			if banned.Load() != errors.Is(tt.err, exchange.ErrBanned) {
				t.Error("who is to be told of a ban")
			}
		})
	}
}

// Ensure a limit of the address stops requests, too, that don't count against it: who
// goes on asking after a 429 is shut out.
func TestRefused_weightless(t *testing.T) {
	t.Parallel()
	ctx, a, b, _ := setup(t)
	free := exchange.Call{Name: "POST /fapi/v1/order", Orders: 1, Changes: true}
	if !ready(ctx, b.Hooks(account(1), exchange.Futures), free) {
		t.Fatal("waits for nothing")
	}
	a.Hooks(account(1), exchange.Futures).Refused(&exchange.Error{Kind: exchange.ErrRate, RetryAfter: time.Hour})
	if ready(ctx, b.Hooks(account(2), exchange.Futures), free) {
		t.Error("an order goes on")
	}
	if !ready(ctx, b.Hooks(account(1), exchange.Spot), free) {
		t.Error("another market, which is counted by itself, waits")
	}
}

// Ensure what the exchange says has been used counts, whoever used it.
func TestObserve(t *testing.T) {
	t.Parallel()
	ctx, a, b, _ := setup(t)
	h := a.Hooks(account(1), exchange.Spot)
	h.Observe(exchange.Usage{Limit: "weight", Per: time.Minute, Used: 4000})
	if !ready(ctx, h, order) {
		t.Error("waits though much is left")
	}
	// Of a day, which doesn't end while a test runs.
	h.Observe(exchange.Usage{Limit: "orders", Per: 24 * time.Hour, Used: 199_000})
	if ready(ctx, b.Hooks(account(1), exchange.Spot), order) {
		t.Error("orders though nothing is left")
	}
}

// Ensure the time that is waited is told, the guard is asked after it, and its error
// comes back as it is.
func TestWaited(t *testing.T) {
	t.Parallel()
	ctx, a, _, rdb := setup(t)
	h := a.Hooks(account(1), exchange.Spot)
	rate := limits.Rate{Name: "exchange:binance:SPOT:account:1:orders10s", Events: 50, Per: 10 * time.Second, Burst: 40}
	if err := limits.New(rdb).Freeze(ctx, 300*time.Millisecond, rate); err != nil {
		t.Fatal(err)
	}
	no := errors.New("too late")
	counted, waited := pace.Waited(exchange.Guarded(ctx, func(context.Context, exchange.Call) error { return no }))
	if err := h.Before(counted, order); !errors.Is(err, no) {
		t.Errorf("the guard said %v", err)
	}
	if d := waited(); d < 200*time.Millisecond {
		t.Errorf("waited %s", d)
	}
}

// Ensure who would have to wait for long is told for how long.
func TestLater(t *testing.T) {
	t.Parallel()
	ctx, a, _, _ := setup(t)
	h := a.Hooks(account(1), exchange.Spot)
	h.Refused(&exchange.Error{Kind: exchange.ErrBanned, RetryAfter: time.Hour})
	err := h.Before(ctx, order)
	later, ok := errors.AsType[*limits.LaterError](err)
	if !ok || later.After < 59*time.Minute {
		t.Errorf("%+v", later)
	}
	// Whoever knows exchanges alone, such as Settle, has to know it for what it is.
	if !errors.Is(err, exchange.ErrRate) || exchange.RetryAfter(err) != later.After {
		t.Errorf("%v: no limit that ends", err)
	}
}
