package okx

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// quotes are the currencies that a symbol can end in, so that BTCUSDT can be told to be
// BTC-USDT.
var quotes = []string{"USDT", "USDC", "USD", "EUR", "BTC", "ETH"}

// instrumentID is what OKX calls a symbol: BTC-USDT, or BTC-USDT-SWAP.
func (c *Client) instrumentID(op, symbol string) (string, error) {
	for _, quote := range quotes {
		if base, ok := strings.CutSuffix(symbol, quote); ok && base != "" {
			id := base + "-" + quote
			if !c.spot() {
				id += "-SWAP"
			}
			return id, nil
		}
	}
	return "", &exchange.Error{Kind: exchange.ErrSymbol, Op: op, Message: "it ends in none of " + strings.Join(quotes, ", ")}
}

// symbolOf is the symbol that OKX has an id for.
func symbolOf(id string) string {
	return strings.ReplaceAll(strings.TrimSuffix(id, "-SWAP"), "-", "")
}

// units are how much of the base asset one unit of a symbol's size is.
type units struct {
	mu sync.Mutex
	of map[string]decimal.Decimal
}

func (u *units) get(symbol string) (decimal.Decimal, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	d, ok := u.of[symbol]
	return d, ok
}

func (u *units) set(symbol string, d decimal.Decimal) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.of == nil {
		u.of = map[string]decimal.Decimal{}
	}
	u.of[symbol] = d
}

// unit returns how much of the base asset one unit of a symbol's size is: 1 on spot, and
// of swaps a contract, whose size doesn't change.
func (c *Client) unit(ctx context.Context, symbol string) (decimal.Decimal, error) {
	if c.spot() {
		return decimal.NewFromInt(1), nil
	}
	if d, ok := c.units.get(symbol); ok {
		return d, nil
	}
	if _, err := c.Rules(ctx, symbol); err != nil {
		return decimal.Decimal{}, err
	}
	d, ok := c.units.get(symbol)
	if !ok { // the rules were kept longer than their unit, which can't be
		return decimal.Decimal{}, &exchange.Error{Kind: exchange.ErrUnavailable, Op: "size of a contract of " + symbol, Message: "it isn't known"}
	}
	return d, nil
}

// Rules implements exchange.Exchange. They are kept for Options.RulesFor.
func (c *Client) Rules(ctx context.Context, symbol string) (exchange.Rules, error) {
	if r, ok := c.memory.Rules(symbol); ok {
		return r, nil
	}
	c.memory.Forget(symbol) // it may have gone
	op := "rules of " + symbol
	id, err := c.instrumentID(op, symbol)
	if err != nil {
		return exchange.Rules{}, err
	}
	var list []instrument
	err = c.call(ctx, request{op: op, path: "/api/v5/public/instruments", kind: exchange.KindPublic, query: wire.Query{{"instType", c.instType}, {"instId", id}}}, &list)
	if err != nil && !errors.Is(err, exchange.ErrSymbol) {
		return exchange.Rules{}, err
	}
	for _, x := range list {
		if x.ID != id {
			continue
		}
		if !c.spot() && (x.ContractType == "inverse" || !strings.HasPrefix(id, x.ContractAsset+"-")) {
			// A contract of those is worth so many dollars, and is paid in coins.
			return exchange.Rules{}, &exchange.Error{Kind: exchange.ErrSymbol, Op: op, Message: id + " has contracts that aren't of the base coin, such as an inverse swap, which isn't traded here"}
		}
		unit := x.unit(c.spot())
		if !unit.IsPositive() {
			return exchange.Rules{}, &exchange.Error{Kind: exchange.ErrUnavailable, Op: op, Message: "OKX's answer has no size of a contract"}
		}
		r := x.rules(symbol, c.spot(), unit)
		c.units.set(symbol, unit)
		c.memory.Keep(r)
		return r, nil
	}
	return exchange.Rules{}, &exchange.Error{Kind: exchange.ErrSymbol, Op: op, Message: "OKX doesn't list it", Err: err}
}

// instrument is a symbol in public/instruments.
type instrument struct {
	ID            string      `json:"instId"`
	Base          string      `json:"baseCcy"`  // of spot
	Quote         string      `json:"quoteCcy"` // of spot
	Settle        string      `json:"settleCcy"`
	Contract      wire.Number `json:"ctVal"`
	Multiplier    wire.Number `json:"ctMult"`
	ContractAsset string      `json:"ctValCcy"`
	ContractType  string      `json:"ctType"` // linear or inverse
	Tick          wire.Number `json:"tickSz"`
	Lot           wire.Number `json:"lotSz"`
	Min           wire.Number `json:"minSz"`
	MaxLimit      wire.Number `json:"maxLmtSz"`
	MaxMarket     wire.Number `json:"maxMktSz"`
	State         string      `json:"state"`
}

func (d instrument) unit(spot bool) decimal.Decimal {
	if spot {
		return decimal.NewFromInt(1)
	}
	multiplier := d.Multiplier.Decimal
	if multiplier.IsZero() {
		multiplier = decimal.NewFromInt(1)
	}
	return d.Contract.Mul(multiplier)
}

// rules translates them. OKX has no least value: only a least size. On spot the most at
// the market is an amount in USDT, which isn't a quantity and is left to OKX. For stops
// that buy spot see dearest.
func (d instrument) rules(symbol string, spot bool, unit decimal.Decimal) exchange.Rules {
	r := exchange.Rules{Symbol: symbol, Base: d.Base, Quote: d.Quote, Trading: d.State == "live", Price: exchange.Range{Step: d.Tick.Decimal}}
	step, least := d.Lot.Mul(unit), d.Min.Mul(unit)
	r.Quantity = exchange.Range{Min: least, Max: d.MaxLimit.Mul(unit), Step: step}
	r.MarketQuantity = exchange.Range{Min: least, Step: step}
	if spot {
		r.StopCost = dearest
	} else {
		r.Base, r.Quote, r.MarketQuantity.Max, r.ReduceBelowMinimum = d.ContractAsset, d.Settle, d.MaxMarket.Mul(unit), true
	}
	return r
}
