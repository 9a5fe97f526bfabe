package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"switchyard/hardware"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/tasks"
)

// HostJobs executes the jobs of a proxy host.
type HostJobs struct {
	Host     *hardware.Host
	Registry *hosts.Registry
	// Now is Redis' clock.
	Now func() time.Time
	Log *slog.Logger
	// Toggles hears how each toggle goes, beside Log. Optional.
	Toggles *slog.Logger
	// CollectLimit is the longest that reading all dongles may take. 0: as long
	// as their modems do.
	CollectLimit time.Duration

	collections collections
}

// Toggle is the handler of tasks.Toggle. A toggle that brought no address is a
// completed job whose result says so.
func (h *HostJobs) Toggle(ctx context.Context, r *Run) Outcome {
	var p tasks.TogglePayload
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		return GiveUp(fmt.Errorf("unreadable payload: %w", err), nil)
	}
	told := h.startToggleLog(r.Job, p.Subnet)
	result := tasks.FailedToggle(p, 0)
	out := h.toggle(ctx, r, told, &result, p.Subnet)
	told.ended(result.ToggleOutcome, out)
	return out
}

// toggle toggles a dongle, and writes into result what came of it.
func (h *HostJobs) toggle(ctx context.Context, r *Run, told *toggleLog, result *tasks.ToggleResult, subnet int) Outcome {
	var last tasks.ToggleProgress
	d, err := h.Host.Dongle(subnet)
	if err != nil {
		return DoneBut(result, err)
	}
	result.ToggleOutcome, err = h.Host.Ladder.Toggle(ctx, d, hardware.Hooks{
		Check: r.Check,
		Progress: func(ctx context.Context, p tasks.ToggleProgress) {
			last = p
			told.progress(ctx, p)
			if err := r.Progress(ctx, p); err != nil {
				h.Log.Debug("progress not noted", "job", r.ID, "err", err)
			}
		},
	})
	if errors.Is(err, ErrStopping) || errors.Is(err, jobs.ErrLost) {
		return Release()
	}
	state := h.stateAfter(ctx, d, result.ToggleOutcome)
	brought := rotation(r.ID, h.Now(), last, result.ToggleOutcome)
	ended := func(ctx context.Context) error {
		err := h.ended(ctx, subnet, state, brought)
		if errors.Is(err, hosts.ErrUnavailable) {
			return fmt.Errorf("%w: %w", jobs.ErrUnavailable, err)
		}
		return err
	}
	switch {
	case err == nil && result.Success:
		return Done(result).With(ended)
	case err == nil:
		return DoneBut(result, errors.New("no step brought connectivity")).With(ended)
	case errors.Is(err, jobs.ErrCancelAsked):
		return Cancelled(result).With(ended)
	}
	return DoneBut(result, err).With(ended)
}

// stateLimit bounds the look at a dongle whose toggle didn't succeed.
const stateLimit = 5 * time.Second

// stateAfter is what is known of the dongle after a toggle: its outcome, or,
// where that tells nothing (it failed, or never came to the dongle), what there
// is to see.
func (h *HostJobs) stateAfter(ctx context.Context, d *hardware.Dongle, out tasks.ToggleOutcome) hosts.Dongle {
	if out.Success {
		return hosts.Dongle{ExternalIP: out.IP, Connected: true, Traffic: out.Traffic, Signal: out.Signal}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stateLimit)
	defer cancel()
	return d.Collect(ctx)
}

// rotation is what a toggle came to, for the share of new addresses; nil where
// it brought none.
func rotation(id string, at time.Time, p tasks.ToggleProgress, out tasks.ToggleOutcome) *hosts.Rotation {
	if !out.Success || out.IP == nil {
		return nil
	}
	r := &hosts.Rotation{ID: id, At: at, New: *out.IP}
	if p.OldIP != nil {
		r.Old = *p.OldIP
	}
	return r
}

// ended writes down what the end of a toggle tells about the dongle.
func (h *HostJobs) ended(ctx context.Context, subnet int, state hosts.Dongle, brought *hosts.Rotation) error {
	now := h.Now()
	if err := h.Registry.SetLastToggle(ctx, h.Host.Name, subnet, now); err != nil {
		return err
	}
	if brought != nil {
		if err := h.Registry.NoteRotation(ctx, h.Host.Name, subnet, *brought); err != nil {
			return err
		}
	}
	state.Collected = now
	return h.toggled(ctx, subnet, state)
}
