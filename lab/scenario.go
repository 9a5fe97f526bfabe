package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// outcome is what the table tells of a scenario.
type outcome struct {
	seen   string        // the step; - where it was not one toggle
	toggle time.Duration // from the request to the end of the job; 0 where it was not one toggle
	words  []string
}

// runAll runs the scenarios and prints the table.
func (s *stage) runAll(ctx context.Context, all []scenario, out io.Writer) (ok bool, err error) {
	line(out, "scenario", "broken", "expected", "seen", "toggle", "all", "")
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
			s.tidy(ctx)
		}
		expected, toggle := fmt.Sprint(sc.step), seconds(o.toggle)
		if sc.run != nil {
			expected, toggle = "-", "-"
		}
		line(out, sc.name, sc.broken, expected, o.seen, toggle, seconds(time.Since(began)), verdict)
		for _, w := range o.words {
			line(out, "", w, "", "", "", "", "")
		}
		if err != nil {
			fmt.Fprintln(out, "    "+strings.ReplaceAll(err.Error(), "\n", "\n    "))
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
	}
	fmt.Fprint(out, sum(s.comebacks))
	return ok, nil
}

// line prints one of the table.
func line(out io.Writer, name, broken, expected, seen, toggle, all, verdict string) {
	text := fmt.Sprintf("%-13s %-44s %8s %5s %7s %7s  %s", name, broken, expected, seen, toggle, all, verdict)
	fmt.Fprintln(out, strings.TrimRight(text, " "))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

// perform breaks, toggles and checks.
func (s *stage) perform(ctx context.Context, sc scenario) (o outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, scenarioLimit)
	defer cancel()
	o.seen = "-"
	if sc.run != nil {
		words, err := sc.run(ctx, s)
		o.words = strings.FieldsFunc(words, func(r rune) bool { return r == '\n' })
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
	began := time.Now()
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
	toggle := time.Since(began)
	halt(errors.New("the toggle has ended"))
	err = errors.Join(err, <-aside)
	if err != nil {
		return o, err
	}
	o, err = s.judge(ctx, sc, j, before, from, told)
	o.toggle = toggle
	return o, err
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
	if c, ok := s.comeback(ctx, j, progress, events); ok {
		s.comebacks = append(s.comebacks, c)
		o.words = append(o.words, c.String())
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

// lastEvent is the number of the last event so far.
func (s *stage) lastEvent(ctx context.Context) (int, error) {
	all, err := s.guest.Events(ctx, 0, 0)
	return len(all), err
}

// awaitLimit is what anything in the machine may take.
const awaitLimit = time.Minute

// await waits for an event after the nth about a dongle, and returns it.
func (s *stage) await(ctx context.Context, after, subnet int, what string) (guest.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, awaitLimit)
	defer cancel()
	for {
		events, err := s.guest.Events(ctx, after, time.Second)
		if err != nil && ctx.Err() == nil {
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
