package binance

import (
	"context"
	"errors"
	"net/http"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// symbolDocument is a symbol in exchangeInfo. Its precisions are left out on purpose:
// they aren't the steps (BTCUSDT on futures: precision 2, step 0.10).
type symbolDocument struct {
	Symbol     string   `json:"symbol"`
	Status     string   `json:"status"`
	BaseAsset  string   `json:"baseAsset"`
	QuoteAsset string   `json:"quoteAsset"`
	Filters    []filter `json:"filters"`
}

// filter has the members of all the filters that we keep to.
type filter struct {
	Type             string      `json:"filterType"`
	MinPrice         wire.Number `json:"minPrice"`
	MaxPrice         wire.Number `json:"maxPrice"`
	TickSize         wire.Number `json:"tickSize"`
	MinQty           wire.Number `json:"minQty"`
	MaxQty           wire.Number `json:"maxQty"`
	StepSize         wire.Number `json:"stepSize"`
	Notional         wire.Number `json:"notional"`    // MIN_NOTIONAL on futures
	MinNotional      wire.Number `json:"minNotional"` // MIN_NOTIONAL and NOTIONAL on spot
	ApplyToMarket    bool        `json:"applyToMarket"`
	ApplyMinToMarket bool        `json:"applyMinToMarket"`
}

// rules translates the filters of a symbol.
func (d symbolDocument) rules(m exchange.Market) exchange.Rules {
	r := exchange.Rules{Symbol: d.Symbol, Base: d.BaseAsset, Quote: d.QuoteAsset, Trading: d.Status == "TRADING", ReduceBelowMinimum: m == exchange.Futures}
	var market exchange.Range
	for _, f := range d.Filters {
		switch f.Type {
		case "PRICE_FILTER":
			r.Price = exchange.Range{Min: f.MinPrice.Decimal, Max: f.MaxPrice.Decimal, Step: f.TickSize.Decimal}
		case "LOT_SIZE":
			r.Quantity = exchange.Range{Min: f.MinQty.Decimal, Max: f.MaxQty.Decimal, Step: f.StepSize.Decimal}
		case "MARKET_LOT_SIZE":
			market = exchange.Range{Min: f.MinQty.Decimal, Max: f.MaxQty.Decimal, Step: f.StepSize.Decimal}
		case "MIN_NOTIONAL", "NOTIONAL":
			r.MinNotional = decimal.Max(f.MinNotional.Decimal, f.Notional.Decimal)
			if m == exchange.Futures || f.ApplyToMarket || f.ApplyMinToMarket {
				r.MinNotionalMarket = r.MinNotional
			}
		}
	}
	// Both filters hold for orders at the market, and a zero stands for no limit:
	// on spot MARKET_LOT_SIZE usually has no step.
	r.MarketQuantity = exchange.Range{
		Min: decimal.Max(r.Quantity.Min, market.Min), Max: r.Quantity.Max, Step: decimal.Max(r.Quantity.Step, market.Step),
	}
	if market.Max.IsPositive() && (r.Quantity.Max.IsZero() || market.Max.LessThan(r.Quantity.Max)) {
		r.MarketQuantity.Max = market.Max
	}
	return r
}

// Rules implements exchange.Exchange. They are kept for Options.RulesFor.
func (c *Client) Rules(ctx context.Context, symbol string) (exchange.Rules, error) {
	if r, ok := c.memory.Rules(symbol); ok {
		return r, nil
	}
	c.memory.Forget(symbol) // it may have gone
	if err := c.market.readRules(ctx, symbol); err != nil {
		return exchange.Rules{}, err
	}
	if r, ok := c.memory.Kept(symbol); ok {
		return r, nil
	}
	return exchange.Rules{}, &exchange.Error{Kind: exchange.ErrSymbol, Op: "rules of " + symbol, Message: "Binance doesn't list it"}
}

// readSymbols reads exchangeInfo. An unknown symbol is no error here: Rules says so.
func (c *Client) readSymbols(ctx context.Context, path string, weight int, p wire.Query) error {
	var d struct {
		Symbols []symbolDocument `json:"symbols"`
	}
	err := c.call(ctx, request{op: "rules", method: http.MethodGet, path: path, weight: weight, params: p}, &d)
	if err != nil && !errors.Is(err, exchange.ErrSymbol) {
		return err
	}
	for _, x := range d.Symbols {
		c.memory.Keep(x.rules(c.opt.Market))
	}
	return nil
}
