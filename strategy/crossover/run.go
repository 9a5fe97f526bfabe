package crossover

import (
	"context"
	"fmt"

	"switchyard/strategy/backtest"
	"switchyard/strategy/catalog"
	"switchyard/strategy/prices"
)

// Parameters as package catalog fills them in.
type Parameters struct {
	Symbol         string      `json:"symbol"`
	ShortWindow    int         `json:"short_window"`
	LongWindow     int         `json:"long_window"`
	Average        string      `json:"average"`
	InitialCapital float64     `json:"initial_capital"`
	Commission     float64     `json:"commission"`
	AllowShort     bool        `json:"allow_short"`
	Start          *prices.Day `json:"start_date"`
	End            *prices.Day `json:"end_date"`
}

// maxTrades is the most trades that a result tells; there may be more.
const maxTrades = 1000

// Trade is a position from its opening to its closing.
type Trade struct {
	// Side is long or short.
	Side string `json:"side"`
	// Size in shares.
	Size       int64      `json:"size"`
	EntryDate  prices.Day `json:"entry_date"`
	EntryPrice float64    `json:"entry_price"`
	ExitDate   prices.Day `json:"exit_date"`
	ExitPrice  float64    `json:"exit_price"`
	// Profit in money, commission taken off.
	Profit float64 `json:"profit"`
	// Return is the profit as a part of what was put in.
	Return float64 `json:"return"`
}

// Result of a backtest.
type Result struct {
	Strategy string `json:"strategy"`
	Symbol   string `json:"symbol"`
	// DataSource of the prices: generated, folder or http.
	DataSource string `json:"data_source"`
	backtest.Measures
	InitialCapital float64 `json:"initial_capital"`
	// WinRate is the part of the trades with a profit; 0 where there was none.
	WinRate    float64 `json:"win_rate"`
	TradeCount int     `json:"trade_count"`
	// Turnover is how much was bought in a year, as a part of what there was.
	Turnover float64 `json:"turnover"`
	// Exposure is the part of the days with a position.
	Exposure float64 `json:"exposure"`
	// Costs that were paid, in money.
	Costs float64 `json:"costs"`
	// BuyAndHold is the return of holding the asset from the first decision on.
	BuyAndHold float64 `json:"buy_and_hold_return"`
	// CurrentWeights are those at the last close, before what is open is closed.
	CurrentWeights backtest.Weights `json:"current_weights"`
	// NextAllocation is what the last close says.
	NextAllocation backtest.Allocation `json:"next_allocation"`
	// Trades, the newest 1000 of them, the oldest first.
	Trades []Trade `json:"trades"`
	backtest.History
}

// Run makes the backtest. Errors: *prices.FormatError where there are no opens, too
// few days or a month without any, or that of ctx.
func Run(ctx context.Context, p Parameters, series *prices.Series) (*Result, error) {
	bars := series.Bars
	if p.End != nil {
		bars = upTo(bars, *p.End)
	}
	fault := func(format string, args ...any) error {
		return &prices.FormatError{Where: series.Symbol, Reason: fmt.Sprintf(format, args...)}
	}
	if len(bars) < p.LongWindow+2 {
		return nil, fault("there are %d days, and a long window of %d takes %d", len(bars), p.LongWindow, p.LongWindow+2)
	}
	closes := make([]float64, len(bars))
	for i, b := range bars {
		closes[i] = b.Close
		if b.Open == 0 {
			return nil, fault("there is no open on %s, and it is at the open that is bought and sold", b.Day)
		}
	}
	exponential := p.Average == "EMA"
	short, long := averages(closes, p.ShortWindow, exponential), averages(closes, p.LongWindow, exponential)
	first := p.LongWindow
	for p.Start != nil && first < len(bars) && bars[first].Day < *p.Start {
		first++
	}
	if first >= len(bars)-1 {
		return nil, fault("there are too few days after start_date")
	}
	days := make([]prices.Day, 0, len(bars))
	for _, b := range bars[first-p.LongWindow:] {
		days = append(days, b.Day)
	}
	if err := prices.Complete(series.Symbol, days); err != nil {
		return nil, err
	}
	a := &account{p: p, cash: p.InitialCapital}
	curve := make([]backtest.Point, 0, len(bars)-first)
	want, exposed := 0, 0
	for i := first; i < len(bars) && !a.broke; i++ {
		if i%1000 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if i > first && want != 0 {
			a.turn(want, bars[i].Day, bars[i].Open)
		}
		want = 0
		if a.size != 0 {
			exposed++
		}
		a.check(bars[i])
		curve = append(curve, backtest.Point{Day: bars[i].Day, Value: a.equity(bars[i].Close)})
		switch {
		case crossed(short, long, i):
			want = 1
		case crossed(long, short, i):
			want = -1
		}
	}
	last := bars[len(bars)-1]
	weights := a.weights(series.Symbol, last.Close)
	a.close(last.Day, last.Open)
	a.cash = max(0, a.cash) // at the open a short position may have lost more than there was
	curve[len(curve)-1].Value = a.cash
	for i := len(curve); first+i < len(bars); i++ { // of one that lost all
		curve = append(curve, backtest.Point{Day: bars[first+i].Day, Value: a.cash})
	}
	return a.result(series.Symbol, curve, summary{
		exposure: float64(exposed) / float64(len(curve)), held: last.Close/bars[first].Close - 1, weights: weights,
		above: short[len(bars)-1] > long[len(bars)-1],
	}), nil
}

func upTo(bars []prices.Bar, end prices.Day) []prices.Bar {
	for len(bars) > 0 && bars[len(bars)-1].Day > end {
		bars = bars[:len(bars)-1]
	}
	return bars
}

// summary is what the account doesn't know.
type summary struct {
	exposure, held float64
	weights        backtest.Weights
	above          bool
}

func (a *account) result(symbol string, curve []backtest.Point, s summary) *Result {
	r := &Result{
		Strategy: catalog.MovingAverageCrossover, Symbol: symbol, Measures: backtest.Measure(curve, a.p.InitialCapital), InitialCapital: a.p.InitialCapital,
		TradeCount: len(a.trades), Exposure: s.exposure, Costs: a.costs, BuyAndHold: s.held, CurrentWeights: s.weights,
		Trades: a.trades[max(0, len(a.trades)-maxTrades):], History: backtest.HistoryOf(curve, a.p.InitialCapital),
	}
	if r.Trades == nil {
		r.Trades = []Trade{}
	}
	won := 0
	for _, t := range a.trades {
		if t.Profit > 0 {
			won++
		}
	}
	if won > 0 {
		r.WinRate = float64(won) / float64(len(a.trades))
	}
	if days := float64(curve[len(curve)-1].Day - curve[0].Day); days > 0 {
		r.Turnover = a.turned / days * 365.25
	}
	r.NextAllocation = backtest.Allocation{Date: curve[len(curve)-1].Day, Regime: "cash", Weights: backtest.Weights{}}
	switch {
	case s.above:
		r.NextAllocation.Regime, r.NextAllocation.Weights = "long", backtest.Weights{{Asset: symbol, Part: 1}}
	case a.p.AllowShort:
		r.NextAllocation.Regime, r.NextAllocation.Weights = "short", backtest.Weights{{Asset: symbol, Part: -1}}
	}
	return r
}
