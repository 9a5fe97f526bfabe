package execution_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"

	"switchyard/configs"
	"switchyard/events"
	sim "switchyard/sim/exchanges/binance"
	"switchyard/sim/exchanges/matching"
	simokx "switchyard/sim/exchanges/okx"
	"switchyard/sim/redisserver"
	"switchyard/tasks"
	"switchyard/trading/book"
	"switchyard/trading/exchange"
	"switchyard/trading/execution"
	"switchyard/trading/signal"
	"switchyard/trading/venue"
)

// bench is a trader with one account at a simulated Binance.
type bench struct {
	ctx    context.Context
	sim    *sim.Server
	trader *execution.Trader
	book   *book.Book
	rdb    *redis.Client
	config configs.Trading
	mu     sync.Mutex
	ahead  time.Duration // of the clock that all share
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Add(b.ahead)
}

func setup(t *testing.T) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "no"})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	rdb := redis.NewClient(&redis.Options{Addr: srv.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	s, err := sim.Start(ctx, "127.0.0.1:0", sim.Options{
		Accounts: []sim.Account{{Key: "k", Secret: "s", Spot: map[string]string{"USDT": "10000", "BTC": "1"}, Futures: map[string]string{"USDT": "10000"}}},
		Prices:   map[string]string{"BTCUSDT": "95000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b := &bench{ctx: ctx, sim: s, book: book.New(rdb), rdb: rdb}
	b.config = configs.Default().Trading
	b.config.Accounts = []configs.TradingAccount{{
		ID: 1, Name: "Main Account", Exchange: "binance", Mode: "live", Key: configs.NewSecret("k"), Secret: configs.NewSecret("s"), SpotURL: s.URL(), FuturesURL: s.URL(),
	}}
	b.config.Groups = []configs.TradingGroup{{Name: "g", Accounts: []configs.TradingShare{{ID: 1}}}}
	v := venue.New(venue.Options{Redis: rdb})
	t.Cleanup(v.Close)
	b.trader = &execution.Trader{
		Venues: v, Book: b.book, Config: func() configs.Trading { return b.config }, Now: b.now, Window: time.Second, Log: slog.New(slog.DiscardHandler),
	}
	return b
}

// ask makes a payload of a webhook's body.
func (b *bench) ask(t *testing.T, body string) tasks.TradePayload {
	t.Helper()
	m, err := signal.Parse([]byte(`{"group_name":"g","token":"x","exchange":"BINANCE","currency":"USDT","symbol":"BTCUSDT",` + body + `}`))
	if err != nil {
		t.Fatal(err)
	}
	a, err := m.Admit(open{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Values()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return tasks.TradePayload{Webhook: "w", Group: "g", Account: 1, Received: b.now(), Signal: doc}
}

type open struct{}

func (open) Active(string) bool          { return true }
func (open) Accepts(string, string) bool { return true }

// record is a job as Redis has it, and how often it may still be written.
type record struct {
	id       string
	progress json.RawMessage
	checks   int // how many more checks succeed; negative: all
	notes    int
}

var errDied = errors.New("the worker died")

func (r *record) job() execution.Job {
	return execution.Job{
		ID: r.id, Progress: r.progress,
		Check: func(context.Context) error {
			if r.checks == 0 {
				return errDied
			}
			r.checks--
			return nil
		},
		Note: func(_ context.Context, p any) error {
			if r.notes == 0 {
				return errDied
			}
			r.notes--
			doc, err := json.Marshal(p)
			r.progress = doc
			return err
		},
	}
}

func healthy(id string) *record { return &record{id: id, checks: -1, notes: -1} }

func (b *bench) trade(t *testing.T, p tasks.TradePayload, r *record) []tasks.TradeOrder {
	t.Helper()
	so, err := b.trader.Trade(b.ctx, p, r.job())
	if err != nil {
		t.Fatalf("%v: %+v", err, so)
	}
	return so.Orders
}

// shown is what became of orders, in a line each.
func shown(orders []tasks.TradeOrder) string {
	var lines []string
	for _, o := range orders {
		l := fmt.Sprintf("%d %s %s %s %s at %s", o.Index, o.Status, o.Side, o.Quantity, o.Type, o.Price)
		if !o.StopPrice.IsZero() {
			l += " from " + o.StopPrice.String()
		}
		if o.Error != "" {
			l += ": " + o.Error
		}
		lines = append(lines, l)
	}
	return strings.Join(lines, "\n")
}

const (
	futures = `"market_type":"FUTURES",`
	spot    = `"market_type":"SPOT",`
)

// Ensure orders of every type on both markets are sized, placed and told as they are.
func TestTrade(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, want string }{
		{"market", futures + `"order_type":"MARKET","side":"buy","qty_per":10`, "0 FILLED buy 0.01 MARKET at 95000"},
		{"limit", futures + `"order_type":"LIMIT","side":"buy","price":"80000","qty_per":5`, "0 PENDING buy 0.006 LIMIT at 80000"},
		{"stop limit", futures + `"order_type":"STOP_LIMIT","side":"sell","price":105000,"stop_price":104000,"qty_per":25`,
			"0 PENDING sell 0.023 STOP_LIMIT at 105000 from 104000"},
		{"stop market", futures + `"order_type":"STOP_MARKET","side":"buy","stop_price":94000,"qty_per":25`, "0 PENDING buy 0.026 STOP_MARKET at 95000 from 94000"},
		{"a stop at the price", futures + `"order_type":"STOP_MARKET","side":"buy","stop_price":95000,"qty_per":25`, "0 FILLED buy 0.026 MARKET at 95000"},
		{"batch", futures + `"order_type":"LIMIT","side":"buy","orders":[{"price":78000,"qty_per":3},{"price":77000,"qty_per":4},{"price":76000,"qty_per":5}]`,
			"0 PENDING buy 0.003 LIMIT at 78000\n1 PENDING buy 0.005 LIMIT at 77000\n2 PENDING buy 0.006 LIMIT at 76000"},
		{"one of a batch fails", futures + `"order_type":"LIMIT","side":"buy","orders":[{"price":78000,"qty_per":0.01},{"price":77000,"qty_per":4}]`,
			"0 FAILED  0 LIMIT at 78000: the quantity of 0.00001275 BTC is below the minimum of 0.001 BTC\n1 PENDING buy 0.005 LIMIT at 77000"},
		{"spot market", spot + `"order_type":"MARKET","side":"buy","qty_per":10`, "0 FILLED buy 0.01047 MARKET at 95000"},
		{"spot sell", spot + `"order_type":"MARKET","side":"sell","qty_per":50`, "0 FILLED sell 0.5 MARKET at 95000"},
		{"nothing to close", futures + `"order_type":"MARKET","side":"sell","qty_per":-100`, "0 FAILED  0 MARKET at 0: sell BTCUSDT: nothing is held that the order could close"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			got := b.trade(t, b.ask(t, tt.body), healthy("j"))
			if shown(got) != tt.want {
				t.Errorf("got\n%s\nwant\n%s", shown(got), tt.want)
			}
			placed := 0
			for _, o := range got {
				if o.Status.Placed() {
					placed++
					if o.OrderID == "" || o.Sent == nil || !strings.HasPrefix(o.ClientID, "sy") || len(o.ClientID) != 28 {
						t.Errorf("%+v", o)
					}
				}
			}
			if n := len(b.sim.Ledger()); n != placed {
				t.Errorf("%d orders at the exchange, want %d", n, placed)
			}
			entries, err := b.book.Of(b.ctx, 1, "g")
			pending := strings.Count(tt.want, "PENDING")
			if err != nil || len(entries) != pending {
				t.Errorf("%d orders in the book, %v; want %d", len(entries), err, pending)
			}
		})
	}
}

// Ensure a position is closed by what reduces it, and an order against it never turns
// it around.
func TestClose(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.trade(t, b.ask(t, futures+`"order_type":"MARKET","side":"buy","qty_per":10`), healthy("j1"))
	if got := shown(b.trade(t, b.ask(t, futures+`"order_type":"MARKET","side":"sell","qty_per":50`), healthy("j2"))); got != "0 FILLED sell 0.005 MARKET at 95000" {
		t.Error(got)
	}
	if got := shown(b.trade(t, b.ask(t, futures+`"order_type":"MARKET","side":"sell","qty_per":-100`), healthy("j3"))); got != "0 FILLED sell 0.005 MARKET at 95000" {
		t.Error(got)
	}
}

// Ensure that wherever a worker dies, or loses its hold on the job, the next one goes
// on by the plan, and every order is at the exchange exactly once.
func TestTakenUpAgain(t *testing.T) {
	t.Parallel()
	body := futures + `"order_type":"LIMIT","side":"buy","orders":[{"price":78000,"qty_per":3},{"price":77000,"qty_per":4},{"price":76000,"qty_per":5}]`
	type death struct{ notes, checks int }
	var deaths []death
	for n := range 7 {
		deaths = append(deaths, death{n, -1})
	}
	for n := range 3 {
		deaths = append(deaths, death{-1, n})
	}
	for _, d := range deaths {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%+v, lost %v", d, lost), func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				p := b.ask(t, body)
				r := &record{id: "j", notes: d.notes, checks: d.checks}
				if lost { // The last order that was sent has no answer either.
					b.sim.Fail(sim.Fault{Method: "POST", Times: 1, Done: true, Drop: true})
				}
				if _, err := b.trader.Trade(b.ctx, p, r.job()); !errors.Is(err, errDied) {
					t.Fatalf("it went on: %v", err)
				}
				// The price has moved; the plan hasn't.
				if err := b.sim.SetPrice(sim.Futures, "BTCUSDT", "99000"); err != nil {
					t.Fatal(err)
				}
				got := b.trade(t, p, &record{id: "j", progress: r.progress, notes: -1, checks: -1})
				const want = "0 PENDING buy 0.003 LIMIT at 78000\n1 PENDING buy 0.005 LIMIT at 77000\n2 PENDING buy 0.006 LIMIT at 76000"
				if shown(got) != want {
					t.Errorf("got\n%s", shown(got))
				}
				ids := map[string]int{}
				for _, o := range b.sim.Ledger() {
					ids[o.ClientID]++
				}
				for _, o := range got {
					if ids[o.ClientID] != 1 {
						t.Errorf("order %d is there %d times", o.Index, ids[o.ClientID])
					}
				}
				if len(ids) != 3 {
					t.Errorf("%d orders at the exchange", len(ids))
				}
			})
		}
	}
}

// Ensure a market order whose answer is lost after it was taken is found, not sent
// again, though Binance would take the same id a second time.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]sim.Fault{
		"dropped": {Done: true, Drop: true}, "cut": {Cut: true},
		"unknown": {Done: true, Status: 503, Code: -1007, Message: "Timeout waiting for response from backend server."},
	} {
		fault.Method, fault.Times = "POST", 1
		for _, market := range []string{futures, spot} {
			t.Run(name+market, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				b.sim.Fail(fault)
				got := b.trade(t, b.ask(t, market+`"order_type":"MARKET","side":"buy","qty_per":10`), healthy("j"))
				if len(got) != 1 || got[0].Status != tasks.OrderFilled || got[0].OrderID == "" {
					t.Errorf("%s", shown(got))
				}
				if n := len(b.sim.Ledger()); n != 1 {
					t.Errorf("%d orders at the exchange", n)
				}
			})
		}
	}
}

