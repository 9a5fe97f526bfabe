package exchangetest

import (
	"errors"
	"fmt"
	"testing"

	"switchyard/trading/exchange"
)

// RunHedged runs what an account on futures has to do whose long and short positions are
// kept apart. The world is that of Run, but for that.
func RunHedged(t *testing.T, fresh func(*testing.T) World) {
	for name, test := range map[string]func(*testing.T, World){
		"an order opens and closes the side that it names": sides,
		"an order that names no side":                      noSide,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fresh(t)
			if hedged, err := w.Exchange.Hedged(t.Context()); !hedged || err != nil {
				t.Fatalf("hedged %v, %v", hedged, err)
			}
			test(t, w)
		})
	}
}

func sides(t *testing.T, w World) {
	for i, step := range []struct {
		side     exchange.Side
		of       exchange.PositionSide
		kind     exchange.Type
		quantity string
		reduce   bool
	}{
		{exchange.Buy, exchange.Long, exchange.MarketOrder, "0.03", false},
		{exchange.Sell, exchange.Short, exchange.MarketOrder, "0.02", false},
		{exchange.Sell, exchange.Long, exchange.MarketOrder, "0.01", true},
		{exchange.Sell, exchange.Long, exchange.StopMarket, "0.02", true},
	} {
		o := exchange.Order{ClientID: fmt.Sprint("h", i), Symbol: Symbol, Side: step.side, Type: step.kind, PositionSide: step.of, Quantity: D(step.quantity), ReduceOnly: step.reduce}
		if step.kind.Stop() {
			o.StopPrice = D("90000")
		}
		if _, err := w.Exchange.Place(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	list, err := w.Exchange.Positions(t.Context(), Symbol)
	got := map[exchange.PositionSide]string{}
	for _, p := range list {
		got[p.Side] = p.Quantity.String() + " of " + p.Available.String()
	}
	if err != nil || len(list) != 2 || got[exchange.Long] != "0.02 of 0.02" || got[exchange.Short] != "-0.02 of 0.02" {
		t.Errorf("positions %v, %v", got, err)
	}
	w.SetPrice("89000")
	if list, err = w.Exchange.Positions(t.Context(), Symbol); err != nil || len(list) != 1 || list[0].Side != exchange.Short {
		t.Errorf("after the stop: %+v, %v", list, err)
	}
	more := exchange.Order{ClientID: "more", Symbol: Symbol, Side: exchange.Buy, Type: exchange.MarketOrder, PositionSide: exchange.Short, Quantity: D("0.5"), ReduceOnly: true}
	refused(t, w, more, exchange.ErrRefused)
}

func noSide(t *testing.T, w World) {
	refused(t, w, order("n1", exchange.Buy, exchange.MarketOrder, "0.01"), exchange.ErrPositionMode)
}

// sideInOneWay is an order that names a side where there is only one, or none.
func sideInOneWay(t *testing.T, w World) {
	o := order("s1", exchange.Buy, exchange.MarketOrder, "0.01")
	o.PositionSide = exchange.Long
	if _, err := w.Exchange.Place(t.Context(), o); !errors.Is(err, exchange.ErrPositionMode) || w.Taken() != 0 {
		t.Errorf("with a side in one-way mode: %v, taken %d", err, w.Taken())
	}
}
