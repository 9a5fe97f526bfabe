package backtest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"switchyard/strategy/prices"
)

// Weights are parts by asset: in JSON an object, in their order.
type Weights []Weight

// MarshalJSON writes {"SPY":0.5,"QQQ":0.5}.
func (w Weights) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, x := range w {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(x.Asset)
		if err != nil {
			return nil, fmt.Errorf("writing the asset %s: %w", x.Asset, err)
		}
		part, err := json.Marshal(x.Part)
		if err != nil {
			return nil, fmt.Errorf("writing the part of %s: %w", x.Asset, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(part)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Allocation is a decision as results tell it.
type Allocation struct {
	Date    prices.Day `json:"date"`
	Regime  string     `json:"regime"`
	Weights Weights    `json:"weights"`
}

// Allocation is the decision as results tell it.
func (d Decision) Allocation() Allocation {
	return Allocation{Date: d.Day, Regime: d.Regime, Weights: d.Weights}
}

// CurvePoints is the most points of a curve that a result has.
const CurvePoints = 400

// CurvePoint is a Point as results tell it.
type CurvePoint struct {
	Date  prices.Day `json:"date"`
	Value float64    `json:"value"`
}

// History is how it came to its result.
type History struct {
	FirstDate      prices.Day    `json:"first_date"`
	LastDate       prices.Day    `json:"last_date"`
	MonthlyReturns []MonthReturn `json:"monthly_returns"`
	// EquityCurve has at most CurvePoints of the days.
	EquityCurve []CurvePoint `json:"equity_curve"`
}

// HistoryOf a curve, which isn't empty. begin is the capital before its first point.
func HistoryOf(curve []Point, begin float64) History {
	h := History{FirstDate: curve[0].Day, LastDate: curve[len(curve)-1].Day, MonthlyReturns: MonthReturns(curve, begin), EquityCurve: []CurvePoint{}}
	for _, p := range Thin(curve, CurvePoints) {
		h.EquityCurve = append(h.EquityCurve, CurvePoint{p.Day, p.Value})
	}
	return h
}
