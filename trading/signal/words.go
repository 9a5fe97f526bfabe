package signal

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Exchange is where to trade.
type Exchange string

// The exchanges. Answers show them in lower case.
const (
	Binance Exchange = "BINANCE"
	Bybit   Exchange = "BYBIT"
	OKX     Exchange = "OKX"
)

// Lower is the exchange as answers show it.
func (e Exchange) Lower() string { return strings.ToLower(string(e)) }

// Market is the kind of market.
type Market string

// The markets: the coin itself, or perpetual futures settled in the currency.
const (
	Spot    Market = "SPOT"
	Futures Market = "FUTURES"
)

// OrderType is the kind of order.
type OrderType string

// The types of orders.
const (
	MarketOrder OrderType = "MARKET"
	LimitOrder  OrderType = "LIMIT"
	StopLimit   OrderType = "STOP_LIMIT"
	StopMarket  OrderType = "STOP_MARKET"
	// CancelAll places nothing: it takes back what the group has opened.
	CancelAll OrderType = "CANCEL_ALL_ORDER"
)

// HasPrice tells whether orders of this type have a limit price.
func (t OrderType) HasPrice() bool { return t == LimitOrder || t == StopLimit }

// HasStop tells whether orders of this type wait for a stop price.
func (t OrderType) HasStop() bool { return t == StopLimit || t == StopMarket }

// Side is what the client says: a direction, or the side of a position.
type Side string

// The sides. In one-way mode Long is Buy and Short is Sell; in hedge mode Long
// and Short open that side, where Buy and Sell close the other one first. On the
// spot market Long is read as Buy, and there is no Short.
const (
	Buy   Side = "buy"
	Sell  Side = "sell"
	Long  Side = "long"
	Short Side = "short"
)

// Buys tells whether the side is one of buying.
func (s Side) Buys() bool { return s == Buy || s == Long }

// The words of the values, as plain gives them.
var (
	exchanges = map[string]Exchange{"binance": Binance, "bybit": Bybit, "okx": OKX}
	markets   = map[string]Market{"spot": Spot, "futures": Futures, "future": Futures}
	sides     = map[string]Side{"buy": Buy, "sell": Sell, "long": Long, "short": Short}
	types     = map[string]OrderType{
		"market": MarketOrder, "limit": LimitOrder, "stoplimit": StopLimit, "stopmarket": StopMarket,
		"cancelallorder": CancelAll,
	}
)

// word reads a value of which there are few.
func word[T any](f fields, name string, words map[string]T) (T, error) {
	s := f.trimmed(name)
	v, ok := words[plain(s)]
	if !ok {
		return v, unsupported(name, s)
	}
	return v, nil
}

// longestCode is more than the name of any coin or market.
const longestCode = 40

// code reads the name of a coin or a market. Most are of ASCII, not all: there
// are coins with Chinese names.
func code(s string) (string, bool) {
	ok := s != "" && utf8.RuneCountInString(s) <= longestCode && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) < 0
	return upper(s), ok
}

// upper is strings.ToUpper for ASCII alone, for the reason that plain gives.
func upper(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

// symbol reads BTCUSDT, BTC/USDT (also with - or _) and BTCUSDT.P, which is how
// TradingView names a perpetual. Where the coins are told apart, quote is the
// second one.
func symbol(s string) (name, quote string, ok bool) {
	s = upper(s)
	s = strings.TrimSuffix(s, ".P")
	if at := strings.IndexAny(s, "/-_"); at >= 0 {
		base, baseOK := code(s[:at])
		quote, quoteOK := code(s[at+1:])
		return base + quote, quote, baseOK && quoteOK
	}
	name, ok = code(s)
	return name, "", ok
}
