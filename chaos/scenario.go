package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"switchyard/configs"
	simtelegram "switchyard/sim/telegram"
)

// scenario is one way of breaking things.
type scenario struct {
	name string
	// run does the damage. What it says in words stands at the end of the line.
	// Whatever it kills, it starts again.
	run func(ctx context.Context, s *stage) (words string, err error)

	// reattach is how long the modems need back into the network. 0: 700 ms.
	reattach time.Duration
	// boot is how long a modem is away that reboots. 0: the simulator's.
	boot time.Duration
	// password, if any, is what the modems want for nearly everything.
	password string
	// defaults: the processes run with the configuration's defaults where they
	// otherwise have shorter times.
	defaults bool
	// tune changes the configuration of all processes.
	tune func(*configs.Config)
	// watched: Redis is a master with replicas and Sentinels.
	watched bool
	// telegram, if any, is one for the workers' bot.
	telegram *simtelegram.Options
	// bend are the promises that can't hold here.
	bend rules
}

const (
	// scenarioLimit is when a scenario is given up.
	scenarioLimit = 10 * time.Minute
	// idleLimit is what may pass after the damage until nothing is under way.
	idleLimit = 2 * time.Minute
)

// columns of the table; the first is the scenario's name.
var columns = []string{"asked", "taken", "refused", "cut", "jobs", "ended", "success", "unknown", "starts", "results", "doubled", "lost", "mode", "off", "slowest", "time"}

const nameWidth = 28

// runAll runs the scenarios and prints the table.
func runAll(ctx context.Context, opt *options, all []scenario, out io.Writer) (failed bool) {
	fmt.Fprintf(out, "%-*s", nameWidth, fmt.Sprintf("seed %d", opt.seed))
	for _, c := range columns {
		fmt.Fprintf(out, " %*s", max(len(c), 7), c)
	}
	fmt.Fprintln(out)
	for _, sc := range all {
		began := time.Now()
		t, words, err := play(ctx, opt, sc)
		if t == nil {
			t = &tally{}
		}
		verdict := "ok"
		if err != nil {
			verdict, failed = "FAILED", true
		}
		line := fmt.Sprintf("%-*s", nameWidth, sc.name)
		for i, v := range t.row(time.Since(began)) {
			line += fmt.Sprintf(" %*s", max(len(columns[i]), 7), v)
		}
		fmt.Fprintf(out, "%s  %s  %s\n", line, verdict, t.words(words))
		if err != nil {
			fmt.Fprintln(out, "    "+strings.ReplaceAll(err.Error(), "\n", "\n    "))
		}
		if ctx.Err() != nil {
			return true
		}
	}
	return failed
}

// play runs one scenario and draws up its account.
func play(ctx context.Context, opt *options, sc scenario) (t *tally, words string, err error) {
	ctx, cancel := context.WithTimeout(ctx, scenarioLimit)
	defer cancel()
	s, err := set(ctx, opt, sc)
	if err != nil {
		return nil, "", err
	}
	words, runErr := sc.run(ctx, s)
	damaged := time.Now()
	errs := []error{runErr, s.idle(ctx)}
	if took := time.Since(damaged); took > time.Second {
		words += fmt.Sprintf("; all quiet %.1f s after", took.Seconds())
	}
	t, err = s.count(ctx)
	errs = append(errs, err)
	if err == nil {
		errs = append(errs, t.err(sc.bend))
	}
	errs = append(errs, s.strike(ctx))
	return t, words, errors.Join(errs...)
}

// row is the account in the order of columns.
func (t *tally) row(took time.Duration) []string {
	results := make([]string, len(t.results))
	for i, r := range t.results {
		results[i] = r.String()
	}
	n := func(v int) string { return fmt.Sprint(v) }
	slowest := "-"
	if t.slowest > 0 {
		slowest = fmt.Sprintf("%dms", t.slowest.Milliseconds())
	}
	return []string{
		n(t.asked), n(t.taken), n(t.refused), n(t.cut), n(t.jobs), n(t.ended), n(t.success), fmt.Sprintf("%d+%d", t.unknownRefused, t.unknownCut),
		"≤" + n(t.starts), strings.Join(results, "/"), n(t.doubled), n(t.lost),
		n(len(t.modes)), n(len(t.off)), slowest, fmt.Sprintf("%.1fs", took.Seconds()),
	}
}

// words adds to the scenario's own what is worth telling of the account.
func (t *tally) words(own string) string {
	all := []string{}
	if own != "" {
		all = append(all, own)
	}
	if t.forgotten > 0 {
		all = append(all, fmt.Sprintf("%d of %d promised jobs were forgotten", t.forgotten, t.jobs))
	}
	if t.success < t.ended {
		all = append(all, fmt.Sprintf("%d of %d toggles brought an address", t.success, t.ended))
	}
	if t.withdrawn > 0 {
		all = append(all, fmt.Sprintf("%d jobs of refused requests were withdrawn before they began", t.withdrawn))
	}
	if t.toldRefused > 0 {
		all = append(all, fmt.Sprintf("%d requests that were not taken were told of a result", t.toldRefused))
	}
	if left := slices.Concat(t.modes, t.off); len(left) > 0 {
		all = append(all, "modems: "+strings.Join(left, ", "))
	}
	return strings.Join(all, "; ")
}

// toggleSuite are the scenarios of a toggle and its callbacks.
func toggleSuite() []scenario {
	var all []scenario
	for _, part := range [][]scenario{
		togetherScenarios(), hostScenarios(), delivererScenarios(), redisScenarios(), stopScenarios(), apiScenarios(),
	} {
		all = append(all, part...)
	}
	return all
}