// Ensure an order whose turn comes too late is refused, before it is sent and after
// it has waited, and that nothing was taken.
func TestTooOld(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		age        time.Duration
		late       bool
	}{
		{"market, young", `"order_type":"MARKET","side":"buy","qty_per":10`, 5 * time.Second, false},
		{"market", `"order_type":"MARKET","side":"buy","qty_per":10`, 10 * time.Second, true},
		{"limit, young", `"order_type":"LIMIT","side":"buy","price":80000,"qty_per":10`, 50 * time.Second, false},
		{"limit", `"order_type":"LIMIT","side":"buy","price":80000,"qty_per":10`, time.Minute, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			p := b.ask(t, futures+tt.body)
			b.ahead = tt.age
			got := b.trade(t, p, healthy("j"))
			if late := got[0].Status == tasks.OrderFailed && strings.Contains(got[0].Error, "too old"); late != tt.late {
				t.Errorf("%s", shown(got))
			}
			if n := len(b.sim.Ledger()); (n == 0) != tt.late {
				t.Errorf("%d orders at the exchange", n)
			}
		})
	}
}

// Ensure an order that has waited for an exchange that was busy goes out if it is
// still young, and not if it isn't.
func TestBusy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault sim.Fault
		want  tasks.OrderStatus
	}{
		{"for a moment", sim.Fault{Method: "POST", Times: 2, Status: 503, Code: -1008, Message: "Server is currently overloaded with other requests. Please try again in a few minutes."}, tasks.OrderFilled},
		{"limited for a second", sim.Fault{Method: "POST", Times: 1, Status: 429, Code: -1003, RetryAfter: "1"}, tasks.OrderFilled},
		{"limited for longer than it may wait", sim.Fault{Method: "POST", Times: 1, Status: 429, Code: -1003, RetryAfter: "30"}, tasks.OrderFailed},
		{"banned", sim.Fault{Method: "POST", Times: 1, Status: 418, Code: -1003, RetryAfter: "600"}, tasks.OrderFailed},
		{"a wrong key", sim.Fault{Path: "/balance", Status: 401, Code: -2015, Message: "Invalid API-key, IP, or permissions for action."}, tasks.OrderFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.sim.Fail(tt.fault)
			got := b.trade(t, b.ask(t, futures+`"order_type":"MARKET","side":"buy","qty_per":10`), healthy("j"))
			if got[0].Status != tt.want || (got[0].Error == "") != (tt.want == tasks.OrderFilled) {
				t.Errorf("%s", shown(got))
			}
			if n := len(b.sim.Ledger()); (n == 1) != (tt.want == tasks.OrderFilled) {
				t.Errorf("%d orders at the exchange", n)
			}
		})
	}
}

