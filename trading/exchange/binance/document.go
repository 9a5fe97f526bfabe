package binance

import (
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// orderDocument is an order in the answers of both markets.
type orderDocument struct {
	Symbol            string      `json:"symbol"`
	OrderID           wire.Text   `json:"orderId"`
	ClientOrderID     string      `json:"clientOrderId"`
	OrigClientOrderID string      `json:"origClientOrderId"` // of a cancelled spot order
	Side              string      `json:"side"`
	PositionSide      string      `json:"positionSide"`
	Type              string      `json:"type"`
	Status            string      `json:"status"`
	Price             wire.Number `json:"price"`
	StopPrice         wire.Number `json:"stopPrice"`
	OrigQty           wire.Number `json:"origQty"`
	ExecutedQty       wire.Number `json:"executedQty"`
	QuoteQty          wire.Number `json:"cummulativeQuoteQty"` // spot
	CumQuote          wire.Number `json:"cumQuote"`            // futures
	AvgPrice          wire.Number `json:"avgPrice"`            // futures
	ReduceOnly        bool        `json:"reduceOnly"`
	UpdateTime        int64       `json:"updateTime"`
	TransactTime      int64       `json:"transactTime"`
}

// statuses by Binance's words.
var statuses = map[string]exchange.Status{
	"NEW": exchange.Pending, "PENDING_NEW": exchange.Pending, "PENDING_CANCEL": exchange.Pending,
	"PARTIALLY_FILLED": exchange.PartiallyFilled, "FILLED": exchange.Filled,
	"CANCELED": exchange.CancelledOrder, "EXPIRED": exchange.CancelledOrder, "EXPIRED_IN_MATCH": exchange.CancelledOrder,
	"REJECTED": exchange.Failed,
}

// types by Binance's words, of both markets.
var types = map[string]exchange.Type{
	"MARKET": exchange.MarketOrder, "LIMIT": exchange.LimitOrder, "LIMIT_MAKER": exchange.LimitOrder,
	"STOP_LOSS": exchange.StopMarket, "TAKE_PROFIT_MARKET": exchange.StopMarket, "STOP_MARKET": exchange.StopMarket,
	"STOP_LOSS_LIMIT": exchange.StopLimit, "TAKE_PROFIT_LIMIT": exchange.StopLimit, "STOP": exchange.StopLimit,
}

// typeOf translates a type. TAKE_PROFIT is at the market on spot, limited on futures.
func typeOf(m exchange.Market, t string) exchange.Type {
	if t == "TAKE_PROFIT" {
		if m == exchange.Spot {
			return exchange.StopMarket
		}
		return exchange.StopLimit
	}
	if known, ok := types[t]; ok {
		return known
	}
	return exchange.Type(t) // somebody else's order
}

func statusOf(s string) exchange.Status {
	if known, ok := statuses[s]; ok {
		return known
	}
	return exchange.Unknown
}

func positionSide(s string) exchange.PositionSide {
	if s == "BOTH" {
		return exchange.OneWay
	}
	return exchange.PositionSide(s)
}

func stamp(ms ...int64) time.Time {
	for _, t := range ms {
		if t > 0 {
			return time.UnixMilli(t).UTC()
		}
	}
	return time.Time{}
}

// state translates an order.
func (d orderDocument) state(m exchange.Market) exchange.State {
	id := d.ClientOrderID
	if d.OrigClientOrderID != "" {
		id = d.OrigClientOrderID
	}
	s := exchange.State{
		Order: exchange.Order{
			ClientID: id, Symbol: d.Symbol, Side: exchange.Side(strings.ToLower(d.Side)), Type: typeOf(m, d.Type),
			PositionSide: positionSide(d.PositionSide), Quantity: d.OrigQty.Decimal, Price: d.Price.Decimal, StopPrice: d.StopPrice.Decimal,
			ReduceOnly: d.ReduceOnly,
		},
		ID: string(d.OrderID), Status: statusOf(d.Status), Filled: d.ExecutedQty.Decimal, AveragePrice: d.AvgPrice.Decimal,
		Updated: stamp(d.UpdateTime, d.TransactTime),
	}
	if !s.Type.Limited() {
		s.Price = decimal.Decimal{}
	}
	if !s.AveragePrice.IsPositive() && s.Filled.IsPositive() {
		s.AveragePrice = decimal.Max(d.QuoteQty.Decimal, d.CumQuote.Decimal).Div(s.Filled)
	}
	return s
}

// states translates a list.
func states(m exchange.Market, list []orderDocument) []exchange.State {
	out := make([]exchange.State, 0, len(list))
	for _, d := range list {
		out = append(out, d.state(m))
	}
	return out
}
