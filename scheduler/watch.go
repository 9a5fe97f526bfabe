package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/alerts"
	"switchyard/events"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/tasks"
)

const (
	// tellInterval is the time between two looks at who is to be told of an alert.
	tellInterval = time.Second
	// watchLimit bounds one look.
	watchLimit = 10 * time.Second
	// lastFor is how long an alert about something that happened lasts, unless the
	// opposite happens.
	lastFor = 24 * time.Hour
	// machineGone is how long a machine may tell nothing of itself before its alerts are
	// over: nobody is there who could say so.
	machineGone = 15 * time.Minute
	// figuresAge is the oldest that a host's figures and readings may be.
	figuresAge = 3 * time.Minute
)

// lastStep of the ladder that a toggle climbs: the power of the port.
const lastStep = 4

// Watch looks at what may go wrong, for alerts: hosts and their dongles, queues, how
// toggles and deliveries ended. Any number of schedulers may look at the same time.
type Watch struct {
	Store    *jobs.Store
	Registry *hosts.Registry
	Book     *alerts.Book
	Rules    alerts.Rules
	// Interval is the time between two looks.
	Interval time.Duration
	// Route are the jobs that tell somebody of news; each with a name of its own.
	Route func(alerts.News) map[string]tasks.Draft
	Log   *slog.Logger
}

// Run looks, and tells, until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	limited := func(look func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, watchLimit)
			defer cancel()
			return look(ctx)
		}
	}
	together(ctx,
		func(ctx context.Context) {
			every(ctx, w.Interval, limited(w.Look), w.Log, "could not look at what may go wrong; trying on", "looking at what may go wrong again")
		},
		func(ctx context.Context) {
			every(ctx, min(tellInterval, w.Interval), limited(w.Tell), w.Log, "could not tell of alerts; trying on", "telling of alerts again")
		})
}

// Look takes in all that is to be seen at this moment. A part that fails keeps no other
// from being seen.
func (w *Watch) Look(ctx context.Context) error {
	return errors.Join(w.lookAtHosts(ctx), w.lookAtQueues(ctx), w.lookAtJobs(ctx), w.lookAtPushes(ctx), w.lookForOver(ctx), w.Book.Forget(ctx))
}

// observe takes in what was seen.
func (w *Watch) observe(ctx context.Context, seen ...alerts.Observation) error {
	changed, err := w.Book.Observe(ctx, w.Rules, seen...)
	for _, a := range changed {
		w.Log.Info("alert", "id", a.ID, "state", a.State, "kind", a.Kind, "subject", a.Subject)
	}
	return err
}

func (w *Watch) lookAtHosts(ctx context.Context) error {
	all, err := w.Registry.All(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(all))
	for i, h := range all {
		names[i] = h.Name
	}
	states, err := w.Registry.States(ctx, names)
	if err != nil {
		return err
	}
	now := w.Store.Now()
	var seen []alerts.Observation
	for i, h := range all {
		online := w.Registry.Online(h, now)
		seen = append(seen, alerts.Observation{
			Kind: alerts.HostOffline, Subject: h.Name, Verdict: alerts.BadIf(!online), Details: map[string]any{"host": h.Name, "server_ip": h.ServerIP, "seen_at": h.Seen},
		})
		if !online {
			continue // what it said last is no news
		}
		if v := h.Vitals; v != nil && now.Sub(v.At) < figuresAge {
			seen = append(seen, w.Rules.Machine(h.Name, v.CPU, v.Memory, v.Disk)...)
		}
		for _, n := range h.Dongles {
			seen = append(seen, w.dongle(h.Name, n, states[i].Dongles[n], now)...)
		}
	}
	return errors.Join(w.observe(ctx, seen...), w.endRemoved(ctx, all))
}

