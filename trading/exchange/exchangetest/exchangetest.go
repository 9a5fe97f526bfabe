// Package exchangetest is what every exchange.Exchange has to do, whichever exchange
// it speaks to. Run it with a simulator of that exchange: the suite places orders,
// moves the price, breaks what can break and looks at what the simulator took.
package exchangetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
)

// World is an exchange with nothing on it: a price of 95,000 for BTCUSDT, an account
// with 10,000 USDT and, on spot, 1 BTC. Functions that are nil are for faults that
// an exchange can't have; their tests are left out.
type World struct {
	Exchange exchange.Exchange
	Market   exchange.Market
	// SetPrice sets the last price of BTCUSDT.
	SetPrice func(price string)
	// Taken is how many orders the exchange has ever taken.
	Taken func() int
	// LoseAnswer has the answer to the next order lost after it was taken;
	// CutAnswer breaks it off in the middle; LoseRequest loses the order itself on
	// an open connection; Break answers the next order with a failure that says
	// nothing of its outcome, after taking it.
	LoseAnswer, CutAnswer, LoseRequest, Break func()
	// Limit and Ban answer the next order so, to be sent again after the seconds.
	Limit, Ban func(seconds int)
	// Skew has the exchange's clock be ahead by so much.
	Skew func(time.Duration)
	// Fill has the next order executed in this part only.
	Fill func(part string)
}

// Symbol is what is traded.
const Symbol = "BTCUSDT"

