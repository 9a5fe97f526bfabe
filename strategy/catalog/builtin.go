package catalog

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
)

// The names of the built-in strategies.
const (
	BoldAssetAllocation    = "BoldAssetAllocation"
	MovingAverageCrossover = "MovingAverageCrossover"
)

// Variants of BoldAssetAllocation, in the order of Keller's paper.
var Variants = []string{"BAA-G12", "BAA-G4", "BAA-G12/T3", "BAA-G4/T2", "BAA-SPY"}

// Averages of MovingAverageCrossover: simple and exponential.
var Averages = []string{"SMA", "EMA"}

// maxCommission is the largest part of a trade that costs may be; beyond it a
// backtest says nothing about the strategy.
const maxCommission = 0.1

var symbol = regexp.MustCompile(`^[A-Za-z0-9^][A-Za-z0-9.^=_-]{0,19}$`)

// ValidSymbol reports whether s can name prices: letters, digits and . ^ = _ - , at
// most 20. It is never a path.
func ValidSymbol(s string) bool { return symbol.MatchString(s) }

func builtIn() []Strategy {
	return []Strategy{{
		Name: BoldAssetAllocation, Version: "1.0.0",
		Description: "Wouter Keller's Bold Asset Allocation (2022): at each month's end, the best of an offensive universe by slow momentum, or of a defensive one if any of the canary assets falls.",
		Parameters: append([]Parameter{
			{Name: "variant", Type: Text, Description: "Which universes, and how many assets of them", Default: text("BAA-G12"), Allowed: texts(Variants)},
			capital(100_000),
			useRealData(),
			commission("transaction_cost", 0.001, "What buying or selling costs, as a part of the amount"),
		}, span()...),
		check: ordered,
	}, {
		Name: MovingAverageCrossover, Version: "1.0.0",
		Description: "Buys at the next open when a short moving average of the closes crosses above a long one, and sells, or goes short, when it crosses below.",
		Parameters: append([]Parameter{
			{Name: "symbol", Type: Text, Description: "Whose prices. If it is given and there is a source of real prices, use_real_data defaults to true", Default: text("SPY"), form: ValidSymbol},
			{Name: "short_window", Type: Integer, Description: "Days of the short average", Default: number(20), Min: bound(1), Max: bound(5000)},
			{Name: "long_window", Type: Integer, Description: "Days of the long average, more than those of the short one", Default: number(50), Min: bound(2), Max: bound(5000)},
			{Name: "average", Type: Text, Description: "How the averages are made: simple or exponential", Default: text("SMA"), Allowed: texts(Averages)},
			capital(10_000),
			commission("commission", 0, "What buying or selling costs, as a part of the amount"),
			{Name: "allow_short", Type: Boolean, Description: "Go short when the short average crosses below, rather than hold cash", Default: json.RawMessage("false")},
			useRealData(),
		}, span()...),
		check: func(v values) string {
			if short, long := whole(v["short_window"]), whole(v["long_window"]); short >= long {
				return fmt.Sprintf("Invalid short_window: %d is not less than long_window, which is %d", short, long)
			}
			return ordered(v)
		},
		fill: func(given values, realData bool) values {
			if _, named := given["symbol"]; named && realData {
				return values{"use_real_data": json.RawMessage("true")}
			}
			return nil
		},
	}}
}

func text(s string) json.RawMessage { return json.RawMessage(strconv.Quote(s)) } // plain ASCII

func texts(all []string) []json.RawMessage {
	out := make([]json.RawMessage, len(all))
	for i, s := range all {
		out[i] = text(s)
	}
	return out
}

func number(f float64) json.RawMessage { return json.RawMessage(digits(f)) }

func whole(v json.RawMessage) int {
	f, _ := strconv.ParseFloat(string(v), 64) // a number: takes has seen to that
	return int(f)
}

func capital(standard float64) Parameter {
	return Parameter{Name: "initial_capital", Type: Number, Description: "What it begins with", Default: number(standard), Min: bound(1), Max: bound(maxNumber)}
}

func commission(name string, standard float64, words string) Parameter {
	return Parameter{Name: name, Type: Number, Description: words, Default: number(standard), Min: bound(0), Max: bound(maxCommission)}
}

func useRealData() Parameter {
	return Parameter{
		Name: "use_real_data", Type: Boolean, Default: json.RawMessage("false"),
		Description: "true: prices of the configured source. false: generated ones, always the same",
	}
}

// span are the days that count.
func span() []Parameter {
	return []Parameter{
		{Name: "start_date", Type: Date, Description: "No trade before this day; null: as early as the prices allow", Default: json.RawMessage(null)},
		{Name: "end_date", Type: Date, Description: "The last day; null: that of the prices", Default: json.RawMessage(null)},
	}
}

func ordered(v values) string {
	start, end := plain(v["start_date"]), plain(v["end_date"])
	if start != null && end != null && start >= end {
		return fmt.Sprintf("Invalid end_date: %s is not after start_date, which is %s", end, start)
	}
	return ""
}
