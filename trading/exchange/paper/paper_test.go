package paper_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"switchyard/configs"
	"switchyard/sim/redisserver"
	"switchyard/trading/exchange"
	"switchyard/trading/exchange/exchangetest"
	"switchyard/trading/exchange/paper"
)

var server *redisserver.Server

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "paper")
	if err != nil {
		panic(err)
	}
	if server, err = redisserver.Start(context.Background(), redisserver.Options{Dir: dir, Fsync: "no"}); err != nil {
		panic(err)
	}
	code := m.Run()
	server.Stop()
	_ = os.RemoveAll(dir)
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// prices are one that a test sets.
type prices struct {
	mu sync.Mutex
	p  decimal.Decimal
}

func (p *prices) Price(context.Context, string) (decimal.Decimal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.p, nil
}

func (p *prices) set(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.p = exchangetest.D(s)
}

// ids gives each test an account of its own.
var ids atomic.Int64

func d(s string) configs.Decimal { return configs.DecimalOf(exchangetest.D(s)) }

func account(change func(*configs.TradingAccount)) configs.TradingAccount {
	a := configs.TradingAccount{
		ID: int(ids.Add(1)), Exchange: "binance", Mode: "paper",
		Paper: configs.TradingPaper{MakerFee: d("0"), TakerFee: d("0"), Balances: map[string]configs.Decimal{"USDT": d("10000")}},
	}
	if change != nil {
		change(&a)
	}
	return a
}

func client(t *testing.T) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Ensure a paper account does what is asked of every exchange, on both markets and by
// the rules of each exchange.
func TestConforms(t *testing.T) {
	t.Parallel()
	for _, market := range []exchange.Market{exchange.Spot, exchange.Futures} {
		for _, venue := range []string{"binance", "bybit", "okx"} {
			t.Run(venue+" "+string(market), func(t *testing.T) {
				t.Parallel()
				exchangetest.Run(t, func(t *testing.T) exchangetest.World {
					p := &prices{}
					p.set("95000")
					taken := 0
					a := account(func(a *configs.TradingAccount) {
						a.Exchange = venue
						if market == exchange.Spot {
							a.Paper.Balances["BTC"] = d("1")
						}
					})
					x := paper.New(paper.Options{Account: a, Market: market, Redis: client(t), Prices: p})
					w := exchangetest.World{Exchange: &counted{Exchange: x, taken: &taken}, Market: market, SetPrice: p.set}
					w.Taken = w.Exchange.(*counted).count
					return w
				})
			})
		}
	}
}

// counted counts the orders that were taken.
type counted struct {
	*paper.Exchange
	mu    sync.Mutex
	taken *int
}

func (c *counted) Place(ctx context.Context, o exchange.Order) (exchange.State, error) {
	s, err := c.Exchange.Place(ctx, o)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		*c.taken++
	}
	return s, err
}

func (c *counted) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.taken
}

// clock is one that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func at(x string) *clock {
	t, err := time.Parse(time.RFC3339, x)
	if err != nil {
		panic(err)
	}
	return &clock{t: t}
}

// Ensure the made-up price begins where it should, stays in its range, moves, and is
// the same in every process.
func TestMadeUpPrice(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), at("2026-11-26T09:00:00Z")
	a := account(nil)
	one := paper.New(paper.Options{Account: a, Market: exchange.Futures, Redis: client(t), Now: c.now})
	other := paper.New(paper.Options{Account: a, Market: exchange.Futures, Redis: client(t), Now: c.now})
	seen := map[string]bool{}
	for i := range 3000 {
		p, err := one.Price(ctx, "BTCUSDT")
		q, err2 := other.Price(ctx, "BTCUSDT")
		if err != nil || err2 != nil || !p.Equal(q) {
			t.Fatalf("%s and %s: %v, %v", p, q, err, err2)
		}
		if i == 0 && !p.Equal(exchangetest.D("95000")) {
			t.Errorf("it begins at %s", p)
		}
		if p.LessThan(exchangetest.D("90000")) || p.GreaterThan(exchangetest.D("100000")) {
			t.Fatalf("%s after %d steps", p, i)
		}
		seen[p.String()] = true
		c.forward(time.Duration(1+i%7*997) * time.Second)
	}
	if len(seen) < 1000 {
		t.Errorf("%d different prices of 3000", len(seen))
	}
}

