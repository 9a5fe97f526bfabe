package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"switchyard/metrics"
)

// Causes with which a handler's context ends, beside jobs.ErrCancelAsked.
var (
	// ErrStopping: the worker stops; the job goes on elsewhere or later.
	ErrStopping = errors.New("the worker is stopping")
	// ErrLimit: the job ran longer than it may.
	ErrLimit = errors.New("the job took longer than it may")
)

// Outcome is what a handler says became of its job. Make one with the
// functions below.
type Outcome struct {
	kind   kind
	result any
	err    error
	delay  time.Duration
	also   func(context.Context) error
}

type kind int

const (
	completed kind = iota
	failed
	retry
	cancelled
	released
	postponed
)

// Done ends the job as completed. result may be nil.
func Done(result any) Outcome { return Outcome{kind: completed, result: result} }

// DoneBut ends the job as completed with a result that says that what was asked
// for was not reached, and why.
func DoneBut(result any, why error) Outcome {
	return Outcome{kind: completed, result: result, err: why}
}

// GiveUp ends the job as failed, for good.
func GiveUp(err error, result any) Outcome { return Outcome{kind: failed, err: err, result: result} }

// RetryAfter has the job tried again after delay, unless this was the last of
// its tries: then it has failed. result is what is known so far.
func RetryAfter(delay time.Duration, err error, result any) Outcome {
	return Outcome{kind: retry, err: err, delay: delay, result: result}
}

// Cancelled ends the job as cancelled, after things were left in order.
func Cancelled(result any) Outcome { return Outcome{kind: cancelled, result: result} }

// Release hands the job back, to be run again from its start: what a handler
// says when the worker stops. It doesn't count as a try.
func Release() Outcome { return Outcome{kind: released} }

// Postpone hands the job back for at least delay, without counting a try.
func Postpone(delay time.Duration) Outcome { return Outcome{kind: postponed, delay: delay} }

// With has also done before the outcome is recorded. Where that ends with
// jobs.ErrUnavailable it is repeated, with the recording, until Redis has taken
// both; any other error is logged, and the outcome recorded all the same.
func (o Outcome) With(also func(context.Context) error) Outcome {
	o.also = also
	return o
}

// counted is the outcome as metrics name it; more: it may be tried again.
func (o Outcome) counted(more bool) metrics.Outcome {
	switch {
	case o.kind == completed && o.err != nil:
		return metrics.Unsuccessful
	case o.kind == completed:
		return metrics.Completed
	case o.kind == cancelled:
		return metrics.Cancelled
	case o.kind == released:
		return metrics.Released
	case o.kind == postponed:
		return metrics.Postponed
	case o.kind == retry && more:
		return metrics.Retried
	}
	return metrics.Failed
}

func (o Outcome) resultJSON() (json.RawMessage, error) {
	if o.result == nil {
		return nil, nil
	}
	b, err := json.Marshal(o.result)
	if err != nil {
		return nil, fmt.Errorf("marshalling the result: %w", err)
	}
	return b, nil
}
