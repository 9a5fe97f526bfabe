package delivery

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Code says why an attempt failed, for programs: metrics, conditions. Empty
// for a delivered document.
type Code string

// The codes of failed attempts.
const (
	CodeURL       Code = "invalid_url"         // CheckURL's rules are broken
	CodeMessage   Code = "invalid_message"     // the id can't be sent
	CodeSecret    Code = "invalid_secret"      // the configured secret can't sign
	CodeAddress   Code = "address_not_allowed" // the guard refused every address of the host
	CodeLookup    Code = "name_lookup"         // no address found for the host
	CodeConnect   Code = "connect"             // refused, no route
	CodeTLS       Code = "tls"                 // handshake or certificate
	CodeClosed    Code = "closed"              // closed or reset before the answer was complete
	CodeBadAnswer Code = "bad_answer"          // something came, and was not HTTP
	CodeTimeout   Code = "timeout"             // no answer in time
	CodeCancelled Code = "cancelled"           // our own context was cancelled
	CodeRedirect  Code = "redirect"            // answered with a redirect
	CodeStatus    Code = "http_status"         // answered with any other status that is not 2xx
	CodeOther     Code = "other"
)

// maxRetryAfter is the longest pause that a receiver may ask for.
const maxRetryAfter = time.Hour

// Attempt is the record of one attempt. It holds nothing of the URL or of a
// secret: where the receiver repeats them in its answer they are replaced by
// "…". It keeps all its meaning through JSON.
type Attempt struct {
	// At is when the attempt began, in UTC and whole milliseconds; the second
	// it lies in is the document's webhook-timestamp.
	At time.Time `json:"at"`
	// Status is the HTTP status of the answer, 0 if none came.
	Status int `json:"status"`
	// DurationMS is how long it took, to the last byte read.
	DurationMS int64 `json:"duration_ms"`
	// Response is the beginning of the answer's body, at most
	// SenderOptions.MaxResponse bytes of valid UTF-8.
	Response string `json:"response"`
	// Truncated: there was more of it, or it broke off.
	Truncated bool `json:"response_truncated,omitempty"`
	// ResponseHeaders are the answer's, several values joined by ", "; at most
	// 8 KiB of them.
	ResponseHeaders map[string]string `json:"response_headers,omitempty"`
	// Error says in words what went wrong ("Connection refused"). It is empty
	// if and only if the document was delivered.
	Error string `json:"error,omitempty"`
	// Code says the same for programs.
	Code Code `json:"code,omitempty"`
}

// Delivered reports whether the receiver took the document: any 2xx, even if
// the body of the answer broke off or was late.
func (a Attempt) Delivered() bool { return a.Status >= 200 && a.Status <= 299 }

// Sent reports whether any HTTP answer came.
func (a Attempt) Sent() bool { return a.Status != 0 }

// Final reports whether no further attempt can do better: the receiver is gone
// (410), its address is not allowed, or URL or message are unusable. False for
// what was delivered.
func (a Attempt) Final() bool {
	switch a.Code {
	case CodeAddress, CodeURL, CodeMessage:
		return true
	}
	return a.Status == http.StatusGone
}

// RetryAfter is the pause that a receiver asked for (429 and 503 with
// Retry-After), at most an hour. 0: it asked for none, or for none that can be
// understood. A date is measured by the receiver's own clock where it tells it.
func (a Attempt) RetryAfter() time.Duration {
	if a.Status != http.StatusTooManyRequests && a.Status != http.StatusServiceUnavailable {
		return 0
	}
	value := a.ResponseHeaders["Retry-After"]
	seconds, err := strconv.ParseUint(value, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && seconds > uint64(maxRetryAfter/time.Second):
		return maxRetryAfter
	case err == nil:
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(a.ResponseHeaders["Date"])
	if err != nil {
		now = a.At.Add(time.Duration(a.DurationMS) * time.Millisecond)
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}

// fail records a failure.
func (a *Attempt) fail(code Code, words string) { a.Code, a.Error = code, words }

// failStatus records an answer that is not 2xx.
func (a *Attempt) failStatus() {
	code := strconv.Itoa(a.Status)
	switch a.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		a.fail(CodeRedirect, "Redirect not followed ("+code+")")
		return
	}
	words := "HTTP " + code
	if text := http.StatusText(a.Status); text != "" {
		words += " " + text
	}
	a.fail(CodeStatus, words)
}