// Ensure an account or a group that has gone, or pauses, trades no more.
func TestGone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*configs.Trading){
		"no account":     func(c *configs.Trading) { c.Accounts = nil },
		"account paused": func(c *configs.Trading) { c.Accounts[0].State = configs.TradingPaused },
		"no group":       func(c *configs.Trading) { c.Groups = nil },
		"group paused":   func(c *configs.Trading) { c.Groups[0].State = configs.TradingPaused },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			p := b.ask(t, futures+`"order_type":"MARKET","side":"buy","qty_per":10`)
			change(&b.config)
			if got := b.trade(t, p, healthy("j")); got[0].Status != tasks.OrderFailed || got[0].Error == "" {
				t.Errorf("%s", shown(got))
			}
		})
	}
}

// Ensure what a cancelled job hasn't sent is cancelled, and what it may have sent is
// what it is at the exchange.
func TestWrapUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.ask(t, futures+`"order_type":"LIMIT","side":"buy","orders":[{"price":78000,"qty_per":3},{"price":77000,"qty_per":4}]`)
	r := &record{id: "j", notes: 2, checks: -1} // the plan, and that the first is sent
	so, err := b.trader.Trade(b.ctx, p, r.job())
	if !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	so.Plan[0].Done, so.Orders[0].Status = false, tasks.OrderQueued // as the record has it
	b.trader.WrapUp(b.ctx, p, healthy("j").job(), so, tasks.OrderCancelled, errors.New("cancelled"))
	if got := shown(so.Orders); got != "0 PENDING buy 0.003 LIMIT at 78000\n1 CANCELLED buy 0.005 LIMIT at 77000: cancelled" {
		t.Error(got)
	}
}

