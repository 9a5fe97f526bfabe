package binance

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// refusalBody is an answer that says no.
type refusalBody struct {
	Code wire.Text `json:"code"`
	Msg  string    `json:"msg"`
}

// Where Binance doesn't say for how long.
const (
	usualWait = time.Minute
	usualBan  = 2 * time.Minute
)

// refusal is the error for an answer that isn't good.
func (c *Client) refusal(r request, resp wire.Answer) error {
	var no refusalBody
	if err := json.Unmarshal(resp.Body, &no); err != nil {
		no = refusalBody{} // a page of some proxy; the status has to do
	}
	e := &exchange.Error{Op: r.op, Status: resp.Status, Code: string(no.Code), Message: wire.Words(no.Msg, c.opt.Key.Reveal(), c.opt.Secret.Reveal())}
	e.Kind = kind(r, resp.Status, e.Code, no.Msg)
	switch {
	case errors.Is(e, exchange.ErrRate):
		e.RetryAfter = retryAfter(resp.Header, usualWait)
		e.Account = e.Code == "-1015"
	case errors.Is(e, exchange.ErrBanned):
		e.RetryAfter = retryAfter(resp.Header, usualBan)
	case errors.Is(e, exchange.ErrUnknownOutcome):
		e.Settled = r.settled
	}
	return e
}

// kind says what an answer means. What isn't certainly a refusal is none.
func kind(r request, status int, code, msg string) error {
	switch status {
	case http.StatusTeapot:
		return exchange.ErrBanned
	case http.StatusTooManyRequests:
		return exchange.ErrRate
	}
	if k, ok := codes[code]; ok {
		switch {
		case !errors.Is(k, exchange.ErrUnknownOutcome):
			return k
		case r.changes:
			return exchange.ErrUnknownOutcome
		}
		return exchange.ErrUnavailable
	}
	switch code {
	case "-1013":
		switch {
		case strings.Contains(msg, "NOTIONAL"):
			return exchange.ErrMinimum
		case strings.Contains(msg, "PRICE"), strings.Contains(msg, "LOT_SIZE"):
			return exchange.ErrPrecision
		}
		return exchange.ErrRefused // too many orders, or too large a position
	case "-2010", "-2011", "-1010":
		return byWords(code, msg)
	}
	switch {
	case status >= 500, status < 400, status == http.StatusRequestTimeout:
		if r.changes {
			return exchange.ErrUnknownOutcome
		}
		return exchange.ErrUnavailable
	case code == "" && status == http.StatusForbidden: // the firewall before the API
		return exchange.ErrBanned
	case code == "" && status == http.StatusUnauthorized:
		return exchange.ErrAuth
	}
	return exchange.ErrRefused
}

// byWords tells apart what Binance has one code for.
func byWords(code, msg string) error {
	for _, w := range []struct {
		part string
		kind error
	}{
		{"insufficient balance", exchange.ErrFunds},
		{"Duplicate order", exchange.ErrDuplicate},
		{"trigger immediately", exchange.ErrTrigger},
		{"Unknown order", exchange.ErrNotFound},
		{"Market is closed", exchange.ErrSymbol},
		{"zero or less", exchange.ErrMinimum},
		{"may not place or cancel orders", exchange.ErrAuth},
		{"not permitted for this account", exchange.ErrAuth},
	} {
		if strings.Contains(msg, w.part) {
			return w.kind
		}
	}
	if code == "-2011" {
		return exchange.ErrNotFound
	}
	return exchange.ErrRefused
}

// codes are those that mean the same in every answer.
var codes = map[string]error{
	"-1000": exchange.ErrUnknownOutcome, "-1001": exchange.ErrUnknownOutcome,
	"-1006": exchange.ErrUnknownOutcome, "-1007": exchange.ErrUnknownOutcome,
	"-1008": exchange.ErrUnavailable,
	"-1003": exchange.ErrRate, "-1015": exchange.ErrRate,
	"-1021": exchange.ErrClock, "-5028": exchange.ErrClock,
	"-1002": exchange.ErrAuth, "-1022": exchange.ErrAuth, "-2014": exchange.ErrAuth, "-2015": exchange.ErrAuth,
	"-2018": exchange.ErrFunds, "-2019": exchange.ErrFunds,
	"-1111": exchange.ErrPrecision, "-4001": exchange.ErrPrecision, "-4002": exchange.ErrPrecision, "-4003": exchange.ErrPrecision,
	"-4005": exchange.ErrPrecision, "-4014": exchange.ErrPrecision, "-4016": exchange.ErrPrecision, "-4023": exchange.ErrPrecision, "-4024": exchange.ErrPrecision,
	"-4004": exchange.ErrMinimum, "-4164": exchange.ErrMinimum,
	"-4116": exchange.ErrDuplicate,
	"-2021": exchange.ErrTrigger,
	"-2013": exchange.ErrNotFound,
	"-1121": exchange.ErrSymbol,
	"-4061": exchange.ErrPositionMode, "-4062": exchange.ErrPositionMode,
}

// staleRules reports whether the rules of a symbol may have changed.
func staleRules(err error) bool {
	return errors.Is(err, exchange.ErrPrecision) || errors.Is(err, exchange.ErrMinimum) || errors.Is(err, exchange.ErrSymbol)
}

// retryAfter reads that header: seconds, or a date.
func retryAfter(h http.Header, usual time.Duration) time.Duration {
	const most = 7 * 24 * time.Hour // bans last three days at most
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 31); err == nil && n > 0 {
		return min(time.Duration(n)*time.Second, most)
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(time.Second, min(time.Until(at), most))
	}
	return usual
}
