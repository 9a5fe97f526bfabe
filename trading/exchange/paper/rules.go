package paper

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
)

//go:embed rules.json
var rulesFile []byte

// symbolRules are one line of the file. Max bounds a quantity, Notional is the least
// value of an order; Price is where the made-up price begins.
type symbolRules struct {
	Exchange string          `json:"exchange"`
	Market   exchange.Market `json:"market"`
	Base     string          `json:"base"`
	Quote    string          `json:"quote"`
	Price    decimal.Decimal `json:"price"`
	Tick     decimal.Decimal `json:"tick"`
	Step     decimal.Decimal `json:"step"`
	Min      decimal.Decimal `json:"min"`
	Max      decimal.Decimal `json:"max"`
	Notional decimal.Decimal `json:"notional"`
}

type rulesKey struct {
	exchange string
	market   exchange.Market
	symbol   string
}

// bundled reads the file, which a test has read, too.
var bundled = sync.OnceValues(func() (map[rulesKey]symbolRules, error) {
	var doc struct {
		Symbols []symbolRules `json:"symbols"`
	}
	if err := json.Unmarshal(rulesFile, &doc); err != nil {
		return nil, fmt.Errorf("reading the bundled rules of paper trading: %w", err)
	}
	out := map[rulesKey]symbolRules{}
	for _, s := range doc.Symbols {
		out[rulesKey{s.Exchange, s.Market, s.Base + s.Quote}] = s
	}
	return out, nil
})

// of returns the rules of a symbol.
func (x *Exchange) of(symbol string) (symbolRules, error) {
	all, err := bundled()
	if err != nil {
		return symbolRules{}, err
	}
	s, ok := all[rulesKey{x.opt.Account.Exchange, x.opt.Market, symbol}]
	if !ok {
		return s, &exchange.Error{Kind: exchange.ErrSymbol, Op: "rules of " + symbol,
			Message: fmt.Sprintf("paper trading at %s knows no %s %s", x.opt.Account.Exchange, x.opt.Market, symbol)}
	}
	return s, nil
}

func (s symbolRules) rules() exchange.Rules {
	lot := exchange.Range{Min: s.Min, Max: s.Max, Step: s.Step}
	return exchange.Rules{
		Symbol: s.Base + s.Quote, Base: s.Base, Quote: s.Quote, Trading: true,
		Price: exchange.Range{Min: s.Tick, Step: s.Tick}, Quantity: lot, MarketQuantity: lot,
		MinNotional: s.Notional, MinNotionalMarket: s.Notional, ReduceBelowMinimum: s.Market == exchange.Futures,
	}
}
