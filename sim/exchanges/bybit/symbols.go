package bybit

import (
	"github.com/shopspring/decimal"

	"switchyard/sim/exchanges/matching"
)

// Symbol is what can be traded, on both markets.
type Symbol struct {
	Name, Base, Quote string
	Spot              SpotRules
	Linear            LinearRules
}

// SpotRules are those of a symbol on spot.
type SpotRules struct {
	Tick, BasePrecision, MaxLimit, MaxMarket, MinAmount string
}

// LinearRules are those of a contract.
type LinearRules struct {
	Tick, Step, Min, Max, MaxMarket, MinNotional string
}

// usualSymbols have the values that the original had when they were recorded.
func usualSymbols() []Symbol {
	return []Symbol{
		{Name: "BTCUSDT", Base: "BTC", Quote: "USDT",
			Spot:   SpotRules{Tick: "0.1", BasePrecision: "0.000001", MaxLimit: "83", MaxMarket: "41.5", MinAmount: "5"},
			Linear: LinearRules{Tick: "0.10", Step: "0.001", Min: "0.001", Max: "1190.000", MaxMarket: "500.000", MinNotional: "5"}},
		{Name: "ETHUSDT", Base: "ETH", Quote: "USDT",
			Spot:   SpotRules{Tick: "0.01", BasePrecision: "0.00001", MaxLimit: "2800", MaxMarket: "1400", MinAmount: "5"},
			Linear: LinearRules{Tick: "0.01", Step: "0.01", Min: "0.01", Max: "8000.00", MaxMarket: "4000.00", MinNotional: "5"}},
	}
}

// info is the symbol in instruments-info.
func (x Symbol) info(m matching.Market) map[string]any {
	out := map[string]any{"symbol": x.Name, "baseCoin": x.Base, "quoteCoin": x.Quote, "status": "Trading"}
	if m == matching.Spot {
		out["innovation"], out["marginTrading"], out["stTag"] = "0", "utaOnly", "0"
		out["lotSizeFilter"] = map[string]string{"basePrecision": x.Spot.BasePrecision, "quotePrecision": "0.0000001", "minOrderQty": x.Spot.BasePrecision, "maxOrderQty": x.Spot.MaxLimit,
			"minOrderAmt": x.Spot.MinAmount, "maxOrderAmt": "8000000", "maxLimitOrderQty": x.Spot.MaxLimit, "maxMarketOrderQty": x.Spot.MaxMarket, "postOnlyMaxLimitOrderSize": "60000"}
		out["priceFilter"] = map[string]string{"tickSize": x.Spot.Tick}
		return out
	}
	out["contractType"], out["launchTime"], out["deliveryTime"], out["deliveryFeeRate"], out["priceScale"] = "LinearPerpetual", "1585526400000", "0", "", "2"
	out["settleCoin"], out["unifiedMarginTrade"], out["fundingInterval"], out["copyTrading"] = x.Quote, true, 480, "both"
	out["leverageFilter"] = map[string]string{"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"}
	out["priceFilter"] = map[string]string{"minPrice": x.Linear.Tick, "maxPrice": "1999999.80", "tickSize": x.Linear.Tick}
	out["lotSizeFilter"] = map[string]string{"maxOrderQty": x.Linear.Max, "minOrderQty": x.Linear.Min, "qtyStep": x.Linear.Step, "postOnlyMaxOrderQty": x.Linear.Max,
		"maxMktOrderQty": x.Linear.MaxMarket, "minNotionalValue": x.Linear.MinNotional}
	return out
}

func (x Symbol) step(m matching.Market) decimal.Decimal {
	if m == matching.Spot {
		return dec(x.Spot.BasePrecision)
	}
	return dec(x.Linear.Step)
}

// check applies the rules to an order, with the codes of its market.
func (x Symbol) check(o *matching.Order, last decimal.Decimal) *refusal {
	value := last.Mul(o.Qty)
	switch {
	case o.Limited:
		value = o.Price.Mul(o.Qty)
	case o.Conditional:
		value = o.Stop.Mul(o.Qty)
	}
	prices := []decimal.Decimal{o.Price, o.Stop}
	if o.Market == matching.Spot {
		most := dec(x.Spot.MaxMarket)
		if o.Limited {
			most = dec(x.Spot.MaxLimit)
		}
		for _, p := range prices {
			if !p.Mod(dec(x.Spot.Tick)).IsZero() {
				return refuse(170134, "Order price has too many decimals.")
			}
		}
		switch {
		case !o.Qty.Mod(dec(x.Spot.BasePrecision)).IsZero():
			return refuse(170137, "Order volume decimal too long.")
		case o.Qty.GreaterThan(most):
			return refuse(170135, "Order quantity exceeded upper limit.")
		case !o.Qty.IsPositive():
			return refuse(170136, "Order quantity exceeded lower limit.")
		case value.LessThan(dec(x.Spot.MinAmount)):
			return refuse(170140, "Order value exceeded lower limit.")
		}
		return nil
	}
	most := dec(x.Linear.MaxMarket)
	if o.Limited {
		most = dec(x.Linear.Max)
	}
	for _, p := range prices {
		switch {
		case !p.Mod(dec(x.Linear.Tick)).IsZero():
			return refuse(10001, "Price invalid")
		case p.GreaterThan(decimal.NewFromInt(1999999)):
			return refuse(110003, "Order price exceeds the allowable range.")
		}
	}
	switch {
	case !o.Qty.Mod(dec(x.Linear.Step)).IsZero(), o.Qty.LessThan(dec(x.Linear.Min)):
		return refuse(10001, "Qty invalid")
	case o.Qty.GreaterThan(most):
		return refuse(10001, "The number of contracts exceeds maximum limit allowed: too large")
	case value.LessThan(dec(x.Linear.MinNotional)) && !o.ReduceOnly:
		return refuse(110094, "Order does not meet minimum order value "+x.Linear.MinNotional+x.Quote)
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
