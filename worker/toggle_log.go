package worker

import (
	"context"
	"log/slog"
	"time"

	"switchyard/jobs"
	"switchyard/tasks"
)

// toggleLog tells one run of a toggle to toggle_api.log: that it started, what
// was found, each step once it is over, and what came of it.
type toggleLog struct {
	log   *slog.Logger
	began time.Time
	found bool // the diagnosis is told
	told  int  // steps
}

func (h *HostJobs) startToggleLog(j *jobs.Job, subnet int) *toggleLog {
	log := h.Toggles
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &toggleLog{log: log.With("job", j.ID, "host", h.Host.Name, "subnet", subnet, "port", tasks.Port(subnet)), began: time.Now()}
	l.log.Info("toggle started", "attempt", j.Attempt)
	return l
}

// progress tells what has come to be known since it was called last.
func (l *toggleLog) progress(ctx context.Context, p tasks.ToggleProgress) {
	if !l.found && p.Diagnosis != "" {
		l.found = true
		l.log.InfoContext(ctx, "toggle diagnosed", "diagnosis", p.Diagnosis, "old_ip", orNone(p.OldIP))
	}
	for ; l.told < len(p.Steps) && p.Steps[l.told].Outcome != "running"; l.told++ {
		s := p.Steps[l.told]
		attrs := []any{"step", s.Step, "outcome", s.Outcome, "duration_ms", s.DurationMS}
		if s.Method != "" {
			attrs = append(attrs, "method", s.Method)
		}
		if s.Reason != "" {
			attrs = append(attrs, "reason", s.Reason)
		}
		l.log.InfoContext(ctx, "toggle step", attrs...)
	}
}

// ended tells what came of the run.
func (l *toggleLog) ended(out tasks.ToggleOutcome, o Outcome) {
	took := time.Since(l.began).Milliseconds()
	switch {
	case o.kind == released:
		l.log.Info("toggle handed back, to be run again", "duration_ms", took)
	case o.kind == cancelled:
		l.log.Info("toggle cancelled", "step", out.Step, "duration_ms", took)
	case out.Success:
		l.log.Info("toggle ended", "success", true, "ip", orNone(out.IP), "step", out.Step, "duration_ms", took)
	default:
		l.log.Warn("toggle ended", "success", false, "ip", orNone(out.IP), "step", out.Step, "duration_ms", took, "err", o.err)
	}
}

func orNone(ip *string) string {
	if ip == nil {
		return "none"
	}
	return *ip
}
