package exchange

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What an exchange, or the way to it, can say against a request. All but
// ErrUnknownOutcome mean that this request changed nothing.
var (
	// ErrUnknownOutcome: the request may or may not have been executed, or may even
	// be on its way still. Query, and send again only after an ErrNotFound that came
	// after SettledAt.
	ErrUnknownOutcome = errors.New("outcome unknown")
	// ErrUnavailable: not executed, the exchange is busy or out of reach. Try later.
	ErrUnavailable = errors.New("exchange out of reach")
	// ErrRate: a limit is used up; RetryAfter says for how long.
	ErrRate = errors.New("rate limit reached")
	// ErrBanned: this address is shut out; RetryAfter says for how long.
	ErrBanned = errors.New("address banned by the exchange")
	// ErrAuth: key, signature, permission or address of the key is not accepted.
	ErrAuth = errors.New("API key not accepted")
	// ErrClock: the request was out of the window of time that the exchange accepts.
	ErrClock = errors.New("clock differs from the exchange's")
	// ErrFunds: the account hasn't enough.
	ErrFunds = errors.New("not enough funds")
	// ErrPrecision: price or quantity is off the step, or out of its range.
	ErrPrecision = errors.New("price or quantity not allowed")
	// ErrMinimum: quantity or value is below the minimum.
	ErrMinimum = errors.New("below the minimum")
	// ErrDuplicate: an order of this client order id is there already. Query it.
	ErrDuplicate = errors.New("client order id already used")
	// ErrTrigger: the price stands at or beyond the stop price already.
	ErrTrigger = errors.New("stop price already reached")
	// ErrNotFound: there is no such order, or none that is open.
	ErrNotFound = errors.New("no such order")
	// ErrSymbol: the market has no such symbol, or it isn't traded.
	ErrSymbol = errors.New("symbol not traded")
	// ErrPositionMode: the order doesn't fit hedge or one-way mode.
	ErrPositionMode = errors.New("order doesn't fit the position mode")
	// ErrRefused: refused for another reason; the exchange's words say which.
	ErrRefused = errors.New("refused")
)

// Error is what went wrong with a request. Is finds its Kind and its cause.
type Error struct {
	// Kind is one of the errors above.
	Kind error
	// Op is what was being done.
	Op string
	// Status of the answer, and the exchange's code in it; 0 and empty where none
	// came.
	Status int
	Code   string
	// Message is the exchange's, or ours in its place.
	Message string
	// Account: ErrRate is about the account, not about the address.
	Account bool
	// RetryAfter is how long nothing should be sent, with ErrRate and ErrBanned.
	RetryAfter time.Duration
	// Settled is when the exchange will no longer take the request, should it be on
	// its way still, by this machine's clock; with ErrUnknownOutcome.
	Settled time.Time
	// Err is the cause, where it isn't an answer.
	Err error
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	b.WriteString(e.Kind.Error())
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	switch {
	case e.Code != "":
		fmt.Fprintf(&b, " (HTTP %d, code %s)", e.Status, e.Code)
	case e.Status != 0:
		fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, "; again in %s", e.RetryAfter)
	}
	return b.String()
}

func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// RetryAfter returns how long nothing should be sent after err, 0 where that isn't
// said.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// SettledAt returns from when on the exchange's "not found" can be relied on, after
// an unknown outcome; zero where err is none.
func SettledAt(err error) time.Time {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Settled
	}
	return time.Time{}
}
