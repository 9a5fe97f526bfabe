package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"switchyard/delivery"
	"switchyard/jobs"
	"switchyard/metrics"
	"switchyard/tasks"
)

// Callbacks executes the deliveries.
type Callbacks struct {
	Deliverer *delivery.Deliverer
	// Meter counts the tries. Optional.
	Meter *metrics.Metrics
}

// Handle is the handler of tasks.Callback. A try that has begun is not broken
// off when the worker stops or the job is cancelled: it is over within its
// timeout, and nobody could tell whether it had arrived.
func (c *Callbacks) Handle(ctx context.Context, r *Run) Outcome {
	var p tasks.CallbackPayload
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		return GiveUp(fmt.Errorf("unreadable payload: %w", err), nil)
	}
	result := tasks.CallbackResult{Kind: p.Kind, Receiver: p.Receiver, Parent: r.Parent, Attempts: []json.RawMessage{}}
	if len(r.Result) > 0 {
		if err := json.Unmarshal(r.Result, &result); err != nil {
			return GiveUp(fmt.Errorf("unreadable record of earlier tries: %w", err), nil)
		}
	}
	leave, ok := c.Deliverer.Enter(p)
	if !ok {
		return Postpone(c.Deliverer.WaitPause(p))
	}
	defer leave()
	switch err := r.Check(ctx); {
	case errors.Is(err, jobs.ErrCancelAsked):
		return Cancelled(result)
	case err != nil:
		return Release()
	}
	try := c.Deliverer.Deliver(context.WithoutCancel(ctx), r.ID, p)
	c.Meter.Delivered(p.Kind, string(try.Code), time.Duration(try.DurationMS)*time.Millisecond)
	result.URLHost = try.URLHost
	entry, err := json.Marshal(try.Attempt)
	if err != nil {
		return GiveUp(fmt.Errorf("recording the try: %w", err), result)
	}
	result.Attempts = append(result.Attempts, entry)
	switch {
	case try.Delivered():
		return Done(result)
	case try.Final():
		return GiveUp(try.Err(), result)
	case errors.Is(context.Cause(ctx), jobs.ErrCancelAsked):
		return Cancelled(result) // rather than after the pause before the next try
	}
	return RetryAfter(c.Deliverer.Pause(r.Tries, try.Attempt), try.Err(), result)
}
