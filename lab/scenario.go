package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/lab/guest"
	"switchyard/tasks"
)

// scenario is one way of breaking a dongle, and what a toggle has to make of it.
type scenario struct {
	name   string
	broken string // what was broken, in words
	// diagnosis and step are those of the toggle that follows.
	diagnosis string
	step      int
	// kept: the dongle may have the address that it had.
	kept bool
	// hub: the other dongles of the hub may lose their power, too.
	hub bool
	// worker is the one that it takes.
	worker workerKind

	// breaks does the damage. nil: none.
	breaks func(ctx context.Context, s *stage) error
	// meanwhile runs beside the toggle. nil: nothing does.
	meanwhile func(ctx context.Context, s *stage, from int) error
	// run is all of the scenario, where it is not one toggle. The fields above
	// but name, broken and worker don't count then.
	run func(ctx context.Context, s *stage) (words string, err error)
}

// victim is the dongle that is broken.
const victim = firstDongle

// scenarioLimit is when a scenario is given up.
const scenarioLimit = 5 * time.Minute

const nameWidth, brokenWidth = 16, 46

// runAll runs the scenarios and prints the table.
func (s *stage) runAll(ctx context.Context, all []scenario, out io.Writer) (ok bool, err error) {
	fmt.Fprintf(out, "%-*s %-*s %8s %5s %7s\n", nameWidth, "scenario", brokenWidth, "broken", "expected", "seen", "time")
	ok = true
	for _, sc := range all {
		if err := s.ready(ctx, sc); err != nil {
			return false, fmt.Errorf("before %s: %w", sc.name, err)
		}
		began := time.Now()
		o, err := s.perform(ctx, sc)
		verdict := "PASS"
		if err != nil {
			verdict, ok = "FAIL", false
		}
		expected, seen := fmt.Sprint(sc.step), o.seen
		if sc.run != nil {
			expected = "-"
		}
		fmt.Fprintf(out, "%-*s %-*s %8s %5s %6.1fs  %s  %s\n", nameWidth, sc.name, brokenWidth, sc.broken, expected, seen, time.Since(began).Seconds(), verdict, o.words)
		if err != nil {
			fmt.Fprintln(out, "    "+strings.ReplaceAll(err.Error(), "\n", "\n    "))
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
	}
	return ok, nil
}

// outcome is what the table tells of a scenario.
type outcome struct{ seen, words string }

// perform breaks, toggles and checks.
func (s *stage) perform(ctx context.Context, sc scenario) (o outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, scenarioLimit)
	defer cancel()
	o.seen = "-"
	if sc.run != nil {
		o.words, err = sc.run(ctx, s)
		return o, err
	}
	told := len(s.central.receiver.Received())
	if sc.breaks != nil {
		if err := sc.breaks(ctx, s); err != nil {
			return o, err
		}
	}
	before, err := s.guest.Modem(ctx, victim)
	if err != nil {
		return o, err
	}
	from, err := s.lastEvent(ctx)
	if err != nil {
		return o, err
	}
	id, err := s.central.toggle(ctx, victim)
	if err != nil {
		return o, err
	}
	beside, halt := context.WithCancelCause(ctx)
	aside := make(chan error, 1)
	go func() {
		if sc.meanwhile == nil {
			aside <- nil
			return
		}
		aside <- sc.meanwhile(beside, s, from)
	}()
	j, err := s.central.ended(ctx, id)
	halt(errors.New("the toggle has ended"))
	err = errors.Join(err, <-aside)
	if err != nil {
		return o, err
	}
	return s.judge(ctx, sc, j, before, from, told)
}

