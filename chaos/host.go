package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"switchyard/api"
	"switchyard/sim/hilink"
	"switchyard/tasks"
)

// killAt is a moment of a toggle at which its worker is killed.
type killAt struct {
	name   string
	rounds int
	// arm is called before the toggles are asked for. Optional.
	arm func(s *stage) error
	// reached waits for the moment; from is how long each modem's ledger was
	// before.
	reached func(ctx context.Context, s *stage, from []int) error
	// disarm is called after the kill. Optional.
	disarm func(s *stage)
}

// hostScenarios kill the host's worker at every step of a toggle.
func hostScenarios() []scenario {
	const rounds = 2
	moments := []killAt{
		{
			// Frozen before, it can't have fetched the task.
			name: "accepted", rounds: rounds,
			arm:     func(s *stage) error { return s.host.tell(syscall.SIGSTOP) },
			reached: func(context.Context, *stage, []int) error { return nil },
		},
		{name: "answered", rounds: 2 * rounds, reached: func(context.Context, *stage, []int) error { return nil }},
		{
			// The handler's first question to the modem is not answered.
			name: "claimed", rounds: rounds,
			arm:     func(s *stage) error { s.faults(hilink.Faults{Hang: true}); return nil },
			reached: func(ctx context.Context, s *stage, _ []int) error { return s.everyModemHangs(ctx) },
			disarm:  soundModems,
		},
		// The first modem was set to LTE, the second to automatic: here each is
		// in the other mode.
		{name: "net-mode-00", rounds: rounds, arm: slowModems, reached: ledgerOf(0, "net-mode 00"), disarm: soundModems},
		{name: "net-mode-03", rounds: rounds, arm: slowModems, reached: ledgerOf(1, "net-mode 03"), disarm: soundModems},
		{name: "attached", rounds: rounds, reached: ledgerOf(0, "attached")},
		{
			// Mobile data is off, and on again only after the hold of 6 s.
			name: "dataswitch-0", rounds: rounds,
			arm:     func(s *stage) error { s.faults(hilink.Faults{RefuseNetMode: refusedMode}); return nil },
			reached: ledgerOf(0, "dataswitch 0"),
		},
		{name: "finish", rounds: 3 * rounds, reached: func(ctx context.Context, s *stage, from []int) error {
			if err := ledgerOf(0, "attached")(ctx, s, from); err != nil {
				return err
			}
			return rest(ctx, s.between(0, 120*time.Millisecond))
		}},
		{name: "anywhen", rounds: 3 * rounds, reached: func(ctx context.Context, s *stage, _ []int) error {
			return rest(ctx, s.between(0, 1500*time.Millisecond))
		}},
	}
	all := make([]scenario, len(moments))
	for i, m := range moments {
		all[i] = scenario{name: "host-kill/" + m.name, run: m.run}
	}
	return all
}

// downtime is how long the host's worker stays away, in turn: not at all, and
// until the others have noticed.
func downtime(round int) time.Duration {
	if round%2 == 0 {
		return 0
	}
	return 5 * time.Second
}

// run toggles all dongles and kills the worker at the moment, round by round.
func (k killAt) run(ctx context.Context, s *stage) (string, error) {
	rounds := k.rounds
	if s.opt.short {
		rounds = max(1, rounds/2)
	}
	var waiting, begun, over int
	var outages []time.Duration
	for round := range rounds {
		from := s.ledgerLengths()
		if k.arm != nil {
			if err := k.arm(s); err != nil {
				return "", err
			}
		}
		ids, err := promisedJobs(s.toggleAll(ctx, 0))
		if err != nil {
			return "", err
		}
		if err := k.reached(ctx, s, from); err != nil {
			return "", err
		}
		s.host.kill()
		killed := time.Now()
		after := s.ledgerLengths()
		if k.disarm != nil {
			k.disarm(s)
		}
		left := map[string]api.JobDocument{}
		for _, id := range ids {
			if left[id], err = s.ask.job(ctx, id); err != nil {
				return "", err
			}
		}
		if err := rest(ctx, downtime(round)); err != nil {
			return "", err
		}
		restarted := time.Now()
		if s.host, err = s.respawn(ctx, s.host); err != nil {
			return "", err
		}
		outages = append(outages, time.Since(killed))
		jobs, err := s.awaitEnds(ctx, time.Minute, ids...)
		if err != nil {
			return "", err
		}
		for i, id := range ids {
			switch {
			case ended(left[id].State), endedBefore(jobs[id], restarted):
				over++
				continue
			case left[id].StartedAt == nil:
				waiting++
			default:
				begun++
			}
			if err := takenUpAgain(s.modems[i], after[i], left[id], jobs[id]); err != nil {
				return "", err
			}
		}
	}
	return fmt.Sprintf("killed %d times, away %s at most; of the toggles %d waited, %d had begun, %d were over; all taken up again",
		rounds, slices.Max(outages).Round(time.Millisecond), waiting, begun, over), nil
}

// endedBefore reports whether a job had ended by then: Redis may read the last
// words of a worker after its death.
func endedBefore(j api.JobDocument, then time.Time) bool {
	if j.CompletedAt == nil {
		return false
	}
	at, err := time.Parse(tasks.MilliTime, *j.CompletedAt)
	return err == nil && at.Before(then)
}

