package bybit

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// Where Bybit doesn't say for how long. An address that was shut out for asking too
// often is let in again after ten minutes.
const (
	usualWait = time.Second
	usualBan  = 10 * time.Minute
	longest   = time.Hour
)

// refusal is the error for an answer that isn't good.
func (c *Client) refusal(r request, a wire.Answer, no envelope) error {
	e := &exchange.Error{Op: r.op, Status: a.Status, Code: string(no.Code), Message: wire.Words(no.Message, c.opt.Key.Reveal(), c.opt.Secret.Reveal())}
	e.Kind = kind(r, a.Status, e.Code, no.Message)
	switch {
	case errors.Is(e, exchange.ErrRate):
		e.Account, e.RetryAfter = true, c.reset(a.Header)
	case errors.Is(e, exchange.ErrBanned):
		e.RetryAfter = usualBan
	case errors.Is(e, exchange.ErrUnknownOutcome):
		e.Settled = r.settled
	case e.Code == "10004":
		e.Message = "error sign!" // the rest repeats what was signed
	}
	return e
}

// reset is how long until a limit is over, in whole seconds.
func (c *Client) reset(h http.Header) time.Duration {
	at := wire.Text(h.Get("X-Bapi-Limit-Reset-Timestamp")).Millis()
	if at.IsZero() {
		return usualWait
	}
	// What is less than a tenth of a second too much is the clocks' doing.
	return min(max(c.clock.Until(at)+900*time.Millisecond, usualWait), longest).Truncate(time.Second)
}

// kind says what an answer means. What isn't certainly a refusal is none.
func kind(r request, status int, code, msg string) error {
	unknown := exchange.ErrUnavailable
	if r.body != nil {
		unknown = exchange.ErrUnknownOutcome
	}
	if code == "10001" || code == "110017" {
		return byWords(msg)
	}
	if k, ok := codes[code]; ok {
		if errors.Is(k, exchange.ErrUnknownOutcome) {
			return unknown
		}
		return k
	}
	switch {
	case status == http.StatusForbidden:
		return exchange.ErrBanned
	case status == http.StatusUnauthorized:
		return exchange.ErrAuth
	case status == http.StatusNotFound && code == "":
		return exchange.ErrRefused // the address of the API is wrong
	case code == "" || code == "0", status >= 500, status == http.StatusTooManyRequests:
		return unknown
	}
	return exchange.ErrRefused
}

// byWords tells apart what Bybit has one code for.
func byWords(msg string) error {
	msg = strings.ToLower(msg)
	for _, w := range []struct {
		part string
		kind error
	}{
		{"position idx", exchange.ErrPositionMode},
		{"truncated to zero", exchange.ErrMinimum},
		{"reduce-only", exchange.ErrRefused},
		{"symbol", exchange.ErrSymbol},
		{"qty", exchange.ErrPrecision},
		{"number of contracts", exchange.ErrPrecision},
		{"price", exchange.ErrPrecision},
	} {
		if strings.Contains(msg, w.part) {
			return w.kind
		}
	}
	return exchange.ErrRefused
}

// codes are those that mean the same in every answer. Those from 170000 on are of spot.
var codes = map[string]error{
	"10000": exchange.ErrUnknownOutcome, "10016": exchange.ErrUnknownOutcome, "500000": exchange.ErrUnknownOutcome,
	"170001": exchange.ErrUnknownOutcome, "170007": exchange.ErrUnknownOutcome, "170032": exchange.ErrUnknownOutcome,
	"10019": exchange.ErrUnavailable,
	"10006": exchange.ErrRate, "170005": exchange.ErrRate,
	"10002": exchange.ErrClock,
	"10003": exchange.ErrAuth, "10004": exchange.ErrAuth, "10005": exchange.ErrAuth, "10007": exchange.ErrAuth, "10009": exchange.ErrAuth,
	"10010": exchange.ErrAuth, "10027": exchange.ErrAuth, "10028": exchange.ErrAuth, "10029": exchange.ErrAuth, "33004": exchange.ErrAuth,
	"110004": exchange.ErrFunds, "110007": exchange.ErrFunds, "110012": exchange.ErrFunds, "110045": exchange.ErrFunds, "110052": exchange.ErrFunds,
	"170131": exchange.ErrFunds, "170033": exchange.ErrFunds,
	"110003": exchange.ErrPrecision, "170132": exchange.ErrPrecision, "170133": exchange.ErrPrecision, "170134": exchange.ErrPrecision, "170135": exchange.ErrPrecision,
	"170137": exchange.ErrPrecision, "170124": exchange.ErrPrecision, "170193": exchange.ErrPrecision, "170194": exchange.ErrPrecision,
	"110094": exchange.ErrMinimum, "170136": exchange.ErrMinimum, "170140": exchange.ErrMinimum,
	"110072": exchange.ErrDuplicate, "170141": exchange.ErrDuplicate,
	"110092": exchange.ErrTrigger, "110093": exchange.ErrTrigger,
	"110001": exchange.ErrNotFound, "110010": exchange.ErrNotFound, "170142": exchange.ErrNotFound, "170143": exchange.ErrNotFound, "170213": exchange.ErrNotFound,
	"110025": exchange.ErrPositionMode,
	"170121": exchange.ErrSymbol, "110074": exchange.ErrSymbol,
}

// rejected is the error of an order that was refused after it was acknowledged, by
// Bybit's rejectReason.
func rejected(op, reason string) error {
	kind, ok := map[string]error{
		"EC_DuplicatedClOrdID": exchange.ErrDuplicate, "EC_InvalidSymbolStatus": exchange.ErrSymbol, "EC_LimitOrderInvalidPrice": exchange.ErrPrecision,
		"EC_InvalidPriceScale": exchange.ErrPrecision, "EC_EcInvalidQty": exchange.ErrPrecision, "EC_InvalidAmount": exchange.ErrPrecision, "EC_QtyCannotBeZero": exchange.ErrMinimum,
	}[reason]
	if !ok {
		kind = exchange.ErrRefused
	}
	return &exchange.Error{Kind: kind, Op: op, Message: "the order was acknowledged and then refused: " + wire.Words(reason)}
}

// staleRules reports whether the rules of a symbol may have changed.
func staleRules(err error) bool {
	return errors.Is(err, exchange.ErrPrecision) || errors.Is(err, exchange.ErrMinimum) || errors.Is(err, exchange.ErrSymbol)
}