// dongle is what is to be seen of one, if that is new enough.
func (w *Watch) dongle(host string, subnet int, d hosts.Dongle, now time.Time) []alerts.Observation {
	if d.Collected.IsZero() || now.Sub(d.Collected) > figuresAge {
		return nil
	}
	subject := dongle(host, subnet)
	about := map[string]any{"host": host, "subnet": subnet, "port": tasks.Port(subnet)}
	out := []alerts.Observation{{Kind: alerts.DongleLost, Subject: subject, Verdict: alerts.BadIf(!d.Connected), Details: about}}
	if d.Connected && d.Signal != nil && d.Signal.RSRP != nil {
		rule := w.Rules[alerts.PoorSignal]
		rsrp := float64(*d.Signal.RSRP)
		out = append(out, alerts.Observation{
			// A level that is lower is worse.
			Kind: alerts.PoorSignal, Subject: subject, Verdict: alerts.Rule{Threshold: -rule.Threshold, Hysteresis: rule.Hysteresis}.Judge(-rsrp),
			Details: map[string]any{"host": host, "subnet": subnet, "rsrp": rsrp},
		})
	}
	return out
}

func dongle(host string, subnet int) string { return host + "/" + strconv.Itoa(subnet) }

// ofHost are the kinds whose subject is a host, or one of its dongles.
var ofHost = []alerts.Kind{alerts.HostOffline, alerts.DongleLost, alerts.PoorSignal, alerts.ToggleFailed}

// endRemoved ends alerts about hosts and dongles that are no more.
func (w *Watch) endRemoved(ctx context.Context, all []*hosts.Info) error {
	watched, err := w.Book.Watched(ctx)
	if err != nil {
		return err
	}
	var gone []alerts.Observation
	for _, x := range watched {
		if !slices.Contains(ofHost, x.Kind) {
			continue
		}
		host, number, isDongle := strings.Cut(x.Subject, "/")
		subnet, _ := strconv.Atoi(number) // ours are numbers
		there := slices.ContainsFunc(all, func(h *hosts.Info) bool { return h.Name == host && (!isDongle || h.Has(subnet) || h.Fault != nil) })
		if !there {
			gone = append(gone, alerts.Observation{Kind: x.Kind, Subject: x.Subject})
		}
	}
	return w.observe(ctx, gone...)
}

func (w *Watch) lookAtQueues(ctx context.Context) error {
	names, err := w.Registry.Names(ctx)
	if err != nil {
		return err
	}
	queues := tasks.SharedQueues()
	for _, n := range names {
		queues = append(queues, tasks.HostQueue(n))
	}
	backlogs, err := w.Store.Backlogs(ctx, queues)
	if err != nil {
		return err
	}
	var seen []alerts.Observation
	for q, b := range backlogs {
		details := map[string]any{"queue": q, "pending": b.Pending}
		if !b.Oldest.IsZero() {
			details["oldest"] = b.Oldest.UTC()
		}
		seen = append(seen, alerts.Observation{Kind: alerts.QueueBacklog, Subject: q, Verdict: w.Rules[alerts.QueueBacklog].Judge(float64(b.Pending)), Details: details})
	}
	return w.observe(ctx, seen...)
}

// lookForOver ends what is over by itself, and what nobody is there to look at.
func (w *Watch) lookForOver(ctx context.Context) error {
	watched, err := w.Book.Watched(ctx)
	if err != nil {
		return err
	}
	now := w.Store.Now()
	machine := []alerts.Kind{alerts.CPU, alerts.Memory, alerts.Disk}
	var over []alerts.Observation
	for _, x := range watched {
		if !x.Watch.Until.IsZero() && !now.Before(x.Watch.Until) || slices.Contains(machine, x.Kind) && now.Sub(x.Watch.Seen) > machineGone {
			over = append(over, alerts.Observation{Kind: x.Kind, Subject: x.Subject})
		}
	}
	return w.observe(ctx, over...)
}

