package cloudflare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrNotConfigured: there is no token, or no account or zone to use it on.
var ErrNotConfigured = errors.New("cloudflare is not configured on the worker that took the job: set cloudflare.token, and cloudflare.account_id or cloudflare.zone_ids")

// Error is a request that Cloudflare did not do.
type Error struct {
	// Status is that of the answer, 0 if none came.
	Status int
	// Code is Cloudflare's own, 0 where it told none.
	Code int
	// Message is what Cloudflare, or the network, said.
	Message string
	// Ray is what Cloudflare's support asks for.
	Ray string
	// RetryAfter is how long to wait before any other request; 0: it wasn't
	// said.
	RetryAfter time.Duration

	words string // what it means
	cause error
}

// Error implements error: what it means, and what Cloudflare said.
func (e *Error) Error() string {
	var in []string
	if e.Status != 0 {
		in = append(in, "status "+strconv.Itoa(e.Status))
	}
	if e.Code != 0 {
		in = append(in, "code "+strconv.Itoa(e.Code))
	}
	if e.Ray != "" {
		in = append(in, "ray "+e.Ray)
	}
	out := e.words
	if e.Message != "" {
		out += ": " + e.Message
	}
	if len(in) > 0 {
		out += " (" + strings.Join(in, ", ") + ")"
	}
	return out
}

// Unwrap is what lay below, where there was something.
func (e *Error) Unwrap() error { return e.cause }

// Limited reports whether too much was asked.
func (e *Error) Limited() bool { return e.Status == http.StatusTooManyRequests }

// temporary reports whether the same request may be done another time.
func (e *Error) temporary() bool {
	return e.Status == 0 || e.Limited() || e.Status == http.StatusRequestTimeout || e.Status >= http.StatusInternalServerError || e.Status < http.StatusMultipleChoices
}

// Codes of Cloudflare's.
const (
	codeDuplicate = 10009 // of 400: there is a rule for the same, of any mode
	codeNotFound  = 10001 // of 404; of 400 it is a validation error
)

func (e *Error) duplicate() bool {
	return e.Code == codeDuplicate
}

func (e *Error) gone() bool {
	return e.Status == http.StatusNotFound && e.Code == codeNotFound
}

// ScopesError tells of scopes that are left, while others were done.
type ScopesError struct {
	// Scopes is how many there are.
	Scopes int
	// Errs are those of the ones that are left.
	Errs []error
}

// Error implements error.
func (e *ScopesError) Error() string {
	return fmt.Sprintf("in %d of %d scopes: %v", len(e.Errs), e.Scopes, e.Errs[0])
}

// Unwrap are the errors of the scopes.
func (e *ScopesError) Unwrap() []error { return e.Errs }

// Temporary reports whether another try may do better, and how long Cloudflare
// wants it to wait; 0: it didn't say.
func Temporary(err error) (after time.Duration, ok bool) {
	var several *ScopesError
	if errors.As(err, &several) {
		for _, one := range several.Errs {
			d, t := Temporary(one)
			after, ok = max(after, d), ok || t
		}
		return after, ok
	}
	var e *Error
	if errors.As(err, &e) && e.temporary() {
		return e.RetryAfter, true
	}
	return 0, false
}

const (
	// limitedPause is how long Cloudflare refuses everything at the most, once
	// its limit was exceeded.
	limitedPause = 5 * time.Minute
	// longestPause is the longest that is believed.
	longestPause = time.Hour
	// longestMessage is how much of a message is kept.
	longestMessage = 300
)

// refused makes an error of an answer that says no, or that makes no sense. body
// is as much of it as was read.
func refused(res *http.Response, body []byte, token string) *Error {
	e := &Error{Status: res.StatusCode, Ray: res.Header.Get("Cf-Ray")}
	var said struct {
		Errors []struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &said) == nil && len(said.Errors) > 0 {
		e.Code, e.Message = said.Errors[0].Code, said.Errors[0].Message
	}
	if token != "" {
		e.Message, e.Ray = strings.ReplaceAll(e.Message, token, "…"), strings.ReplaceAll(e.Ray, token, "…")
	}
	if len(e.Message) > longestMessage {
		e.Message = strings.ToValidUTF8(e.Message[:longestMessage], "") + "…"
	}
	switch s := e.Status; {
	case e.Limited():
		e.words, e.RetryAfter = "Cloudflare was asked too often", retryAfter(res.Header, time.Now())
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		e.words = "Cloudflare refused the token: it is not valid, or lacks the right to edit Access Rules there"
	case e.duplicate():
		e.words = "Cloudflare has a rule for this already"
	case e.gone():
		e.words = "Cloudflare has no such rule"
	case s == http.StatusNotFound || e.Code == 7003:
		e.words = "Cloudflare knows no such account or zone"
	case s >= http.StatusInternalServerError:
		e.words, e.RetryAfter = "Cloudflare failed", max(0, serverPause(res.Header))
	case s >= http.StatusBadRequest:
		e.words = "Cloudflare refused the request"
	case s >= http.StatusMultipleChoices:
		e.words = "a redirect came where Cloudflare should be; see cloudflare.base_url"
	default:
		e.words = "the answer is none of Cloudflare's; is there a proxy in between?"
	}
	return e
}

// rateLeft finds the seconds in Cloudflare's `Ratelimit: "default";r=0;t=30`.
var rateLeft = regexp.MustCompile(`;\s*t=(\d{1,6})`)

// retryAfter is how long a 429 asks to wait, or, where it doesn't say, the longest
// that Cloudflare keeps its door shut.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, longestPause)
	}
	if until, err := http.ParseTime(value); err == nil {
		if by, err := http.ParseTime(h.Get("Date")); err == nil {
			now = by
		}
		return min(max(until.Sub(now), time.Second), longestPause)
	}
	if m := rateLeft.FindStringSubmatch(h.Get("Ratelimit")); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 {
			return min(time.Duration(n)*time.Second, longestPause)
		}
	}
	return limitedPause
}

// serverPause is what a 503 asks for.
func serverPause(h http.Header) time.Duration {
	if h.Get("Retry-After") == "" {
		return 0
	}
	return retryAfter(h, time.Now())
}

// unreached makes an error of a request that no answer came to.
func unreached(err error, timeout time.Duration) *Error {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err // the rest is the address
	}
	var lookup *net.DNSError
	var network net.Error
	e := &Error{words: "Cloudflare can't be reached", Message: err.Error(), cause: err}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout() && lookup == nil:
		e.words, e.Message = "Cloudflare gave no answer within "+timeout.String(), ""
	case errors.As(err, &lookup):
		e.Message = "no address found for " + lookup.Name
	}
	return e
}