// Ensure a cancellation takes back what the group has opened, as far as the filters
// say, on both markets, stops too, and nothing else.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		p      tasks.TradeCancelPayload
		want   int
		orders int // left in the book of the group
	}{
		{"all", tasks.TradeCancelPayload{}, 3, 0},
		{"futures", tasks.TradeCancelPayload{Market: "FUTURES"}, 2, 1},
		{"the symbol", tasks.TradeCancelPayload{Symbol: "BTCUSDT"}, 3, 0},
		{"another symbol", tasks.TradeCancelPayload{Symbol: "ETHUSDT"}, 0, 3},
		{"another group", tasks.TradeCancelPayload{Group: "other"}, 0, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			for i, body := range []string{
				futures + `"order_type":"LIMIT","side":"buy","price":80000,"qty_per":5`,
				futures + `"order_type":"STOP_LIMIT","side":"sell","price":105000,"stop_price":104000,"qty_per":25`,
				spot + `"order_type":"LIMIT","side":"buy","price":80000,"qty_per":5`,
			} {
				b.trade(t, b.ask(t, body), healthy(fmt.Sprint("j", i)))
			}
			if tt.p.Account = 1; tt.p.Group == "" {
				tt.p.Group = "g"
			}
			got, err := b.trader.Cancel(b.ctx, tt.p, healthy("c").job(), nil)
			if err != nil || got.Cancelled != tt.want || got.Failed != 0 || !got.Success || got.AccountName != "Main Account" {
				t.Errorf("%+v, %v", got, err)
			}
			left, err := b.book.Of(b.ctx, 1, "g")
			if err != nil || len(left) != tt.orders {
				t.Errorf("%d left, %v", len(left), err)
			}
		})
	}
}

