package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"switchyard/jobs"
	"switchyard/tasks"
	"switchyard/trading/execution"
)

// Trading executes the orders of webhooks, and takes them back.
type Trading struct {
	Trader *execution.Trader
	Log    *slog.Logger
}

// The pauses after a cancellation that broke off.
const (
	firstTradeRetry = time.Second
	mostTradeRetry  = 30 * time.Second
)

// errCancelled is said of the orders of a cancelled job that were not sent.
var errCancelled = errors.New("the job was cancelled before the order was sent")

// hold is what the trader needs of a run: a check directly before each effect, and
// progress that is sure to be written down.
func hold(r *Run) execution.Job {
	return execution.Job{
		ID: r.ID, Progress: r.Job.Progress,
		Check: r.Check,
		Note:  r.Note,
	}
}

// Trade is the handler of tasks.Trade. A job whose worker died is taken up where it
// was; see package execution.
func (t *Trading) Trade(ctx context.Context, r *Run) Outcome {
	var p tasks.TradePayload
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		return GiveUp(fmt.Errorf("unreadable payload: %w", err), nil)
	}
	job := hold(r)
	so, err := t.Trader.Trade(ctx, p, job)
	switch {
	case err == nil:
	case errors.Is(err, ErrStopping), errors.Is(err, jobs.ErrLost):
		return Release()
	case errors.Is(err, jobs.ErrCancelAsked):
		t.Trader.WrapUp(ctx, p, job, so, tasks.OrderCancelled, errCancelled)
		return Cancelled(so.TradeResult)
	case errors.Is(err, ErrLimit):
		t.Trader.WrapUp(ctx, p, job, so, tasks.OrderFailed, err)
	default:
		return GiveUp(err, so.TradeResult)
	}
	t.log(r, so.TradeResult)
	return traded(so.TradeResult)
}

// traded is the end of a job whose orders all have theirs.
func traded(res tasks.TradeResult) Outcome {
	for _, o := range res.Orders {
		if !o.Status.Placed() {
			return DoneBut(res, errors.New(o.Error))
		}
	}
	return Done(res)
}

// log writes a line for each order.
func (t *Trading) log(r *Run, res tasks.TradeResult) {
	for _, o := range res.Orders {
		level := slog.LevelInfo
		if !o.Status.Placed() {
			level = slog.LevelWarn
		}
		t.Log.Log(context.Background(), level, "order", "job", r.ID, "group", res.Group, "account", res.AccountID, "exchange", res.Exchange, "index", o.Index,
			"status", o.Status, "symbol", o.Symbol, "side", o.Side, "type", o.Type, "quantity", o.Quantity, "price", o.Price, "order", o.ClientID, "waited_ms", o.WaitedMS, "err", o.Error)
	}
}

// Cancel is the handler of tasks.TradeCancel.
func (t *Trading) Cancel(ctx context.Context, r *Run) Outcome {
	var p tasks.TradeCancelPayload
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		return GiveUp(fmt.Errorf("unreadable payload: %w", err), nil)
	}
	var before *tasks.TradeCancelResult
	if err := json.Unmarshal(r.Job.Progress, &before); err != nil {
		before = nil // there was none
	}
	res, err := t.Trader.Cancel(ctx, p, hold(r), before)
	switch {
	case err == nil && res.Success:
		return Done(res)
	case err == nil:
		return DoneBut(res, fmt.Errorf("%d orders could not be taken back", res.Failed))
	case errors.Is(err, ErrStopping), errors.Is(err, jobs.ErrLost):
		return Release()
	case errors.Is(err, jobs.ErrCancelAsked):
		return Cancelled(res)
	}
	return RetryAfter(tasks.Backoff(firstTradeRetry, mostTradeRetry, r.Tries), err, res)
}
