package exchangetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
)

func rules(t *testing.T, w World) {
	r, err := w.Exchange.Rules(t.Context(), Symbol)
	if err != nil {
		t.Fatal(err)
	}
	if r.Symbol != Symbol || r.Base != "BTC" || r.Quote != "USDT" || !r.Trading {
		t.Errorf("rules of %+v", r)
	}
	if !r.Price.Step.IsPositive() || !r.Quantity.Step.IsPositive() || !r.MarketQuantity.Step.IsPositive() || !r.MinNotional.IsPositive() && !r.Quantity.Min.IsPositive() {
		t.Errorf("a step or the minimum is missing: %+v", r)
	}
	// What the rules let pass the exchange takes, what they don't it refuses.
	q := r.RoundQuantity(exchange.LimitOrder, D("0.0123456789"))
	o := order("ok", exchange.Buy, exchange.LimitOrder, q.String(), r.RoundPrice(D("80000.123456")).String())
	if err := r.Check(o, D("95000")); err != nil {
		t.Fatalf("the rules refuse their own rounding: %v", err)
	}
	place(t, w, o, exchange.Pending)
	if _, err := w.Exchange.Rules(t.Context(), "NOSUCHUSDT"); !errors.Is(err, exchange.ErrSymbol) {
		t.Errorf("rules of an unknown symbol: %v", err)
	}
	if p, err := w.Exchange.Price(t.Context(), Symbol); err != nil || !p.Equal(D("95000")) {
		t.Errorf("price %s, %v", p, err)
	}
}

func refusals(t *testing.T, w World) {
	r, err := w.Exchange.Rules(t.Context(), Symbol)
	if err != nil {
		t.Fatal(err)
	}
	offPrice := D("80000").Add(r.Price.Step.Div(D("2")))
	offQuantity := D("0.01").Add(r.Quantity.Step.Div(D("2")))
	// At this price the least quantity is worth too little. Where there is no least
	// value, less than the least quantity is too little, unless that is a step.
	little, cheap := r.Quantity.Min, decimal.Min(D("40000"), r.RoundPrice(r.MinNotional.Div(r.Quantity.Min).Div(D("2"))))
	if r.MinNotional.IsZero() {
		little, cheap = decimal.Max(r.RoundQuantity(exchange.LimitOrder, little.Div(D("2"))), r.Quantity.Step.Div(D("2"))), D("80000")
	}
	for i, tt := range []struct {
		o    exchange.Order
		want error
	}{
		{order("", exchange.Buy, exchange.LimitOrder, "0.01", offPrice.String()), exchange.ErrPrecision},
		{order("", exchange.Buy, exchange.LimitOrder, offQuantity.String(), "80000"), exchange.ErrPrecision},
		{order("", exchange.Buy, exchange.MarketOrder, offQuantity.String()), exchange.ErrPrecision},
		{order("", exchange.Buy, exchange.LimitOrder, little.String(), cheap.String()), exchange.ErrMinimum},
		{order("", exchange.Buy, exchange.LimitOrder, "5", "80000"), exchange.ErrFunds},
		{order("", exchange.Buy, exchange.MarketOrder, "5"), exchange.ErrFunds},
	} {
		tt.o.ClientID = fmt.Sprint("no", i)
		refused(t, w, tt.o, tt.want)
		if errors.Is(tt.want, exchange.ErrFunds) {
			continue
		}
		if err := r.Check(tt.o, D("95000")); tt.o.Type != exchange.MarketOrder && w.Market == exchange.Spot && !errors.Is(err, tt.want) {
			t.Errorf("the rules say %v to %+v, the exchange %v", err, tt.o, tt.want)
		}
	}
	unknown := order("no", exchange.Buy, exchange.MarketOrder, "0.01")
	unknown.Symbol = "NOSUCHUSDT"
	refused(t, w, unknown, exchange.ErrSymbol)
}