// Ensure orders that were filled or cancelled by others leave the book.
func TestFollow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.trade(t, b.ask(t, futures+`"order_type":"LIMIT","side":"buy","orders":[{"price":94000,"qty_per":5},{"price":80000,"qty_per":5}]`), healthy("j"))
	if err := b.sim.SetPrice(sim.Futures, "BTCUSDT", "93000"); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	b.ahead = time.Minute
	b.mu.Unlock()
	b.config.FollowInterval = configs.Duration(10 * time.Millisecond)
	ctx, stop := context.WithCancel(b.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.trader.Follow(ctx, "p")
	}()
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
		left, err := b.book.Of(b.ctx, 1, "")
		if err != nil || b.ctx.Err() != nil {
			t.Fatal(err, b.ctx.Err())
		}
		if len(left) == 1 && left[0].Order.Price.Equal(decimal.NewFromInt(80000)) {
			break
		}
	}
	stop()
	<-done
}

// Ensure ids follow from the job, the account and the place alone, and differ.
func TestClientID(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, job := range []string{"j_1", "j_2"} {
		for account := range 3 {
			for i := range 30 {
				id := execution.ClientID(job, account, i)
				if seen[id] || id != execution.ClientID(job, account, i) || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
					t.Errorf("%s", id)
				}
				seen[id] = true
			}
		}
	}
}

// moving is an exchange whose price moves directly before the first order comes.
type moving struct {
	exchange.Exchange
	once *sync.Once
	move func()
}

func (m moving) Place(ctx context.Context, o exchange.Order) (exchange.State, error) {
	m.once.Do(m.move)
	return m.Exchange.Place(ctx, o)
}

type opener func(configs.TradingAccount, exchange.Market) (exchange.Exchange, error)

func (f opener) Open(a configs.TradingAccount, m exchange.Market) (exchange.Exchange, error) {
	return f(a, m)
}

