package okx

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// OKX never says for how long. Its limits are by two seconds.
const (
	usualWait = 2 * time.Second
	usualBan  = 2 * time.Minute
)

// refusal is the error for an answer that isn't good.
func (c *Client) refusal(r request, status int, code, msg string) error {
	e := &exchange.Error{Op: r.op, Status: status, Code: code, Message: wire.Words(msg, c.opt.Key.Reveal(), c.opt.Secret.Reveal(), c.opt.Passphrase.Reveal())}
	e.Kind = kind(r, status, code, msg)
	switch {
	case errors.Is(e, exchange.ErrRate): // of what is signed OKX counts users, of the rest addresses
		e.Account, e.RetryAfter = r.signed, usualWait
	case errors.Is(e, exchange.ErrBanned):
		e.RetryAfter = usualBan
	case errors.Is(e, exchange.ErrUnknownOutcome):
		e.Settled = r.settled
	}
	return e
}

// kind says what an answer means. What isn't certainly a refusal is none.
func kind(r request, status int, code, msg string) error {
	unknown := exchange.ErrUnavailable
	if r.body != nil {
		unknown = exchange.ErrUnknownOutcome
	}
	code, _, _ = strings.Cut(code, "_") // some have a sub-code: 51008_1000
	if code == "51000" {
		return byWords(msg)
	}
	if code == "51412" && strings.Contains(msg, "triggered") { // else: the cancellation timed out
		return exchange.ErrNotFound
	}
	if k, ok := codes[code]; ok {
		if errors.Is(k, exchange.ErrUnknownOutcome) {
			return unknown
		}
		return k
	}
	switch {
	case strings.HasPrefix(code, "501"): // of the headers: key, passphrase, signature, address
		return exchange.ErrAuth
	case status == http.StatusTooManyRequests:
		return exchange.ErrRate
	case status == http.StatusForbidden && code == "":
		return exchange.ErrBanned // the firewall before the API
	case status == http.StatusUnauthorized:
		return exchange.ErrAuth
	case status == http.StatusNotFound:
		return exchange.ErrRefused // the address of the API is wrong
	case code == "" || code == "0", status >= 500, status < 200, status/100 == 3:
		return unknown
	}
	return exchange.ErrRefused
}

// byWords tells apart the parameters that OKX has one code for.
func byWords(msg string) error {
	for _, w := range []struct {
		part string
		kind error
	}{
		{"posSide", exchange.ErrPositionMode},
		{"instId", exchange.ErrSymbol},
		{"px", exchange.ErrPrecision}, {"Px", exchange.ErrPrecision}, {"sz", exchange.ErrPrecision},
	} {
		if strings.Contains(msg, w.part) {
			return w.kind
		}
	}
	return exchange.ErrRefused
}

// codes are those that mean the same in every answer, of requests and of orders. An
// order dropped by its expTime (50036, 50037) is taken for one with a wrong clock: with
// the right time it may be sent again. Source:
// https://www.okx.com/docs-v5/en/#error-code-rest-api.
var codes = map[string]error{
	"50004": exchange.ErrUnknownOutcome, "50026": exchange.ErrUnknownOutcome, "50042": exchange.ErrUnknownOutcome, "51054": exchange.ErrUnknownOutcome,
	"51149": exchange.ErrUnknownOutcome, "51410": exchange.ErrUnknownOutcome, "51412": exchange.ErrUnknownOutcome,
	"50001": exchange.ErrUnavailable, "50005": exchange.ErrUnavailable, "50013": exchange.ErrUnavailable, "51029": exchange.ErrUnavailable, "51030": exchange.ErrUnavailable,
	"50011": exchange.ErrRate, "50040": exchange.ErrRate, "50061": exchange.ErrRate,
	"50036": exchange.ErrClock, "50037": exchange.ErrClock, "50102": exchange.ErrClock, "50112": exchange.ErrClock,
	"50030": exchange.ErrAuth, "50035": exchange.ErrAuth,
	"51008": exchange.ErrFunds, "51119": exchange.ErrFunds, "51127": exchange.ErrFunds, "51131": exchange.ErrFunds, "51502": exchange.ErrFunds,
	"51006": exchange.ErrPrecision, "51101": exchange.ErrPrecision, "51116": exchange.ErrPrecision, "51121": exchange.ErrPrecision, "51122": exchange.ErrPrecision,
	"51135": exchange.ErrPrecision, "51136": exchange.ErrPrecision, "51137": exchange.ErrPrecision, "51138": exchange.ErrPrecision, "51150": exchange.ErrPrecision,
	"51201": exchange.ErrPrecision, "51202": exchange.ErrPrecision, "51203": exchange.ErrPrecision, "51250": exchange.ErrPrecision, "51252": exchange.ErrPrecision,
	"50122": exchange.ErrMinimum, "51020": exchange.ErrMinimum, "51120": exchange.ErrMinimum,
	"50071": exchange.ErrDuplicate, "51016": exchange.ErrDuplicate, "51065": exchange.ErrDuplicate, "51068": exchange.ErrDuplicate,
	"51277": exchange.ErrTrigger, "51278": exchange.ErrTrigger, "51279": exchange.ErrTrigger, "51280": exchange.ErrTrigger,
	"51603": exchange.ErrNotFound, "51400": exchange.ErrNotFound, "51401": exchange.ErrNotFound, "51402": exchange.ErrNotFound, "51405": exchange.ErrNotFound, "51416": exchange.ErrNotFound,
	"51001": exchange.ErrSymbol, "51021": exchange.ErrSymbol, "51022": exchange.ErrSymbol, "51027": exchange.ErrSymbol, "51028": exchange.ErrSymbol, "51087": exchange.ErrSymbol,
	"51155": exchange.ErrSymbol,
}
