package okx

import (
	"github.com/shopspring/decimal"

	"switchyard/sim/exchanges/matching"
)

// Symbol is what can be traded: the pair on spot, and its swap.
type Symbol struct {
	Name, Base, Quote string
	Spot, Swap        Rules
	// Contract is how much of the base coin one contract of the swap is.
	Contract string
}

// Rules of an instrument; of swaps, sizes are in contracts.
type Rules struct {
	Tick, Lot, Min, MaxLimit, MaxMarket string
}

// usualSymbols have the values that the original had when they were recorded.
func usualSymbols() []Symbol {
	return []Symbol{
		{Name: "BTCUSDT", Base: "BTC", Quote: "USDT", Contract: "0.01",
			Spot: Rules{Tick: "0.1", Lot: "0.00000001", Min: "0.00001", MaxLimit: "9999999999", MaxMarket: "1000000"},
			Swap: Rules{Tick: "0.1", Lot: "0.01", Min: "0.01", MaxLimit: "100000000", MaxMarket: "12000"}},
		{Name: "ETHUSDT", Base: "ETH", Quote: "USDT", Contract: "0.1",
			Spot: Rules{Tick: "0.01", Lot: "0.000001", Min: "0.0001", MaxLimit: "9999999999", MaxMarket: "1000000"},
			Swap: Rules{Tick: "0.01", Lot: "0.01", Min: "0.01", MaxLimit: "100000000", MaxMarket: "20000"}},
	}
}

// id is what OKX calls it.
func (x Symbol) id(m matching.Market) string {
	if m == matching.Spot {
		return x.Base + "-" + x.Quote
	}
	return x.Base + "-" + x.Quote + "-SWAP"
}

func (x Symbol) on(m matching.Market) Rules {
	if m == matching.Spot {
		return x.Spot
	}
	return x.Swap
}

// size is how much of the base coin one unit of an order's size is.
func (x Symbol) size(m matching.Market) decimal.Decimal {
	if m == matching.Spot {
		return decimal.NewFromInt(1)
	}
	return dec(x.Contract)
}

// instrument finds what an id stands for.
func (s *Server) instrument(id string) (Symbol, matching.Market, bool) {
	for _, x := range s.opt.Symbols {
		for _, m := range []matching.Market{matching.Spot, matching.Futures} {
			if x.id(m) == id {
				return x, m, true
			}
		}
	}
	return Symbol{}, "", false
}

// info is the symbol in public/instruments.
func (x Symbol) info(m matching.Market) map[string]any {
	r := x.on(m)
	out := map[string]any{"instId": x.id(m), "instType": instType(m), "baseCcy": "", "quoteCcy": "", "settleCcy": "", "ctVal": "", "ctMult": "", "ctValCcy": "", "ctType": "",
		"uly": "", "instFamily": "", "tickSz": r.Tick, "lotSz": r.Lot, "minSz": r.Min, "maxLmtSz": r.MaxLimit, "maxMktSz": r.MaxMarket, "maxMktAmt": "", "maxLmtAmt": "20000000",
		"maxTriggerSz": r.MaxLimit, "maxStopSz": r.MaxMarket, "state": "live", "lever": "10", "listTime": "1548133413000", "expTime": ""}
	if m == matching.Spot {
		out["baseCcy"], out["quoteCcy"], out["maxMktAmt"] = x.Base, x.Quote, r.MaxMarket
		return out
	}
	pair := x.Base + "-" + x.Quote
	out["settleCcy"], out["ctVal"], out["ctMult"], out["ctValCcy"], out["ctType"], out["uly"], out["instFamily"] = x.Quote, x.Contract, "1", x.Base, "linear", pair, pair
	return out
}

func instType(m matching.Market) string {
	if m == matching.Spot {
		return "SPOT"
	}
	return "SWAP"
}

// check applies the rules to an order.
func (x Symbol) check(o *matching.Order) *refusal {
	r, size := x.on(o.Market), o.Qty.Div(x.size(o.Market))
	most := dec(r.MaxMarket)
	if o.Limited {
		most = dec(r.MaxLimit)
	}
	for name, p := range map[string]decimal.Decimal{"px": o.Price, "triggerPx": o.Stop} {
		if !p.Mod(dec(r.Tick)).IsZero() {
			return refuse("51000", "Parameter "+name+" error")
		}
	}
	switch {
	case size.LessThan(dec(r.Min)):
		return refuse("51020", "Your order should meet or exceed the minimum order amount.")
	case !size.Mod(dec(r.Lot)).IsZero():
		return refuse("51121", "Order quantity must be a multiple of the lot size.")
	case size.GreaterThan(most):
		return refuse("51202", "Market order amount exceeds the maximum amount.")
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
