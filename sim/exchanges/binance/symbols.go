package binance

import (
	"strings"

	"github.com/shopspring/decimal"

	"switchyard/sim/exchanges/matching"
)

// Symbol is what can be traded, on both markets.
type Symbol struct {
	Name, Base, Quote string
	Spot, Futures     Filters
}

// Filters are the rules of a symbol on one market.
type Filters struct {
	Tick, Step, MinQty, MaxQty, MarketMaxQty, MinNotional string
	// Precision is what exchangeInfo says and nobody should use.
	Precision int
}

// usualSymbols have the values that the original had when they were recorded.
func usualSymbols() []Symbol {
	return []Symbol{
		{Name: "BTCUSDT", Base: "BTC", Quote: "USDT",
			Spot:    Filters{Tick: "0.01", Step: "0.00001", MinQty: "0.00001", MaxQty: "9000", MarketMaxQty: "97.1", MinNotional: "5", Precision: 8},
			Futures: Filters{Tick: "0.10", Step: "0.001", MinQty: "0.001", MaxQty: "1000", MarketMaxQty: "120", MinNotional: "100", Precision: 2}},
		{Name: "ETHUSDT", Base: "ETH", Quote: "USDT",
			Spot:    Filters{Tick: "0.01", Step: "0.0001", MinQty: "0.0001", MaxQty: "9000", MarketMaxQty: "2500", MinNotional: "5", Precision: 8},
			Futures: Filters{Tick: "0.01", Step: "0.001", MinQty: "0.001", MaxQty: "10000", MarketMaxQty: "2000", MinNotional: "20", Precision: 2}},
	}
}

func (x Symbol) on(market matching.Market) Filters {
	if market == Spot {
		return x.Spot
	}
	return x.Futures
}

// info is the symbol in exchangeInfo.
func (x Symbol) info(market matching.Market) map[string]any {
	f := x.on(market)
	price := map[string]any{"filterType": "PRICE_FILTER", "minPrice": f.Tick, "maxPrice": "1000000", "tickSize": f.Tick}
	lot := map[string]any{"filterType": "LOT_SIZE", "minQty": f.MinQty, "maxQty": f.MaxQty, "stepSize": f.Step}
	out := map[string]any{"symbol": x.Name, "status": "TRADING", "baseAsset": x.Base, "quoteAsset": x.Quote}
	if market == Spot {
		out["baseAssetPrecision"], out["quotePrecision"] = f.Precision, f.Precision
		out["orderTypes"] = []string{"LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"}
		out["filters"] = []any{price, lot,
			map[string]any{"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": f.MarketMaxQty, "stepSize": "0.00000000"},
			map[string]any{"filterType": "NOTIONAL", "minNotional": f.MinNotional, "applyMinToMarket": true, "maxNotional": "9000000", "applyMaxToMarket": false, "avgPriceMins": 5},
			map[string]any{"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
		}
		return out
	}
	out["pair"], out["contractType"], out["marginAsset"] = x.Name, "PERPETUAL", x.Quote
	out["pricePrecision"], out["quantityPrecision"] = f.Precision, 3
	out["orderTypes"] = []string{"LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"}
	out["filters"] = []any{price, lot,
		map[string]any{"filterType": "MARKET_LOT_SIZE", "minQty": f.MinQty, "maxQty": f.MarketMaxQty, "stepSize": f.Step},
		map[string]any{"filterType": "MIN_NOTIONAL", "notional": f.MinNotional},
		map[string]any{"filterType": "MAX_NUM_ORDERS", "limit": 200},
	}
	return out
}

// check applies the filters to an order, with the codes of its market.
func (x Symbol) check(o *matching.Order, last decimal.Decimal) *refusal {
	f := x.on(o.Market)
	tick, step := dec(f.Tick), dec(f.Step)
	for name, v := range map[string]decimal.Decimal{"price": o.Price, "stopPrice": o.Stop, "quantity": o.Qty} {
		if _, digits, _ := strings.Cut(v.String(), "."); len(digits) > 8 {
			return refuse(-1111, "Parameter '"+name+"' has too much precision.")
		}
	}
	spot := o.Market == Spot
	pick := func(code int, msg, filter string) *refusal {
		if spot {
			return refuse(-1013, "Filter failure: "+filter)
		}
		return refuse(code, msg)
	}
	for _, p := range []decimal.Decimal{o.Price, o.Stop} {
		switch {
		case p.IsNegative():
			return pick(-4001, "Price less than 0.", "PRICE_FILTER")
		case !p.Mod(tick).IsZero():
			return pick(-4014, "Price not increased by tick size.", "PRICE_FILTER")
		case p.GreaterThan(decimal.NewFromInt(1000000)):
			return pick(-4002, "Price greater than max price.", "PRICE_FILTER")
		}
	}
	switch {
	case !o.Qty.IsPositive():
		return pick(-4003, "Quantity less than or equal to zero.", "LOT_SIZE")
	case o.Qty.LessThan(dec(f.MinQty)):
		return pick(-4004, "Quantity less than min quantity.", "LOT_SIZE")
	case o.Qty.GreaterThan(dec(f.MaxQty)):
		return pick(-4005, "Quantity greater than max quantity.", "LOT_SIZE")
	case !o.Qty.Mod(step).IsZero():
		return pick(-4023, "Qty not increased by step size.", "LOT_SIZE")
	case !o.Limited && o.Qty.GreaterThan(dec(f.MarketMaxQty)):
		return pick(-4005, "Quantity greater than max quantity.", "MARKET_LOT_SIZE")
	}
	price := last
	switch {
	case o.Limited:
		price = o.Price
	case o.Waits():
		price = o.Stop
	}
	if price.Mul(o.Qty).LessThan(dec(f.MinNotional)) && (spot || !o.ReduceOnly) {
		return pick(-4164, "Order's notional must be no smaller than "+f.MinNotional+" (unless you choose reduce only).", "NOTIONAL")
	}
	return nil
}

// dec reads a number of this package's own.
func dec(s string) decimal.Decimal {
	if s == "" {
		return decimal.Decimal{}
	}
	return decimal.RequireFromString(s)
}