// Run runs the suite; each test gets a world of its own.
func Run(t *testing.T, fresh func(*testing.T) World) {
	for name, test := range map[string]func(*testing.T, World){
		"market order":                    marketOrder,
		"limit order":                     limitOrder,
		"limit order is filled":           limitFilled,
		"a stop above and below":          stops,
		"a stop's limit rests":            stopLimit,
		"a stop at the price":             stopReached,
		"same client id":                  duplicate,
		"unknown order":                   unknownOrder,
		"rules":                           rules,
		"refusals":                        refusals,
		"orders that make no sense":       senseless,
		"cancel ours":                     cancelOurs,
		"position":                        position,
		"a side in one-way mode":          sideInOneWay,
		"many at once":                    many,
		"context":                         ended,
		"server time":                     serverTime,
		"answer lost":                     lost(func(w World) func() { return w.LoseAnswer }, true),
		"answer cut":                      lost(func(w World) func() { return w.CutAnswer }, true),
		"failure of the exchange":         lost(func(w World) func() { return w.Break }, true),
		"request lost":                    lost(func(w World) func() { return w.LoseRequest }, false),
		"limited":                         limited(func(w World) func(int) { return w.Limit }, exchange.ErrRate),
		"banned":                          limited(func(w World) func(int) { return w.Ban }, exchange.ErrBanned),
		"clock ahead":                     skewed(time.Hour),
		"clock behind":                    skewed(-time.Hour),
		"clock that changes on the way":   skewedLater,
		"partial fill of a limit order":   partialLimit,
		"partial fill of a market order":  partialMarket,
		"cancel of a partly filled order": partialCancel,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// D reads a decimal.
func D(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func order(id string, side exchange.Side, kind exchange.Type, quantity string, prices ...string) exchange.Order {
	o := exchange.Order{ClientID: id, Symbol: Symbol, Side: side, Type: kind, Quantity: D(quantity)}
	if kind.Stop() {
		o.StopPrice, prices = D(prices[0]), prices[1:]
	}
	if kind.Limited() {
		o.Price = D(prices[0])
	}
	return o
}

func place(t *testing.T, w World, o exchange.Order, want exchange.Status) exchange.State {
	t.Helper()
	s, err := w.Exchange.Place(t.Context(), o)
	if err != nil {
		t.Fatalf("placing %+v: %v", o, err)
	}
	if s.Status != want || s.ID == "" || s.ClientID != o.ClientID {
		t.Fatalf("placed %+v, want status %s, an id and ours", s, want)
	}
	return s
}

// refused expects an error of a kind, and that nothing was taken.
func refused(t *testing.T, w World, o exchange.Order, want error) {
	t.Helper()
	t.Log(refusal(t, w, o, want))
}

// refusal is refused, and returns the error.
func refusal(t *testing.T, w World, o exchange.Order, want error) error {
	t.Helper()
	before := w.Taken()
	_, err := w.Exchange.Place(t.Context(), o)
	if !errors.Is(err, want) {
		t.Fatalf("placing %+v: %v, want %v", o, err, want)
	}
	if got := w.Taken(); got != before {
		t.Fatalf("the refused order was taken: %d orders, before %d", got, before)
	}
	return err
}

func query(t *testing.T, w World, o exchange.Order, want exchange.Status, filled string) exchange.State {
	t.Helper()
	for _, ref := range []exchange.Ref{o.Ref(), {Symbol: o.Symbol, ClientID: o.ClientID}} {
		s, err := w.Exchange.Query(t.Context(), ref)
		if err != nil {
			t.Fatalf("asking for %+v: %v", ref, err)
		}
		if s.Status != want || !s.Filled.Equal(D(filled)) || s.Side != o.Side || s.Type != o.Type || !s.Quantity.Equal(o.Quantity) || !s.Price.Equal(o.Price) || !s.StopPrice.Equal(o.StopPrice) {
			t.Fatalf("asked for %+v, got %+v; want %s with %s of %+v", ref, s, want, filled, o)
		}
		if ref == o.Ref() {
			continue
		}
		return s
	}
	return exchange.State{}
}

func open(t *testing.T, w World, symbol string) []string {
	t.Helper()
	list, err := w.Exchange.OpenOrders(t.Context(), symbol)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, s := range list {
		ids = append(ids, s.ClientID)
	}
	slices.Sort(ids)
	return ids
}

func free(t *testing.T, w World) decimal.Decimal {
	t.Helper()
	b, err := w.Exchange.Balance(t.Context(), "USDT")
	if err != nil {
		t.Fatal(err)
	}
	return b.Free
}

func marketOrder(t *testing.T, w World) {
	o := order("m1", exchange.Buy, exchange.MarketOrder, "0.01")
	place(t, w, o, exchange.Filled)
	if s := query(t, w, o, exchange.Filled, "0.01"); !s.AveragePrice.Equal(D("95000")) {
		t.Errorf("average price %s, want 95000", s.AveragePrice)
	}
	if got := open(t, w, Symbol); len(got) != 0 {
		t.Errorf("open: %q, want none", got)
	}
	if got := free(t, w); got.GreaterThan(D("9050")) {
		t.Errorf("%s USDT free after buying for 950 of 10000", got)
	}
}

func limitOrder(t *testing.T, w World) {
	o := order("l1", exchange.Buy, exchange.LimitOrder, "0.01", "80000")
	place(t, w, o, exchange.Pending)
	query(t, w, o, exchange.Pending, "0")
	for _, symbol := range []string{Symbol, ""} {
		if got := open(t, w, symbol); !slices.Equal(got, []string{"l1"}) {
			t.Errorf("open in %q: %q, want l1", symbol, got)
		}
	}
	if got := free(t, w); !got.Equal(D("9200")) {
		t.Errorf("%s USDT free beside an order for 800 of 10000", got)
	}
	s, err := w.Exchange.Cancel(t.Context(), o.Ref())
	if err != nil || s.Status != exchange.CancelledOrder || s.ClientID != "l1" {
		t.Fatalf("cancelled: %+v, %v", s, err)
	}
	query(t, w, o, exchange.CancelledOrder, "0")
	if got := free(t, w); !got.Equal(D("10000")) {
		t.Errorf("%s USDT free after the cancellation, want 10000", got)
	}
	if _, err := w.Exchange.Cancel(t.Context(), o.Ref()); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("cancelled twice: %v", err)
	}
}

func limitFilled(t *testing.T, w World) {
	buy, sell := order("lb", exchange.Buy, exchange.LimitOrder, "0.01", "94000"), order("ls", exchange.Sell, exchange.LimitOrder, "0.01", "96000")
	place(t, w, buy, exchange.Pending)
	place(t, w, sell, exchange.Pending)
	w.SetPrice("93000")
	query(t, w, buy, exchange.Filled, "0.01")
	query(t, w, sell, exchange.Pending, "0")
	w.SetPrice("96000")
	query(t, w, sell, exchange.Filled, "0.01")
}

func stops(t *testing.T, w World) {
	var all []exchange.Order
	for _, side := range []exchange.Side{exchange.Buy, exchange.Sell} {
		for i, stop := range []string{"94000", "96000"} {
			all = append(all, order(fmt.Sprintf("s%s%d", side, i), side, exchange.StopMarket, "0.01", stop))
		}
	}
	for _, o := range all {
		place(t, w, o, exchange.Pending)
	}
	if got := len(open(t, w, Symbol)); got != 4 {
		t.Fatalf("%d open, want 4", got)
	}
	for _, o := range all {
		query(t, w, o, exchange.Pending, "0")
	}
	w.SetPrice("94000")
	for _, o := range all {
		if o.StopPrice.Equal(D("94000")) {
			query(t, w, o, exchange.Filled, "0.01")
		} else {
			query(t, w, o, exchange.Pending, "0")
		}
	}
	w.SetPrice("96500")
	for _, o := range all {
		query(t, w, o, exchange.Filled, "0.01")
	}
}

// stopLimit sells at 105000 once the price has risen to 104000.
func stopLimit(t *testing.T, w World) {
	o := order("sl", exchange.Sell, exchange.StopLimit, "0.01", "104000", "105000")
	place(t, w, o, exchange.Pending)
	w.SetPrice("103999")
	query(t, w, o, exchange.Pending, "0")
	w.SetPrice("104500")
	query(t, w, o, exchange.Pending, "0")
	w.SetPrice("105000")
	query(t, w, o, exchange.Filled, "0.01")

	w.SetPrice("95000")
	o = order("sl2", exchange.Sell, exchange.StopLimit, "0.01", "104000", "105000")
	place(t, w, o, exchange.Pending)
	w.SetPrice("104500")
	if _, err := w.Exchange.Cancel(t.Context(), o.Ref()); err != nil {
		t.Fatalf("cancelling a stop that was triggered: %v", err)
	}
	query(t, w, o, exchange.CancelledOrder, "0")
	w.SetPrice("106000")
	query(t, w, o, exchange.CancelledOrder, "0")
}

func stopReached(t *testing.T, w World) {
	refused(t, w, order("at", exchange.Buy, exchange.StopMarket, "0.01", "95000"), exchange.ErrTrigger)
	// One that was passed since it was asked for was reached, too; one that wasn't rests.
	for trigger, stop := range map[exchange.Trigger][2]string{exchange.Rise: {"94999", "95001"}, exchange.Fall: {"95001", "94999"}} {
		for _, kind := range []exchange.Type{exchange.StopMarket, exchange.StopLimit} {
			o := order("pass"+string(trigger)+strings.ReplaceAll(string(kind), "_", ""), exchange.Sell, kind, "0.01", stop[0], "96000")
			o.Trigger = trigger
			refused(t, w, o, exchange.ErrTrigger)
			o.StopPrice = D(stop[1])
			place(t, w, o, exchange.Pending)
		}
	}
}

func duplicate(t *testing.T, w World) {
	limit, stop := order("dup", exchange.Buy, exchange.LimitOrder, "0.01", "80000"), order("dup2", exchange.Sell, exchange.StopMarket, "0.01", "90000")
	for _, o := range []exchange.Order{limit, stop} {
		place(t, w, o, exchange.Pending)
		refused(t, w, o, exchange.ErrDuplicate)
	}
}

func unknownOrder(t *testing.T, w World) {
	for _, kind := range []exchange.Type{exchange.MarketOrder, exchange.LimitOrder, exchange.StopLimit, exchange.StopMarket, ""} {
		ref := exchange.Ref{Symbol: Symbol, ClientID: "none", Type: kind}
		if _, err := w.Exchange.Query(t.Context(), ref); !errors.Is(err, exchange.ErrNotFound) {
			t.Errorf("asking for an unknown %q: %v", kind, err)
		}
		if _, err := w.Exchange.Cancel(t.Context(), ref); !errors.Is(err, exchange.ErrNotFound) {
			t.Errorf("cancelling an unknown %q: %v", kind, err)
		}
	}
}
