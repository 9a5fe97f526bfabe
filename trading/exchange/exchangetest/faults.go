package exchangetest

import (
	"errors"
	"testing"
	"time"

	"switchyard/trading/exchange"
)

// lost checks that an order whose answer doesn't come is neither taken for done nor
// for refused, and that a question settles it. Nothing is sent twice on the way.
func lost(fault func(World) func(), taken bool) func(*testing.T, World) {
	return func(t *testing.T, w World) {
		if fault(w) == nil {
			t.Skip("can't happen at this exchange")
		}
		// A connection that is in use already: a client may be tempted to try again.
		if _, err := w.Exchange.Price(t.Context(), Symbol); err != nil {
			t.Fatal(err)
		}
		for i, o := range []exchange.Order{
			order("lost1", exchange.Buy, exchange.MarketOrder, "0.01"),
			order("lost2", exchange.Buy, exchange.LimitOrder, "0.01", "80000"),
			order("lost3", exchange.Buy, exchange.StopMarket, "0.01", "96000"),
		} {
			fault(w)()
			before := time.Now()
			s, err := w.Exchange.Place(t.Context(), o)
			if !errors.Is(err, exchange.ErrUnknownOutcome) {
				t.Fatalf("%s: %+v, %v; want an unknown outcome", o.ClientID, s, err)
			}
			if at := exchange.SettledAt(err); !at.After(before) {
				t.Errorf("%s: settled at %s, which is before it was sent", o.ClientID, at)
			}
			if !taken {
				if _, err := w.Exchange.Query(t.Context(), o.Ref()); !errors.Is(err, exchange.ErrNotFound) {
					t.Fatalf("asking for %s: %v", o.ClientID, err)
				}
				if got := w.Taken(); got != 0 {
					t.Fatalf("%d orders taken, want none", got)
				}
				continue
			}
			want := []exchange.Status{exchange.Filled, exchange.Pending, exchange.Pending}[i]
			query(t, w, o, want, map[exchange.Status]string{exchange.Filled: "0.01", exchange.Pending: "0"}[want])
			if s, err := exchange.Settle(t.Context(), w.Exchange, o.Ref(), exchange.SettledAt(err)); err != nil || s.Status != want {
				t.Fatalf("settling %s: %+v, %v", o.ClientID, s, err)
			}
			if got := w.Taken(); got != i+1 {
				t.Fatalf("%d orders taken, want %d", got, i+1)
			}
		}
	}
}

func limited(fault func(World) func(int), want error) func(*testing.T, World) {
	return func(t *testing.T, w World) {
		if fault(w) == nil {
			t.Skip("can't happen at this exchange")
		}
		fault(w)(7)
		err := refusal(t, w, order("r1", exchange.Buy, exchange.MarketOrder, "0.01"), want)
		if got := exchange.RetryAfter(err); got != 7*time.Second {
			t.Errorf("to be sent again after %s, want 7s: %v", got, err)
		}
		place(t, w, order("r1", exchange.Buy, exchange.MarketOrder, "0.01"), exchange.Filled)
	}
}

func skewed(by time.Duration) func(*testing.T, World) {
	return func(t *testing.T, w World) {
		if w.Skew == nil {
			t.Skip("can't happen at this exchange")
		}
		w.Skew(by)
		place(t, w, order("k1", exchange.Buy, exchange.MarketOrder, "0.01"), exchange.Filled)
		if got := w.Taken(); got != 1 {
			t.Errorf("%d orders taken, want 1", got)
		}
	}
}

func skewedLater(t *testing.T, w World) {
	if w.Skew == nil {
		t.Skip("can't happen at this exchange")
	}
	place(t, w, order("k1", exchange.Buy, exchange.MarketOrder, "0.01"), exchange.Filled)
	for i, by := range []time.Duration{-time.Minute, time.Minute} {
		w.Skew(by)
		place(t, w, order("k2"+string(rune('a'+i)), exchange.Buy, exchange.MarketOrder, "0.01"), exchange.Filled)
	}
	if got := w.Taken(); got != 3 {
		t.Errorf("%d orders taken, want 3", got)
	}
}

func partialLimit(t *testing.T, w World) {
	if w.Fill == nil {
		t.Skip("can't happen at this exchange")
	}
	w.Fill("0.5")
	o := order("f1", exchange.Buy, exchange.LimitOrder, "0.02", "96000")
	s := place(t, w, o, exchange.PartiallyFilled)
	if !s.Filled.Equal(D("0.01")) || !s.Status.Open() {
		t.Errorf("filled %s of 0.02", s.Filled)
	}
	query(t, w, o, exchange.PartiallyFilled, "0.01")
	if got := open(t, w, Symbol); len(got) != 1 {
		t.Errorf("open: %q", got)
	}
	w.SetPrice("94000")
	if s := query(t, w, o, exchange.Filled, "0.02"); !s.AveragePrice.Equal(D("94500")) {
		t.Errorf("average price %s of 95000 and 94000", s.AveragePrice)
	}
}

func partialMarket(t *testing.T, w World) {
	if w.Fill == nil {
		t.Skip("can't happen at this exchange")
	}
	w.Fill("0.5")
	o := order("f1", exchange.Buy, exchange.MarketOrder, "0.02")
	if s := place(t, w, o, exchange.CancelledOrder); !s.Filled.Equal(D("0.01")) {
		t.Errorf("filled %s of 0.02", s.Filled)
	}
	query(t, w, o, exchange.CancelledOrder, "0.01")
}

func partialCancel(t *testing.T, w World) {
	if w.Fill == nil {
		t.Skip("can't happen at this exchange")
	}
	w.Fill("0.5")
	o := order("f1", exchange.Buy, exchange.LimitOrder, "0.02", "96000")
	place(t, w, o, exchange.PartiallyFilled)
	s, err := w.Exchange.Cancel(t.Context(), o.Ref())
	if err != nil || s.Status != exchange.CancelledOrder || !s.Filled.Equal(D("0.01")) {
		t.Errorf("cancelled %+v, %v", s, err)
	}
	query(t, w, o, exchange.CancelledOrder, "0.01")
}