// Ensure orders are filled where the made-up price has crossed them while nobody
// looked, at their own price, once, and that who looked before sees the same.
func TestFillsOnThePath(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), at("2026-11-26T09:00:00Z")
	x := paper.New(paper.Options{Account: account(nil), Market: exchange.Futures, Redis: client(t), Now: c.now})
	place := func(o exchange.Order) {
		t.Helper()
		o.Symbol, o.Quantity = "BTCUSDT", exchangetest.D("0.01")
		if s, err := x.Place(ctx, o); err != nil || s.Status != exchange.Pending {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	place(exchange.Order{ClientID: "low", Side: exchange.Buy, Type: exchange.LimitOrder, Price: exchangetest.D("94900")})
	place(exchange.Order{ClientID: "high", Side: exchange.Sell, Type: exchange.LimitOrder, Price: exchangetest.D("95100")})
	place(exchange.Order{ClientID: "stop", Side: exchange.Buy, Type: exchange.StopMarket, StopPrice: exchangetest.D("95050")})
	place(exchange.Order{ClientID: "never", Side: exchange.Buy, Type: exchange.LimitOrder, Price: exchangetest.D("78000")})
	c.forward(2 * time.Hour)
	for id, want := range map[string]exchange.Status{"low": exchange.Filled, "high": exchange.Filled, "stop": exchange.Filled, "never": exchange.Pending} {
		s, err := x.Query(ctx, exchange.Ref{Symbol: "BTCUSDT", ClientID: id})
		if err != nil || s.Status != want {
			t.Errorf("%s: %+v, %v", id, s, err)
		}
		if id == "low" && !s.AveragePrice.Equal(exchangetest.D("94900")) || id == "high" && !s.AveragePrice.Equal(exchangetest.D("95100")) {
			t.Errorf("%s was filled at %s", id, s.AveragePrice)
		}
	}
	list, err := x.Positions(ctx, "BTCUSDT")
	if err != nil || len(list) != 1 || !list[0].Quantity.Equal(exchangetest.D("0.01")) {
		t.Errorf("positions %+v, %v", list, err)
	}
}

// Ensure what is won, lost and paid in fees is all that a round of trades changes, and
// that what is free is never below zero, whatever is ordered.
func TestMoneyIsConserved(t *testing.T) {
	t.Parallel()
	for _, market := range []exchange.Market{exchange.Spot, exchange.Futures} {
		for _, hedge := range []bool{false, market == exchange.Futures} {
			t.Run(fmt.Sprint(market, hedge), func(t *testing.T) {
				t.Parallel()
				ctx, p := t.Context(), &prices{}
				p.set("95000")
				a := account(func(a *configs.TradingAccount) {
					a.Paper.Hedge, a.Paper.MakerFee, a.Paper.TakerFee, a.Leverage = hedge, d("0.02"), d("0.05"), d("3")
				})
				x := paper.New(paper.Options{Account: a, Market: market, Redis: client(t), Prices: p})
				random := rand.New(rand.NewPCG(1, uint64(len(market))))
				price := exchangetest.D("95000")
				for i := range 150 {
					price = price.Add(decimal.NewFromInt(random.Int64N(401) - 200))
					p.set(price.String())
					o := exchange.Order{
						ClientID: fmt.Sprint("o", i), Symbol: "BTCUSDT", Side: []exchange.Side{exchange.Buy, exchange.Sell}[random.IntN(2)], Type: exchange.MarketOrder,
						Quantity: decimal.New(1+random.Int64N(40), -3),
					}
					if hedge {
						o.PositionSide = []exchange.PositionSide{exchange.Long, exchange.Short}[random.IntN(2)]
					}
					if random.IntN(3) == 0 {
						o.Type, o.Price = exchange.LimitOrder, price.Add(decimal.NewFromInt(random.Int64N(201)-100))
					}
					if _, err := x.Place(ctx, o); err != nil && !errors.Is(err, exchange.ErrFunds) && !errors.Is(err, exchange.ErrRefused) && !errors.Is(err, exchange.ErrMinimum) {
						t.Fatal(err)
					}
					b, err := x.Balance(ctx, "USDT")
					if err != nil || b.Free.IsNegative() || b.Free.GreaterThan(b.Total) && b.Total.IsPositive() {
						t.Fatalf("after %d orders %+v, %v", i, b, err)
					}
				}
				// Everything is sold at one price; the account is worth what it had, less
				// fees and what prices did, which is bounded.
				open, err := x.OpenOrders(ctx, "")
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range open {
					if _, err := x.Cancel(ctx, s.Ref()); err != nil {
						t.Fatal(err)
					}
				}
				list, err := x.Positions(ctx, "BTCUSDT")
				if err != nil {
					t.Fatal(err)
				}
				for i, held := range list {
					o := exchange.Order{ClientID: fmt.Sprint("end", i), Symbol: "BTCUSDT", Side: exchange.Sell, Type: exchange.MarketOrder, Quantity: held.Available, PositionSide: held.Side}
					if held.Quantity.IsNegative() {
						o.Side = exchange.Buy
					}
					o.ReduceOnly = market == exchange.Futures && !hedge
					if _, err := x.Place(ctx, o); err != nil {
						t.Fatal(err)
					}
				}
				b, err := x.Balance(ctx, "USDT")
				if err != nil || !b.Free.Equal(b.Total) || b.Total.LessThan(exchangetest.D("8000")) || b.Total.GreaterThan(exchangetest.D("12000")) {
					t.Errorf("at the end %+v, %v", b, err)
				}
			})
		}
	}
}

// Ensure two processes that look at the same moment fill an order once.
func TestFilledOnce(t *testing.T) {
	t.Parallel()
	ctx, p := t.Context(), &prices{}
	p.set("95000")
	a := account(nil)
	var all []*paper.Exchange
	for range 4 {
		all = append(all, paper.New(paper.Options{Account: a, Market: exchange.Futures, Redis: client(t), Prices: p}))
	}
	for i := range 10 {
		o := exchange.Order{ClientID: fmt.Sprint("o", i), Symbol: "BTCUSDT", Side: exchange.Buy, Type: exchange.LimitOrder, Quantity: exchangetest.D("0.002"), Price: exchangetest.D("94000")}
		if _, err := all[0].Place(ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	p.set("93000")
	var wg sync.WaitGroup
	for _, x := range all {
		wg.Go(func() {
			if err := x.Advance(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	list, err := all[0].Positions(ctx, "BTCUSDT")
	if err != nil || len(list) != 1 || !list[0].Quantity.Equal(exchangetest.D("0.02")) || !list[0].EntryPrice.Equal(exchangetest.D("94000")) {
		t.Errorf("%+v, %v", list, err)
	}
}

// Ensure orders fit the position mode, and a guard has the last word.
func TestRefused(t *testing.T) {
	t.Parallel()
	ctx, p := t.Context(), &prices{}
	p.set("95000")
	one := paper.New(paper.Options{Account: account(nil), Market: exchange.Futures, Redis: client(t), Prices: p})
	hedged := paper.New(paper.Options{Account: account(func(a *configs.TradingAccount) { a.Paper.Hedge = true }), Market: exchange.Futures, Redis: client(t), Prices: p})
	o := exchange.Order{ClientID: "a", Symbol: "BTCUSDT", Side: exchange.Buy, Type: exchange.MarketOrder, Quantity: exchangetest.D("0.01")}
	if _, err := hedged.Place(ctx, o); !errors.Is(err, exchange.ErrPositionMode) {
		t.Errorf("no side in hedge mode: %v", err)
	}
	o.PositionSide = exchange.Long
	if _, err := one.Place(ctx, o); !errors.Is(err, exchange.ErrPositionMode) {
		t.Errorf("a side in one-way mode: %v", err)
	}
	o.PositionSide, o.ReduceOnly = exchange.OneWay, true
	if _, err := one.Place(ctx, o); !errors.Is(err, exchange.ErrRefused) {
		t.Errorf("nothing to reduce: %v", err)
	}
	o.ReduceOnly = false
	no := errors.New("not mine any more")
	guarded := paper.New(paper.Options{
		Account: account(nil), Market: exchange.Futures, Redis: client(t), Prices: p,
		Hooks: exchange.Hooks{Before: exchange.Guard},
	})
	if _, err := guarded.Place(exchange.Guarded(ctx, func(context.Context, exchange.Call) error { return no }), o); !errors.Is(err, no) {
		t.Errorf("the guard said no: %v", err)
	}
	if list, err := guarded.Positions(ctx, "BTCUSDT"); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// Ensure Redis being away is told apart from an order that may have been placed.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	defer c.Close()
	x := paper.New(paper.Options{Account: account(nil), Market: exchange.Spot, Redis: c})
	if _, err := x.Balance(t.Context(), "USDT"); !errors.Is(err, exchange.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}
