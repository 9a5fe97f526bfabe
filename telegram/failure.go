package telegram

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ErrNotConfigured: there is no token.
var ErrNotConfigured = errors.New("telegram is not configured on the worker that took the job: set telegram.token")

// Error is a request that Telegram did not do, or perhaps not.
type Error struct {
	// Status is that of the answer, 0 if none came.
	Status int
	// Description is what Telegram, or the network, said.
	Description string
	// RetryAfter is how long Telegram wants to be left alone; 0: it didn't say.
	RetryAfter time.Duration
	// MovedTo is the supergroup that the chat has become; 0: it hasn't.
	MovedTo int64
	// Unsure: the request may have been done all the same.
	Unsure bool

	words string // what it means
	cause error
}

// Error implements error: what it means, and what Telegram said.
func (e *Error) Error() string {
	out := e.words
	if e.Description != "" {
		out += ": " + e.Description
	}
	if e.Status != 0 {
		out += " (status " + strconv.Itoa(e.Status) + ")"
	}
	return out
}

// Unwrap is what lay below, where there was something.
func (e *Error) Unwrap() error { return e.cause }

// Limited reports whether too much was sent.
func (e *Error) Limited() bool { return e.Status == http.StatusTooManyRequests }

// Final reports whether no other try will do better: Telegram has said no.
func (e *Error) Final() bool {
	return e.Status >= http.StatusBadRequest && e.Status < http.StatusInternalServerError && !e.Limited() && e.Status != http.StatusRequestTimeout && e.MovedTo == 0
}

// Refused reports whether Telegram knows no such bot.
func (e *Error) Refused() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusNotFound
}

// Conflict reports whether somebody else asks for the bot's updates, or has them
// sent to an address.
func (e *Error) Conflict() bool { return e.Status == http.StatusConflict }

const (
	// limitedPause is how long to wait where a 429 doesn't say.
	limitedPause = 5 * time.Second
	// longestPause is the longest that is believed.
	longestPause = time.Hour
	// longestDescription is how much of a description is kept.
	longestDescription = 300
)

// refused makes an error of an answer that says no.
func (d *door) refused(res *http.Response, s said) *Error {
	e := &Error{Status: s.Code, Description: s.Description, MovedTo: s.Parameters.MovedTo}
	if e.Status == 0 {
		e.Status = res.StatusCode
	}
	if token := d.token.Reveal(); token != "" {
		e.Description = strings.ReplaceAll(e.Description, token, "…")
	}
	if len(e.Description) > longestDescription {
		e.Description = strings.ToValidUTF8(e.Description[:longestDescription], "") + "…"
	}
	switch status := e.Status; {
	case e.Limited():
		e.words, e.RetryAfter = "Telegram was sent too much", retryAfter(s, res.Header)
	case e.MovedTo != 0:
		e.words = "the group has become a supergroup"
	case e.Refused():
		e.words = "Telegram knows no bot with this token"
	case e.Conflict():
		e.words = "somebody else has the bot's updates"
	case status == http.StatusForbidden:
		e.words = "Telegram doesn't let the bot write to this chat"
	case strings.Contains(e.Description, "chat not found"), strings.Contains(e.Description, "PEER_ID_INVALID"):
		e.words = "Telegram knows no such chat, or the bot is not in it"
	case status >= http.StatusInternalServerError:
		e.words = "Telegram failed"
	default:
		e.words = "Telegram refused the request"
	}
	return e
}

// retryAfter is how long a 429 asks to wait.
func retryAfter(s said, h http.Header) time.Duration {
	seconds := s.Parameters.RetryAfter
	if seconds <= 0 {
		seconds, _ = strconv.ParseInt(strings.TrimSpace(h.Get("Retry-After")), 10, 64) // 0 where there is none
	}
	if seconds <= 0 {
		return limitedPause
	}
	return time.Duration(min(seconds, int64(longestPause/time.Second))) * time.Second
}

// odd makes an error of an answer that is none of Telegram's. One of a proxy that
// reached nothing tells that nothing was done; others leave it open.
func odd(status int) *Error {
	e := &Error{Status: status, words: "the answer is none of Telegram's; is there a proxy in between?"}
	switch {
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable:
		e.words = "Telegram failed"
	case status >= http.StatusInternalServerError:
		e.words, e.Unsure = "Telegram failed", true
	case status >= http.StatusMultipleChoices && status < http.StatusBadRequest:
		e.words = "a redirect came where Telegram should be; see telegram.base_url"
	case status < http.StatusMultipleChoices:
		e.Unsure = true
	}
	return e
}

// unreached makes an error of a request that no answer came to; left: it had gone
// out.
func (d *door) unreached(err error, left bool) *Error {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err // the rest is the address
	}
	var lookup *net.DNSError
	var network net.Error
	e := &Error{words: "Telegram can't be reached", Description: err.Error(), Unsure: left, cause: err}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout() && lookup == nil:
		e.words, e.Description = "Telegram gave no answer within "+d.timeout.String(), ""
	case errors.As(err, &lookup):
		e.Description = "no address found for " + lookup.Name
	}
	return e
}