// Ensure a stop whose price was passed after the account was looked at becomes the order
// behind it, and not a stop that waits for the price to come back.
func TestStopPassed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, price, want string }{
		{"a fall, passed", futures + `"order_type":"STOP_MARKET","side":"sell","stop_price":94000,"qty_per":25`, "93500", "0 FILLED sell 0.026 MARKET at 93500 from 94000"},
		{"a rise, passed", futures + `"order_type":"STOP_MARKET","side":"buy","stop_price":96000,"qty_per":25`, "96500", "0 FILLED buy 0.025 MARKET at 96500 from 96000"},
		{"a limit behind it", spot + `"order_type":"STOP_LIMIT","side":"sell","stop_price":94000,"price":94500,"qty_per":25`, "93500", "0 PENDING sell 0.25 LIMIT at 94500 from 94000"},
		{"not passed", futures + `"order_type":"STOP_MARKET","side":"sell","stop_price":94000,"qty_per":25`, "94500", "0 PENDING sell 0.026 STOP_MARKET at 95000 from 94000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			venues, once := b.trader.Venues, &sync.Once{}
			b.trader.Venues = opener(func(a configs.TradingAccount, m exchange.Market) (exchange.Exchange, error) {
				x, err := venues.Open(a, m)
				return moving{x, once, func() {
					if err := errors.Join(b.sim.SetPrice(sim.Futures, "BTCUSDT", tt.price), b.sim.SetPrice(sim.Spot, "BTCUSDT", tt.price)); err != nil {
						t.Error(err)
					}
				}}, err
			})
			if got := shown(b.trade(t, b.ask(t, tt.body), healthy("j"))); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// listing counts what is listed, and doesn't know some symbols.
type listing struct {
	exchange.Exchange
	mu    *sync.Mutex
	asked map[string]int
}

func (l listing) OpenOrders(ctx context.Context, symbol string) ([]exchange.State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked[symbol]++
	if strings.HasPrefix(symbol, "GONE") {
		return nil, &exchange.Error{Kind: exchange.ErrSymbol, Op: "open orders"}
	}
	return l.Exchange.OpenOrders(ctx, symbol)
}

// Ensure symbols that are gone keep nobody from looking after the orders of others, and
// leave the book after a day.
func TestFollow_goneSymbols(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.trade(t, b.ask(t, futures+`"order_type":"LIMIT","side":"buy","price":80000,"qty_per":5`), healthy("j"))
	for i := range 8 {
		o := tasks.TradeOrder{ClientID: fmt.Sprint("gone", i), Symbol: fmt.Sprint("GONE", i, "USDT"), Type: "LIMIT", Status: tasks.OrderPending}
		e := book.Entry{Group: "g", Market: exchange.Futures, Order: o, Entered: b.now()}
		if i == 0 {
			e.Entered = e.Entered.Add(-25 * time.Hour)
		}
		if err := b.book.Enter(b.ctx, 1, e); err != nil {
			t.Fatal(err)
		}
	}
	b.mu.Lock()
	b.ahead = time.Minute
	b.mu.Unlock()
	b.config.FollowInterval = configs.Duration(10 * time.Millisecond)
	venues, mu, asked := b.trader.Venues, &sync.Mutex{}, map[string]int{}
	b.trader.Venues = opener(func(a configs.TradingAccount, m exchange.Market) (exchange.Exchange, error) {
		x, err := venues.Open(a, m)
		return listing{x, mu, asked}, err
	})
	ctx, stop := context.WithCancel(b.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.trader.Follow(ctx, "p")
	}()
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
		if b.ctx.Err() != nil {
			t.Fatal(b.ctx.Err())
		}
		mu.Lock()
		n := asked["BTCUSDT"]
		mu.Unlock()
		if n >= 3 {
			break
		}
	}
	stop()
	<-done
	for i := 1; i < 8; i++ {
		if n := asked[fmt.Sprint("GONE", i, "USDT")]; n < asked["BTCUSDT"]-1 || n > asked["BTCUSDT"]+1 {
			t.Errorf("GONE%d was listed %d times, BTCUSDT %d times", i, n, asked["BTCUSDT"])
		}
	}
	left, err := b.book.Of(b.ctx, 1, "g")
	if err != nil || len(left) != 8 {
		t.Errorf("%d left in the book, %v; want all but the oldest", len(left), err)
	}
}

// Ensure an order whose note took long, since Redis was away, is refused when it has
// become too old meanwhile, and else noted anew, so that who takes it up later knows
// until when it may be on its way.
func TestNotedLate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		takes  time.Duration
		status tasks.OrderStatus
		orders int
	}{
		{"too long", 20 * time.Second, tasks.OrderFailed, 0},
		{"long", 7 * time.Second, tasks.OrderFilled, 1},
		{"not long", time.Second, tasks.OrderFilled, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			p := b.ask(t, futures+`"order_type":"MARKET","side":"buy","qty_per":10`)
			job, slow, noted := healthy("j").job(), true, time.Time{}
			note := job.Note
			job.Note = func(ctx context.Context, progress any) error {
				if so := progress.(*execution.Progress); len(so.Plan) == 1 && so.Plan[0].Sending && !so.Plan[0].Done {
					if noted = so.Plan[0].Settled; slow {
						slow = false
						b.mu.Lock()
						b.ahead += tt.takes
						b.mu.Unlock()
					}
				}
				return note(ctx, progress)
			}
			so, err := b.trader.Trade(b.ctx, p, job)
			if err != nil || so.Orders[0].Status != tt.status {
				t.Fatalf("%s, %v", shown(so.Orders), err)
			}
			if n := len(b.sim.Ledger()); n != tt.orders {
				t.Errorf("%d orders at the exchange", n)
			}
			if tt.orders == 1 && !b.now().Add(-2*time.Second).Before(noted) {
				t.Errorf("it went out at about %s, and was noted to have settled at %s", b.now(), noted)
			}
		})
	}
}