// Tell makes the jobs that tell of alerts. One that dies in between is made good for:
// the ids of the jobs follow from what is told.
func (w *Watch) Tell(ctx context.Context) error {
	news, err := w.Book.Untold(ctx)
	if err != nil {
		return err
	}
	for _, n := range news {
		for name, draft := range w.Route(n) {
			id := jobs.DerivedID(n.At, "alert", n.Alert.ID, string(n.State), name)
			if _, err := w.Store.Accept(ctx, jobs.Request{Draft: draft, ID: id}); err != nil {
				return err
			}
		}
		if err := w.Book.Told(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// read reports whether an event or a result could be read; one of another version tells
// nothing here.
func read(text json.RawMessage, v any) bool { return json.Unmarshal(text, v) == nil }

// lookAtJobs sees how toggles and deliveries have ended.
func (w *Watch) lookAtJobs(ctx context.Context) error {
	var hooks failing
	return w.Book.Follow(ctx, events.Jobs, func(e events.Event) error {
		var j events.Job
		if !read(e.Data, &j) || !j.Final() {
			return nil
		}
		switch tasks.Type(j.Type) {
		case tasks.Toggle:
			return w.toggled(ctx, j)
		case tasks.Callback:
			return w.delivered(ctx, j, &hooks)
		}
		return nil
	})
}

func (w *Watch) toggled(ctx context.Context, j events.Job) error {
	var r tasks.ToggleOutcome
	if !read(j.Result, &r) || !r.Success && r.Step < lastStep {
		return nil
	}
	reason := j.Error
	if reason == "" {
		reason = "새 IP를 받지 못했습니다"
	}
	return w.observe(ctx, alerts.Observation{
		Kind: alerts.ToggleFailed, Subject: dongle(j.Host, j.Subnet), Verdict: alerts.BadIf(!r.Success), Until: w.Store.Now().Add(lastFor),
		Details: map[string]any{"host": j.Host, "subnet": j.Subnet, "job_id": j.JobID, "step": r.Step, "error": reason},
	})
}

const (
	// mostReceivers is how many alerts about deliveries there may be at once: clients
	// choose where callbacks go. Beyond that they share one.
	mostReceivers = 100
	otherHosts    = "…"
)

// failing are the receivers that deliveries don't reach, as far as is known; nil before
// that was read.
type failing map[string]bool

// delivered looks at the record for whom it was for: that is not in the event. Those
// that arrived are looked at while there is an alert that they may end.
func (w *Watch) delivered(ctx context.Context, j events.Job, hooks *failing) error {
	if j.State == string(jobs.Cancelled) {
		return nil
	}
	if *hooks == nil {
		watched, err := w.Book.Watched(ctx)
		if err != nil {
			return err
		}
		*hooks = failing{}
		for _, x := range watched {
			if x.Kind == alerts.DeliveryFailed {
				(*hooks)[x.Subject] = true
			}
		}
	}
	failed := j.State == string(jobs.Failed)
	if !failed && len(*hooks) == 0 {
		return nil
	}
	record, err := w.Store.Get(ctx, j.JobID)
	if errors.Is(err, jobs.ErrUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	var r tasks.CallbackResult
	if !read(record.Result, &r) || r.URLHost == "" {
		return nil
	}
	subject := r.URLHost
	if len(*hooks) >= mostReceivers && !(*hooks)[subject] {
		if !failed {
			return nil
		}
		subject = otherHosts
	}
	err = w.observe(ctx, alerts.Observation{
		Kind: alerts.DeliveryFailed, Subject: subject, Verdict: alerts.BadIf(failed), Until: w.Store.Now().Add(lastFor),
		Details: map[string]any{"url_host": r.URLHost, "receiver": r.Receiver, "job_id": j.JobID, "error": j.Error},
	})
	if err != nil {
		return err
	}
	if failed {
		(*hooks)[subject] = true
	} else {
		delete(*hooks, subject)
	}
	return nil
}

// lookAtPushes sees which receivers of pushes don't get them.
func (w *Watch) lookAtPushes(ctx context.Context) error {
	return w.Book.Follow(ctx, events.Hosts, func(e events.Event) error {
		var p events.Push
		if e.Kind != events.PushKind || !read(e.Data, &p) || p.URLHost == "" {
			return nil
		}
		return w.observe(ctx, alerts.Observation{
			Kind: alerts.DeliveryFailed, Subject: p.Host + " → " + p.URLHost, Verdict: alerts.BadIf(!p.OK), Until: w.Store.Now().Add(lastFor),
			Details: map[string]any{"host": p.Host, "receiver": p.Receiver, "url_host": p.URLHost, "error": p.Error},
		})
	})
}