// judge compares what a toggle did with what it had to do.
func (s *stage) judge(ctx context.Context, sc scenario, j api.JobDocument, before guest.ModemState, from, told int) (o outcome, err error) {
	result, progress, err := read(j)
	if err != nil {
		return outcome{seen: "-"}, err
	}
	o.seen = fmt.Sprint(result.Step)
	after, err := s.guest.Modem(ctx, victim)
	if err != nil {
		return o, err
	}
	events, err := s.guest.Events(ctx, from, 0)
	if err != nil {
		return o, err
	}
	var wrong []error
	claim := func(holds bool, format string, args ...any) {
		if !holds {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	claim(result.Success, "the toggle brought no address")
	claim(result.Step == sc.step, "step %d, not %d", result.Step, sc.step)
	claim(progress.Diagnosis == sc.diagnosis, "the diagnosis was %s, not %s", progress.Diagnosis, sc.diagnosis)
	ip := ""
	if result.IP != nil {
		ip = *result.IP
	}
	claim(ip == after.Address, "it tells of address %q, the modem has %q", ip, after.Address)
	claim(sc.kept || ip != before.Address, "the address is still %s", ip)
	claim(after.Mode == before.Mode, "the modem is left in mode %s, not %s", after.Mode, before.Mode)
	for _, e := range events {
		claim(e.What != "leak", "a probe left by the uplink")
		claim(e.Subnet == victim || e.Subnet == 0 || sc.hub, "dongle %d was touched: %s", e.Subnet, e.What)
	}
	wrong = append(wrong, s.central.told(ctx, told, 1))
	if len(wrong) > 1 {
		wrong = append(wrong, fmt.Errorf("progress: %s", j.Progress))
	}
	o.words = steps(progress)
	if share := s.share(ctx, j, events); share != "" {
		o.words += "; " + share
	}
	return o, errors.Join(wrong...)
}

// read reads what a toggle came to.
func read(j api.JobDocument) (result tasks.ToggleOutcome, progress tasks.ToggleProgress, err error) {
	if err := errors.Join(json.Unmarshal(j.Result, &result), json.Unmarshal(j.Progress, &progress)); err != nil {
		return result, progress, fmt.Errorf("job %s is %s: result %s, progress %s: %w", j.JobID, j.State, j.Result, j.Progress, err)
	}
	return result, progress, nil
}

// steps tells how long each step took.
func steps(p tasks.ToggleProgress) string {
	var all []string
	for _, st := range p.Steps {
		name := fmt.Sprint(st.Step)
		if st.Method != "" {
			name += " " + st.Method
		}
		all = append(all, fmt.Sprintf("%s %s %.1fs", name, st.Outcome, float64(st.DurationMS)/1000))
	}
	return "steps: " + strings.Join(all, ", ")
}

// share tells how long it took from the port's power to connectivity, and what
// part of it was ours: what passed after the kernel had the interface and the
// modem was in its network. Empty where no port was switched.
func (s *stage) share(ctx context.Context, j api.JobDocument, events []guest.Event) string {
	var on, link, attached time.Time
	for _, e := range events {
		switch {
		case e.Subnet != victim:
		case e.What == "port on":
			on, link, attached = e.At, time.Time{}, time.Time{}
		case strings.HasPrefix(e.What, "link eth"):
			link = e.At
		case strings.HasPrefix(e.What, "modem attached"):
			attached = e.At
		}
	}
	if on.IsZero() || link.IsZero() || attached.IsZero() || j.CompletedAt == nil {
		return ""
	}
	completed, err := time.Parse(tasks.MilliTime, *j.CompletedAt)
	if err != nil {
		return ""
	}
	ahead, err := s.clockAhead(ctx)
	if err != nil {
		return ""
	}
	end := completed.Add(ahead)
	there := slices.MaxFunc([]time.Time{link, attached}, time.Time.Compare)
	return fmt.Sprintf("port on → done %.1fs (interface %.1fs, modem in its network %.1fs, ours %.1fs)",
		end.Sub(on).Seconds(), link.Sub(on).Seconds(), attached.Sub(on).Seconds(), end.Sub(there).Seconds())
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

// lastEvent is the number of the last event so far.
func (s *stage) lastEvent(ctx context.Context) (int, error) {
	all, err := s.guest.Events(ctx, 0, 0)
	return len(all), err
}

// await waits for an event after the nth about a dongle, and returns it.
func (s *stage) await(ctx context.Context, after, subnet int, what string) (guest.Event, error) {
	for {
		events, err := s.guest.Events(ctx, after, time.Second)
		if err != nil {
			return guest.Event{}, err
		}
		for _, e := range events {
			if e.Subnet == subnet && strings.HasPrefix(e.What, what) {
				return e, nil
			}
			after = e.N
		}
		if ctx.Err() != nil {
			return guest.Event{}, fmt.Errorf("waiting for %q of dongle %d: %w", what, subnet, context.Cause(ctx))
		}
	}
}