// placing tells when orders are placed.
type placing struct {
	exchange.Exchange
	told func()
}

func (p placing) Place(ctx context.Context, o exchange.Order) (exchange.State, error) {
	p.told()
	return p.Exchange.Place(ctx, o)
}

// Ensure an order that may be on its way is sent again only once it can't be any more by
// the clock that all share, whatever this machine's clock says.
func TestSettledByTheSharedClock(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-time.Minute, 0, time.Minute} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.ahead = ahead
			p := b.ask(t, futures+`"order_type":"LIMIT","side":"buy","price":80000,"qty_per":5`)
			r := &record{id: "j", notes: 2, checks: 0} // noted as being sent, and no more
			so, err := b.trader.Trade(b.ctx, p, r.job())
			if !errors.Is(err, errDied) {
				t.Fatalf("%+v, %v", so, err)
			}
			settled := b.now().Add(b.trader.Window - 200*time.Millisecond)
			venues := b.trader.Venues
			b.trader.Venues = opener(func(a configs.TradingAccount, m exchange.Market) (exchange.Exchange, error) {
				x, err := venues.Open(a, m)
				return placing{x, func() {
					if now := b.now(); now.Before(settled) || now.After(settled.Add(10*time.Second)) {
						t.Errorf("sent again %s after it could have been on its way", now.Sub(settled))
					}
				}}, err
			})
			got := b.trade(t, p, &record{id: "j", progress: r.progress, notes: -1, checks: -1})
			if got[0].Status != tasks.OrderPending || len(b.sim.Ledger()) != 1 {
				t.Errorf("%s", shown(got))
			}
		})
	}
}

