package bybit

import (
	"strings"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// orderDocument is an order in an answer.
type orderDocument struct {
	OrderID      wire.Text   `json:"orderId"`
	LinkID       string      `json:"orderLinkId"`
	Symbol       string      `json:"symbol"`
	Side         string      `json:"side"`
	Type         string      `json:"orderType"`
	Status       string      `json:"orderStatus"`
	RejectReason string      `json:"rejectReason"`
	PositionIdx  int         `json:"positionIdx"`
	Price        wire.Number `json:"price"`
	Trigger      wire.Number `json:"triggerPrice"`
	Qty          wire.Number `json:"qty"`
	Executed     wire.Number `json:"cumExecQty"`
	Value        wire.Number `json:"cumExecValue"`
	Average      wire.Number `json:"avgPrice"`
	ReduceOnly   bool        `json:"reduceOnly"`
	Created      wire.Text   `json:"createdTime"`
	Updated      wire.Text   `json:"updatedTime"`
}

// statuses by Bybit's words. Triggered is the moment between Untriggered and New.
var statuses = map[string]exchange.Status{
	"New": exchange.Pending, "Untriggered": exchange.Pending, "Triggered": exchange.Pending, "Created": exchange.Pending,
	"PartiallyFilled": exchange.PartiallyFilled, "Filled": exchange.Filled,
	"Cancelled": exchange.CancelledOrder, "PartiallyFilledCanceled": exchange.CancelledOrder, "Deactivated": exchange.CancelledOrder,
	"Rejected": exchange.Failed,
}

// sides of a position by positionIdx.
var sides = []exchange.PositionSide{exchange.OneWay, exchange.Long, exchange.Short}

// state translates an order.
func (d orderDocument) state() exchange.State {
	s := exchange.State{
		Order: exchange.Order{
			ClientID: d.LinkID, Symbol: d.Symbol, Side: exchange.Side(strings.ToLower(d.Side)), Quantity: d.Qty.Decimal, Price: d.Price.Decimal,
			StopPrice: d.Trigger.Decimal, ReduceOnly: d.ReduceOnly, Type: exchange.Type(d.Type), // somebody else's order
		},
		ID: string(d.OrderID), Status: exchange.Unknown, Filled: d.Executed.Decimal, AveragePrice: d.Average.Decimal, Updated: d.Updated.Millis(),
	}
	if known, ok := statuses[d.Status]; ok {
		s.Status = known
	}
	if d.PositionIdx > 0 && d.PositionIdx < len(sides) {
		s.PositionSide = sides[d.PositionIdx]
	}
	stop := d.Trigger.IsPositive()
	switch {
	case d.Type == "Limit" && stop:
		s.Type = exchange.StopLimit
	case d.Type == "Limit":
		s.Type = exchange.LimitOrder
	case d.Type == "Market" && stop:
		s.Type = exchange.StopMarket
	case d.Type == "Market":
		s.Type = exchange.MarketOrder
	}
	if !s.Type.Limited() {
		s.Price = decimal.Decimal{} // of orders at the market it is the worst that is taken
	}
	if !s.AveragePrice.IsPositive() && s.Filled.IsPositive() {
		s.AveragePrice = d.Value.Div(s.Filled)
	}
	return s
}
