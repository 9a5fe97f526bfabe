package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"switchyard/delivery"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/metrics"
	"switchyard/tasks"
)

// Pushes executes the pushes of a proxy host's status.
type Pushes struct {
	Host   *HostJobs
	Store  *jobs.Store
	Pusher *delivery.Pusher
	// Info is what the host says of itself now.
	Info func() hosts.Info
	// Location is the time zone of the document.
	Location *time.Location
	// Meter counts the posts. Optional.
	Meter *metrics.Metrics
	// Lines hears of each post, beside the log. Optional.
	Lines *slog.Logger
	// Tell hears of each push that was posted. Optional.
	Tell func(context.Context, hosts.Info)
	// Save keeps the document that was posted last. Optional.
	Save func(document []byte) error
}

// errTooOld is why a push was not posted.
var errTooOld = errors.New("too old to be posted: the next one is due")

// Handle is the handler of tasks.Push: it reads the dongles, unless that was done
// in this minute, composes the document, posts it, and notes what came of it.
// Posts that have begun are not broken off when the worker stops: they are over
// within their timeout, and nobody could tell whether they had arrived.
func (p *Pushes) Handle(ctx context.Context, r *Run) Outcome {
	var payload tasks.PushPayload
	if err := json.Unmarshal(r.Payload, &payload); err != nil {
		return GiveUp(fmt.Errorf("unreadable payload: %w", err), nil)
	}
	left := time.UnixMilli(payload.Until).Sub(p.Host.Now())
	young, cancel := context.WithTimeoutCause(ctx, left, errTooOld)
	defer cancel()
	doc, err := p.compose(young)
	if err == nil {
		err = r.Check(young)
	}
	now := p.Host.Now()
	if err == nil && now.UnixMilli() >= payload.Until {
		err = errTooOld
	}
	switch {
	case errors.Is(err, jobs.ErrCancelAsked):
		return Cancelled(nil)
	case errors.Is(err, ErrStopping), errors.Is(err, jobs.ErrLost):
		return Release()
	case err != nil:
		p.Meter.PushDropped()
		p.lines().Warn("push dropped", "due", time.UnixMilli(payload.Due).UTC(), "err", err)
		return GiveUp(err, nil)
	}
	doc.LastHeartbeatAt = tasks.HeartbeatTime(now, p.Location)
	body, err := json.Marshal(doc)
	if err != nil {
		return GiveUp(fmt.Errorf("writing the document: %w", err), nil)
	}
	p.Meter.Pushing(now.Sub(time.UnixMilli(payload.Due)))
	result := tasks.PushResult{Document: body, Receivers: p.Pusher.Push(context.WithoutCancel(ctx), r.ID, body)}
	for i := range result.Receivers {
		result.Receivers[i].Manual = payload.Manual
	}
	p.tell(result)
	if p.Tell != nil {
		p.Tell(context.WithoutCancel(ctx), p.Info())
	}
	return pushed(result).With(func(ctx context.Context) error {
		return p.note(ctx, hosts.Pushed{ID: r.ID, At: now, PushResult: result})
	})
}

// pushed is the outcome of a push that was posted.
func pushed(result tasks.PushResult) Outcome {
	failed := 0
	for _, o := range result.Receivers {
		if !o.OK {
			failed++
		}
	}
	if failed > 0 {
		return DoneBut(result, fmt.Errorf("%d of %d receivers did not take it", failed, len(result.Receivers)))
	}
	return Done(result)
}

// compose reads the dongles and makes the document of what is known then. It
// waits for Redis as long as ctx allows.
func (p *Pushes) compose(ctx context.Context) (tasks.StatusDocument, error) {
	h := p.Host
	if _, err := h.collectSince(ctx, h.Now().Truncate(time.Minute)); err != nil {
		if ctx.Err() != nil {
			return tasks.StatusDocument{}, context.Cause(ctx)
		}
		h.Log.Warn("could not note the state of the dongles", "err", err)
	}
	for {
		info := p.Info()
		st, err := h.Registry.State(ctx, info.Name)
		if err != nil && !errors.Is(err, hosts.ErrUnavailable) {
			h.Log.Warn("some of the dongles' state can't be read; what was read last is shown", "err", err)
			err = nil
		}
		var started map[int]time.Time
		if err == nil {
			started, err = p.Store.TogglesSince(ctx, info.Name, info.Dongles)
			if err != nil && !errors.Is(err, jobs.ErrUnavailable) {
				h.Log.Warn("toggles under way can't be read; they are not shown", "err", err)
				err = nil
			}
		}
		if err == nil {
			return hosts.Status(h.Now(), p.Location, &info, h.freshest(st), started), nil
		}
		if !pause(ctx, storePause) {
			return tasks.StatusDocument{}, context.Cause(ctx)
		}
	}
}

// freshest is the state with what was read and could not be written.
func (h *HostJobs) freshest(st hosts.State) hosts.State {
	if st.Dongles == nil {
		st.Dongles = map[int]hosts.Dongle{}
	}
	for n, d := range h.collections.all() {
		if st.Dongles[n].Collected.Before(d.Collected) {
			st.Dongles[n] = d
		}
	}
	return st
}

// note keeps what became of the push, and tells of receivers for which that is
// news.
func (p *Pushes) note(ctx context.Context, pushed hosts.Pushed) error {
	news, err := p.Host.Registry.NotePush(ctx, p.Host.Host.Name, pushed)
	if errors.Is(err, hosts.ErrUnavailable) {
		return fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
	}
	for _, o := range pushed.Receivers {
		for _, name := range news {
			switch {
			case o.Receiver != name:
			case o.OK:
				p.Host.Log.Info("pushes reach the receiver again", "receiver", name, "url_host", o.URLHost)
			default:
				p.Host.Log.Warn("pushes don't reach a receiver", "receiver", name, "url_host", o.URLHost, "err", o.Error)
			}
		}
	}
	return err
}

// tell counts the posts, writes a line of each, and saves the document.
func (p *Pushes) tell(result tasks.PushResult) {
	for _, o := range result.Receivers {
		took := time.Duration(o.DurationMS) * time.Millisecond
		p.Meter.Pushed(o.Receiver, o.Code, took)
		line := p.lines().With("receiver", o.Receiver, "url_host", o.URLHost, "manual", o.Manual, "status", o.Status, "took", took)
		if o.OK {
			line.Info("push sent")
		} else {
			line.Warn("push failed", "err", o.Error)
		}
	}
	if len(result.Receivers) == 0 {
		p.lines().Info("push composed; there are no receivers (push.receivers)")
	}
	if p.Save == nil {
		return
	}
	if err := p.Save(result.Document); err != nil {
		p.Host.Log.Warn("could not save the document that was pushed", "err", err)
	}
}

func (p *Pushes) lines() *slog.Logger {
	if p.Lines == nil {
		return slog.New(slog.DiscardHandler)
	}
	return p.Lines
}