// Ensure a stop that buys spot with all that is free can be paid when it is reached, at
// OKX too, where it is a limit order above the stop.
func TestStopWithAllAtOKX(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s, err := simokx.Start(b.ctx, "127.0.0.1:0", simokx.Options{
		Prices: map[string]string{"BTCUSDT": "95000"}, Accounts: []simokx.Account{{Key: "k", Secret: "s", Passphrase: "p", Balances: map[string]string{"USDT": "10000"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	a := &b.config.Accounts[0]
	a.Exchange, a.Passphrase, a.SpotURL, a.FuturesURL = "okx", configs.NewSecret("p"), s.URL(), s.URL()
	p := b.ask(t, spot+`"order_type":"STOP_MARKET","side":"buy","stop_price":96000`)
	got := b.trade(t, p, healthy("j"))
	if got[0].Status != tasks.OrderPending {
		t.Fatal(shown(got))
	}
	if err := s.SetPrice(matching.Spot, "BTCUSDT", "96000"); err != nil {
		t.Fatal(err)
	}
	x, err := b.trader.Venues.Open(*a, exchange.Spot)
	if err != nil {
		t.Fatal(err)
	}
	now, err := x.Query(b.ctx, exchange.Ref{Symbol: "BTCUSDT", ClientID: got[0].ClientID, Type: exchange.StopMarket})
	if err != nil || now.Status != exchange.Filled {
		t.Errorf("%s became %s, %v", shown(got), now.Status, err)
	}
}

// Ensure a stop that was taken back is told with its number at the exchange, which not
// every exchange repeats then.
func TestCancelledStopIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.trader.Events = events.NewPublisher(b.rdb, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(b.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.trader.Events.Run(ctx)
	}()
	placed := b.trade(t, b.ask(t, futures+`"order_type":"STOP_MARKET","side":"sell","stop_price":90000,"qty_per":25`), healthy("j"))
	if got, err := b.trader.Cancel(b.ctx, tasks.TradeCancelPayload{Group: "g", Account: 1}, healthy("c").job(), nil); err != nil || got.Cancelled != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	stop()
	<-done // all is written
	list, err := b.rdb.XRange(b.ctx, events.Orders.Stream(), "-", "+").Result()
	if err != nil || len(list) != 2 || placed[0].OrderID == "" {
		t.Fatalf("%+v, %v", list, err)
	}
	if told := fmt.Sprint(list[1].Values); !strings.Contains(told, `"CANCELLED"`) || !strings.Contains(told, fmt.Sprintf(`"order_id":%q`, placed[0].OrderID)) {
		t.Errorf("told %s of order %s", told, placed[0].OrderID)
	}
}

// contradicting says of an order that it has its id, and that it hasn't it.
type contradicting struct{ exchange.Exchange }

func (c contradicting) Place(ctx context.Context, o exchange.Order) (exchange.State, error) {
	if _, err := c.Exchange.Place(ctx, o); err != nil {
		return exchange.State{}, err
	}
	return exchange.State{}, &exchange.Error{Kind: exchange.ErrDuplicate, Op: "placing"}
}

func (contradicting) Query(context.Context, exchange.Ref) (exchange.State, error) {
	return exchange.State{}, &exchange.Error{Kind: exchange.ErrNotFound, Op: "asking"}
}

// Ensure an order whose id the exchange says is used, and doesn't find, is not said to
// have failed.
func TestContradicted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	venues := b.trader.Venues
	b.trader.Venues = opener(func(a configs.TradingAccount, m exchange.Market) (exchange.Exchange, error) {
		x, err := venues.Open(a, m)
		return contradicting{x}, err
	})
	got := b.trade(t, b.ask(t, futures+`"order_type":"LIMIT","side":"buy","price":80000,"qty_per":5`), healthy("j"))
	if got[0].Status != tasks.OrderUnknown || got[0].Error == "" || len(b.sim.Ledger()) != 1 {
		t.Errorf("%s", shown(got))
	}
	if left, err := b.book.Of(b.ctx, 1, "g"); err != nil || len(left) != 1 {
		t.Errorf("%d in the book, %v", len(left), err)
	}
}