// takenUpAgain checks that a toggle that was under way when its worker died has
// ended by another attempt, which diagnosed the dongle anew and worked on it.
func takenUpAgain(m *hilink.Modem, ledgerAtDeath int, before, after api.JobDocument) error {
	if before.StartedAt != nil && after.Attempts <= before.Attempts {
		return fmt.Errorf("job %s had begun when its worker died, and ended with attempt %d", after.JobID, after.Attempts)
	}
	var progress struct {
		Diagnosis string `json:"diagnosis"`
		Steps     []any  `json:"steps"`
	}
	if err := json.Unmarshal(after.Progress, &progress); err != nil || progress.Diagnosis == "" || len(progress.Steps) == 0 {
		return fmt.Errorf("job %s has no diagnosis or no steps: %s", after.JobID, after.Progress)
	}
	for _, e := range m.Ledger()[ledgerAtDeath:] {
		if strings.HasPrefix(e.What, "net-mode") || strings.HasPrefix(e.What, "dataswitch") {
			return nil
		}
	}
	return fmt.Errorf("job %s ended without another write to the modem: %s", after.JobID, after.Progress)
}

// refusedMode is what modems answer to a net mode that they never take.
const refusedMode = 112003

// slowAPI is how long slow modems take for each request, so that what happens
// to them now comes before their next write.
const slowAPI = 100 * time.Millisecond

func slowModems(s *stage) error {
	s.faults(hilink.Faults{Slow: slowAPI})
	return nil
}

func soundModems(s *stage) { s.faults(hilink.Faults{}) }

// faults sets the faults of all modems.
func (s *stage) faults(f hilink.Faults) {
	for _, m := range s.modems {
		m.SetFaults(f)
	}
}

func (s *stage) ledgerLengths() []int {
	n := make([]int, len(s.modems))
	for i, m := range s.modems {
		n[i] = len(m.Ledger())
	}
	return n
}

// momentLimit is what may pass until a toggle comes to a moment.
const momentLimit = 30 * time.Second

// ledgerOf waits for the nth modem to have a new entry that begins so.
func ledgerOf(n int, entry string) func(context.Context, *stage, []int) error {
	return func(ctx context.Context, s *stage, from []int) error {
		ctx, cancel := context.WithTimeout(ctx, momentLimit)
		defer cancel()
		return s.modems[n].WaitFor(ctx, hasEntry(from[n], entry))
	}
}

// everyModem waits until each of the modems has a new entry that begins so, and
// then does something with each at once. then may be nil.
func (s *stage) everyModem(ctx context.Context, from []int, entry string, then func(*hilink.Modem)) error {
	ctx, cancel := context.WithTimeout(ctx, momentLimit)
	defer cancel()
	errs := make([]error, len(s.modems))
	var wg sync.WaitGroup
	for i, m := range s.modems {
		wg.Go(func() {
			if errs[i] = m.WaitFor(ctx, hasEntry(from[i], entry)); errs[i] == nil && then != nil {
				then(m)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *stage) everyModemHangs(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, momentLimit)
	defer cancel()
	for _, m := range s.modems {
		if err := m.WaitFor(ctx, func([]hilink.Entry) bool { return m.Hanging() > 0 }); err != nil {
			return err
		}
	}
	return nil
}

func hasEntry(from int, entry string) func([]hilink.Entry) bool {
	return func(all []hilink.Entry) bool {
		return slices.ContainsFunc(all[min(from, len(all)):], func(e hilink.Entry) bool { return strings.HasPrefix(e.What, entry) })
	}
}

// stopScenarios stop the host's worker in the middle of toggles, while another
// one waits to take its place.
func stopScenarios() []scenario {
	return []scenario{
		{name: "host-term/slow", run: stopHost(false), reattach: 8 * time.Second},
		{name: "host-term/hanging", run: stopHost(true), reattach: 4 * time.Second},
	}
}

// stopSlack is what a stopping worker may take beyond worker.shutdown_timeout:
// to say that it and its host are gone.
const stopSlack = 3 * time.Second

// stopHost stops the worker in the middle of toggles. Where the modems hang,
// they do so from the moment that they left the network and are not set to what
// they were, until the first worker has gone.
func stopHost(hang bool) func(context.Context, *stage) (string, error) {
	return func(ctx context.Context, s *stage) (string, error) {
		from := s.ledgerLengths()
		if hang {
			s.faults(hilink.Faults{Slow: slowAPI})
		}
		replies := s.toggleAll(ctx, 0)
		ids, err := promisedJobs(replies)
		if err != nil {
			return "", err
		}
		if err := s.everyModem(ctx, from, "detached", func(m *hilink.Modem) {
			if hang {
				m.SetFaults(hilink.Faults{Hang: true})
			}
		}); err != nil {
			return "", err
		}
		first := s.host
		c := s.hostConfig(scenario{})
		if s.host, err = s.spawn("host-2", "worker", c); err != nil {
			return "", err
		}
		if err := s.host.awaitWord(ctx, "another worker of this host is still running"); err != nil {
			return "", err
		}
		told := time.Now()
		if err := first.tell(syscall.SIGTERM); err != nil {
			return "", err
		}
		if err := first.awaitEnd(ctx, c.Worker.ShutdownTimeout.Std()+stopSlack); err != nil {
			return "", err
		}
		gone := time.Since(told)
		left := s.misplaced()
		if err := s.awaitReady(ctx, s.host); err != nil {
			return "", err
		}
		taken := time.Since(told)
		if hang {
			s.faults(hilink.Faults{})
		}
		jobs, err := s.awaitEnds(ctx, 2*time.Minute, ids...)
		if err != nil {
			return "", err
		}
		again := 0
		for _, j := range jobs {
			if j.Attempts > 1 {
				again++
			}
		}
		return fmt.Sprintf("the first was gone after %s, the next one ready after %s; %d of %d toggles ended with the next one; net modes not restored by the first: %d",
			gone.Round(time.Millisecond), taken.Round(time.Millisecond), again, len(jobs), len(left)), nil
	}
}