func senseless(t *testing.T, w World) {
	for name, spoil := range map[string]func(*exchange.Order){
		"no client id":      func(o *exchange.Order) { o.ClientID = "" },
		"long client id":    func(o *exchange.Order) { o.ClientID = "a23456789012345678901234567890123" },
		"client id's signs": func(o *exchange.Order) { o.ClientID = "a-b" },
		"no symbol":         func(o *exchange.Order) { o.Symbol = "" },
		"no side":           func(o *exchange.Order) { o.Side = "up" },
		"no type":           func(o *exchange.Order) { o.Type = "ICEBERG" },
		"no quantity":       func(o *exchange.Order) { o.Quantity = D("0") },
		"no price":          func(o *exchange.Order) { o.Price = D("-1") },
		"no stop":           func(o *exchange.Order) { o.Type = exchange.StopLimit },
	} {
		o := order("x", exchange.Buy, exchange.LimitOrder, "0.01", "80000")
		spoil(&o)
		t.Log(name)
		refused(t, w, o, exchange.ErrRefused)
	}
}

func cancelOurs(t *testing.T, w World) {
	var ours []exchange.Ref
	for i, o := range []exchange.Order{
		order("ours1", exchange.Buy, exchange.LimitOrder, "0.01", "80000"),
		order("ours2", exchange.Sell, exchange.StopMarket, "0.01", "90000"),
		order("ours3", exchange.Sell, exchange.StopLimit, "0.01", "96000", "105000"), // triggered below
		order("ours4", exchange.Buy, exchange.MarketOrder, "0.01"),                   // filled
		order("theirs1", exchange.Buy, exchange.LimitOrder, "0.01", "80000"),
		order("theirs2", exchange.Sell, exchange.StopMarket, "0.01", "90000"),
	} {
		want := exchange.Pending
		if o.Type == exchange.MarketOrder {
			want = exchange.Filled
		}
		place(t, w, o, want)
		if i < 4 {
			ours = append(ours, o.Ref())
		}
	}
	ours = append(ours, exchange.Ref{Symbol: Symbol, ClientID: "never", Type: exchange.StopMarket})
	w.SetPrice("97000")
	got, err := w.Exchange.CancelOurs(t.Context(), ours)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range got {
		if c.Err != nil || c.State.Status != exchange.CancelledOrder {
			t.Errorf("%s: %+v, %v", c.Ref.ClientID, c.State, c.Err)
		}
		ids = append(ids, c.Ref.ClientID)
	}
	if !slices.Equal(ids, []string{"ours1", "ours2", "ours3"}) {
		t.Errorf("cancelled %q", ids)
	}
	if left := open(t, w, Symbol); !slices.Equal(left, []string{"theirs1", "theirs2"}) {
		t.Errorf("left open %q", left)
	}
}

func position(t *testing.T, w World) {
	held := func() string {
		t.Helper()
		list, err := w.Exchange.Positions(t.Context(), Symbol)
		if err != nil || len(list) > 1 {
			t.Fatalf("positions %+v, %v", list, err)
		}
		if len(list) == 0 {
			return "0"
		}
		if !list[0].Available.Equal(list[0].Quantity.Abs()) {
			t.Errorf("not all available: %+v", list[0])
		}
		return list[0].Quantity.String()
	}
	start := D(held())
	place(t, w, order("p1", exchange.Buy, exchange.MarketOrder, "0.02"), exchange.Filled)
	if got := D(held()); !got.Equal(start.Add(D("0.02"))) {
		t.Errorf("%s after buying 0.02 to %s", got, start)
	}
	o := order("p2", exchange.Sell, exchange.MarketOrder, "0.02")
	o.ReduceOnly = w.Market == exchange.Futures
	place(t, w, o, exchange.Filled)
	if got := D(held()); !got.Equal(start) {
		t.Errorf("%s after selling again, want %s", got, start)
	}
	if hedged, err := w.Exchange.Hedged(t.Context()); hedged || err != nil {
		t.Errorf("hedged %v, %v", hedged, err)
	}
}

func many(t *testing.T, w World) {
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := w.Exchange.Place(t.Context(), order(fmt.Sprint("many", i), exchange.Buy, exchange.LimitOrder, "0.002", "60000")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(open(t, w, Symbol)); got != 20 || w.Taken() != 20 {
		t.Errorf("%d open, %d taken, want 20", got, w.Taken())
	}
}

func ended(t *testing.T, w World) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Exchange.Place(ctx, order("c", exchange.Buy, exchange.MarketOrder, "0.01")); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context ended: %v", err)
	}
	if w.Taken() != 0 {
		t.Error("it was sent")
	}
}

func serverTime(t *testing.T, w World) {
	got, err := w.Exchange.ServerTime(t.Context())
	if d := time.Since(got); err != nil || d < -time.Hour || d > time.Hour {
		t.Errorf("%s, %v", got, err)
	}
}
