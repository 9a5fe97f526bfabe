package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/lab/guest"
	"switchyard/tasks"
)

// steps tells how long each step took, and what it waited for.
func steps(p tasks.ToggleProgress) (all []string) {
	for _, st := range p.Steps {
		text := fmt.Sprintf("step %d ", st.Step)
		if st.Method != "" {
			text += st.Method + " "
		}
		text += st.Outcome + " " + milliseconds(st.DurationMS)
		for i, w := range st.Waits {
			text += fmt.Sprintf("%s %s %s", []string{",", ":"}[min(1, max(0, 1-i))], w.Name, milliseconds(w.DurationMS))
		}
		all = append(all, text)
	}
	return all
}

func milliseconds(n int64) string { return seconds(time.Duration(n) * time.Millisecond) }

// comeback is how a dongle came back after its power was switched on.
type comeback struct {
	all time.Duration // from the power to the end of the toggle
	// link and modem are until the kernel had its interface and the modem was in
	// its network; ours is what passed after both.
	link, modem, ours time.Duration
}

func (c comeback) String() string {
	return fmt.Sprintf("power on to connected %s: interface after %s, modem in its network after %s, then ours %s",
		seconds(c.all), seconds(c.link), seconds(c.modem), seconds(c.ours))
}

// comeback draws it up from the last power cycle of a toggle. False: there was
// none.
func (s *stage) comeback(ctx context.Context, j api.JobDocument, p tasks.ToggleProgress, events []guest.Event) (c comeback, ok bool) {
	var power, link, modem time.Time
	for _, e := range events {
		switch {
		case e.Subnet != victim:
		case e.What == "port on":
			power = e.At
		case strings.HasPrefix(e.What, "link eth"):
			link = e.At
		case strings.HasPrefix(e.What, "modem attached"):
			modem = e.At
		}
	}
	sinceOn, ok := afterPower(p)
	if !ok || link.IsZero() || modem.IsZero() || j.CompletedAt == nil {
		return c, false
	}
	completed, err := time.Parse(tasks.MilliTime, *j.CompletedAt)
	if err != nil {
		return c, false
	}
	ahead, err := s.clockAhead(ctx)
	if err != nil {
		return c, false
	}
	end := completed.Add(ahead)
	on := end.Add(-sinceOn)
	if !power.IsZero() && power.Before(on) {
		on = power // the first of several ports
	}
	there := slices.MaxFunc([]time.Time{link, modem}, time.Time.Compare)
	return comeback{all: end.Sub(on), link: max(0, link.Sub(on)), modem: modem.Sub(on), ours: end.Sub(there)}, true
}

// afterPower is what a toggle waited for after it had switched the power on the
// last time.
func afterPower(p tasks.ToggleProgress) (sum time.Duration, ok bool) {
	for _, st := range p.Steps {
		for _, w := range st.Waits {
			switch {
			case w.Name == "port_off", w.Name == "hub_off":
				sum, ok = 0, true
			case ok:
				sum += time.Duration(w.DurationMS) * time.Millisecond
			}
		}
	}
	return sum, ok
}

// sum is the last line of the table: the median of all that came back.
func sum(all []comeback) string {
	if len(all) == 0 {
		return ""
	}
	median := func(of func(comeback) time.Duration) string {
		var times []time.Duration
		for _, c := range all {
			times = append(times, of(c))
		}
		slices.Sort(times)
		return seconds(times[len(times)/2])
	}
	return fmt.Sprintf("power on to connected, median of %d: %s, ours %s (the modem boots in %s and attaches in %s)\n", len(all),
		median(func(c comeback) time.Duration { return c.all }), median(func(c comeback) time.Duration { return c.ours }), boot, reattach)
}

// clockAhead is how far the machine's clock is ahead of ours.
func (s *stage) clockAhead(ctx context.Context) (time.Duration, error) {
	sent := time.Now()
	theirs, err := s.guest.Clock(ctx)
	if err != nil {
		return 0, err
	}
	return theirs.Sub(sent.Add(time.Since(sent) / 2)), nil
}
