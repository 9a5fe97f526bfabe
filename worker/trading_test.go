package worker_test

import (
	"encoding/json"
	"testing"
	"time"

	"switchyard/configs"
	"switchyard/jobs"
	sim "switchyard/sim/exchanges/binance"
	"switchyard/tasks"
	"switchyard/trading/book"
	"switchyard/trading/execution"
	"switchyard/trading/venue"
	"switchyard/worker"
)

// desk is workers that trade at a simulated exchange.
type desk struct {
	*bundle
	sim    *sim.Server
	trader *execution.Trader
}

func setupDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{bundle: setup(t)}
	s, err := sim.Start(d.ctx, "127.0.0.1:0", sim.Options{
		Accounts: []sim.Account{{Key: "k", Secret: "s", Futures: map[string]string{"USDT": "10000"}}}, Prices: map[string]string{"BTCUSDT": "95000"},
	})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	d.sim = s
	c := configs.Default().Trading
	c.Accounts = []configs.TradingAccount{{ID: 1, Name: "A", Exchange: "binance", Mode: "live", Key: configs.NewSecret("k"), Secret: configs.NewSecret("s"), SpotURL: s.URL(), FuturesURL: s.URL()}}
	c.Groups = []configs.TradingGroup{{Name: "g", Accounts: []configs.TradingShare{{ID: 1}}}}
	v := venue.New(venue.Options{Redis: d.rdb})
	t.Cleanup(v.Close)
	d.trader = &execution.Trader{
		Venues: v, Book: book.New(d.rdb), Config: func() configs.Trading { return c }, Now: d.store.Now, Window: time.Second, Log: discard,
	}
	return d
}

func (d *desk) worker(t *testing.T) *worker.Worker {
	t.Helper()
	h := &worker.Trading{Trader: d.trader, Log: discard}
	return d.start(t, nil, soon, func(o *worker.Options) {
		o.Queues = []worker.Queue{{Name: tasks.QueueTrading, Concurrency: 4}}
		o.Handlers = map[tasks.Type]worker.Handler{tasks.Trade: h.Trade, tasks.TradeCancel: h.Cancel}
	})
}

// ask has two limit orders accepted.
func (d *desk) ask(t *testing.T) string {
	t.Helper()
	const signal = `{"group_name":"g","action":"batch_trading_signal","exchange":"BINANCE","market_type":"FUTURES","symbol":"BTCUSDT","base":"BTC","currency":"USDT",
		"order_type":"LIMIT","side":"buy","orders":[{"order_index":0,"price":"80000","qty_per":"5"},{"order_index":1,"price":"79000","qty_per":"5"}]}`
	return d.accept(t, jobs.Request{Draft: tasks.NewTrade(tasks.TradePayload{Webhook: "w", Group: "g", Account: 1, Received: d.store.Now(), Signal: json.RawMessage(signal)}, "")})
}

func (d *desk) orders(t *testing.T, j *jobs.Job) (out []tasks.OrderStatus) {
	t.Helper()
	var r tasks.TradeResult
	must(t, json.Unmarshal(j.Result, &r))
	for _, o := range r.Orders {
		out = append(out, o.Status)
	}
	return out
}

// awaitPost waits until an order is on its way.
func (d *desk) awaitPost(t *testing.T, id string) {
	t.Helper()
	d.eventually(t, "an order is on its way", func() bool {
		var so execution.Progress
		return json.Unmarshal(d.get(t, id).Progress, &so) == nil && len(so.Plan) > 0 && so.Plan[0].Sending
	})
}

// Ensure a worker that stops in the middle of an order doesn't break it off, and that
// the next one goes on with the orders behind it.
func TestTradingStop(t *testing.T) {
	t.Parallel()
	d := setupDesk(t)
	d.sim.Fail(sim.Fault{Method: "POST", Times: 1, Done: true, Hang: true})
	first := d.worker(t)
	id := d.ask(t)
	d.awaitPost(t, id)
	stopped := d.stopping(d.ctx, first)
	d.eventually(t, "the exchange has the order", func() bool { return len(d.sim.Ledger()) == 1 })
	d.sim.Recover()
	d.stopped(t, stopped)
	d.worker(t)
	if got := d.orders(t, d.ended(t, id)); len(got) != 2 || got[0] != tasks.OrderPending || got[1] != tasks.OrderPending {
		t.Errorf("%q", got)
	}
	if n := len(d.sim.Ledger()); n != 2 {
		t.Errorf("%d orders at the exchange", n)
	}
}

// Ensure a job that is cancelled sends nothing more, and says of what it has sent what
// it is.
func TestTradingCancelled(t *testing.T) {
	t.Parallel()
	d := setupDesk(t)
	d.sim.Fail(sim.Fault{Method: "POST", Times: 1, Done: true, Hang: true})
	d.worker(t)
	id := d.ask(t)
	d.awaitPost(t, id)
	_, err := d.store.Cancel(d.ctx, id)
	must(t, err)
	d.eventually(t, "the exchange has the order", func() bool { return len(d.sim.Ledger()) == 1 })
	d.sim.Recover()
	j := d.ended(t, id)
	if got := d.orders(t, j); j.State != jobs.Cancelled || len(got) != 2 || got[0] != tasks.OrderPending || got[1] != tasks.OrderCancelled {
		t.Errorf("%s: %q", j.State, got)
	}
	if n := len(d.sim.Ledger()); n != 1 {
		t.Errorf("%d orders at the exchange", n)
	}
}

// Ensure a cancellation waits for the orders of its account before it, and takes them
// back.
func TestTradingCancelAll(t *testing.T) {
	t.Parallel()
	d := setupDesk(t)
	id := d.ask(t)
	cancel := d.accept(t, jobs.Request{Draft: tasks.NewTradeCancel(tasks.TradeCancelPayload{Webhook: "w", Group: "g", Account: 1}, "")})
	d.worker(t)
	var r tasks.TradeCancelResult
	must(t, json.Unmarshal(d.ended(t, cancel).Result, &r))
	if got := d.orders(t, d.ended(t, id)); len(got) != 2 || r.Cancelled != 2 || !r.Success {
		t.Errorf("%q, then %+v", got, r)
	}
}
