package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"switchyard/delivery"
	"switchyard/events"
	"switchyard/jobs"
	"switchyard/metrics"
	"switchyard/tasks"
)

// Callbacks executes the deliveries.
type Callbacks struct {
	Deliverer *delivery.Deliverer
	// Meter counts the tries. Optional.
	Meter *metrics.Metrics
	// Events tells of each try. Optional.
	Events *events.Publisher
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
	final := try.Final() || p.Hook() != "" && refused(try.Attempt)
	c.tell(r, p, try, !final && r.Tries+1 < r.MaxTries)
	switch {
	case try.Delivered():
		return Done(result)
	case final:
		return GiveUp(try.Err(), result)
	case errors.Is(context.Cause(ctx), jobs.ErrCancelAsked):
		return Cancelled(result) // rather than after the pause before the next try
	}
	return RetryAfter(c.Deliverer.Pause(r.Tries, try.Attempt), try.Err(), result)
}

// refused reports whether somebody else's service has said that it will never take the
// message, so that asking again would only use up its patience.
func refused(a delivery.Attempt) bool {
	return a.Status >= 400 && a.Status < 500 && a.Status != http.StatusRequestTimeout && a.Status != http.StatusTooManyRequests
}

// tell publishes what became of a try. Of the address it shows the host.
func (c *Callbacks) tell(r *Run, p tasks.CallbackPayload, try delivery.Try, again bool) {
	w := events.Webhook{
		ID: r.ID, Kind: p.Hook(), URL: try.Scheme + "://" + try.URLHost + "/…", Event: hookFailed, Message: try.Error, ResponseMS: try.DurationMS,
	}
	if w.Kind == "" {
		w.Kind = "callback"
	}
	switch {
	case try.Delivered():
		w.Event = hookSent
	case again:
		w.Event = hookRetrying
	}
	tellHook(c.Events, w, try.At, try.Status)
}
