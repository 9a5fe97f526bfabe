package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"switchyard/configs"
	"switchyard/sim/hilink"
)

// harm is something that modems do to toggles. At its moment, which is another
// one for each modem and each round, do is called; it may take its time, until
// the context ends with the round's toggles.
type harm struct {
	name    string
	rounds  int
	moments []string // beginnings of the ledger's entries; empty: at once
	// before is called before the toggles are asked for, do at the moment; both
	// with the modem's number. Optional.
	before func(s *stage, i, round int)
	do     func(ctx context.Context, s *stage, i, round int) error
	// needy: the modems want a login.
	needy bool
	// fails: toggles may end without an address.
	fails bool
}

// The points of a switch, by either method.
var (
	modeMoments = []string{"", "net-mode 00", "detached", "net-mode 03", "attached"}
	dataMoments = []string{"dataswitch 0", "detached", "dataswitch 1", "attached"}
)

// modemBoot is how long a modem is away whose power goes.
const modemBoot = 1500 * time.Millisecond

// modemScenarios let the modems misbehave in the middle of toggles.
func modemScenarios() []scenario {
	heal := func(s *stage, i int) { s.modems[i].SetFaults(hilink.Faults{}) }
	// during has a fault last for a time.
	during := func(f hilink.Faults, least, most time.Duration) func(context.Context, *stage, int, int) error {
		return func(ctx context.Context, s *stage, i, _ int) error {
			s.modems[i].SetFaults(f)
			defer heal(s, i)
			return rest(ctx, s.between(least, most))
		}
	}
	reboot := func(_ context.Context, s *stage, i, _ int) error { s.modems[i].Reboot(); return nil }
	only := func(f hilink.Faults) func(*stage, int, int) {
		return func(s *stage, i, _ int) { s.modems[i].SetFaults(f) }
	}
	// refusing has each modem refuse net modes with another code, so often.
	refusing := func(times int, codes ...int) func(*stage, int, int) {
		return func(s *stage, i, round int) {
			s.modems[i].Refuse(hilink.Refusal{Method: "POST", Path: "net/net-mode", Code: codes[(i+round)%len(codes)], Times: times})
		}
	}
	families := []hilink.Family{hilink.E8372h153, hilink.E8372h320}
	all := []harm{
		{name: "hangs", rounds: 2, moments: modeMoments, do: during(hilink.Faults{Hang: true}, 200*time.Millisecond, 3*time.Second)},
		{name: "hangs-long", rounds: 1, moments: modeMoments[1:4], do: during(hilink.Faults{Hang: true}, hungLong, hungLong+time.Second), fails: true},
		{name: "slow", rounds: 1, before: func(s *stage, i, _ int) {
			s.modems[i].SetFaults(hilink.Faults{Slow: s.between(50*time.Millisecond, 500*time.Millisecond)})
		}},
		{name: "power-gone", rounds: len(modeMoments), moments: modeMoments, do: reboot},
		{name: "power-gone/data", rounds: len(dataMoments), moments: dataMoments, before: only(hilink.Faults{RefuseNetMode: refusedMode}), do: reboot},
		{name: "dies-unanswered", rounds: 2, before: only(hilink.Faults{DieMidSwitch: true}), moments: []string{"reboot"},
			do: func(_ context.Context, s *stage, i, _ int) error { heal(s, i); return nil }},
		{name: "firmware", rounds: 4, moments: modeMoments, do: func(_ context.Context, s *stage, i, round int) error {
			s.modems[i].SetFamily(families[round%len(families)])
			return nil
		}},
		{name: "html", rounds: 2, moments: modeMoments, do: during(hilink.Faults{HTML: true}, 200*time.Millisecond, 2*time.Second)},
		{name: "sessions", rounds: 2, do: func(ctx context.Context, s *stage, i, _ int) error {
			for {
				if err := rest(ctx, s.between(20*time.Millisecond, 150*time.Millisecond)); err != nil {
					return err // the toggles are over
				}
				s.modems[i].ExpireSessions()
			}
		}},
		{name: "another-admin", rounds: 3, needy: true, moments: modeMoments, before: refusing(2, 108003, 100003, 125002),
			do: func(ctx context.Context, s *stage, i, _ int) error {
				for range 3 {
					s.modems[i].TakeOver()
					if err := rest(ctx, s.between(50*time.Millisecond, 300*time.Millisecond)); err != nil {
						return err
					}
				}
				return nil
			}},
		{name: "tokens", rounds: 3, before: func(s *stage, i, round int) {
			s.modems[i].SetFaults(hilink.Faults{LoseToken: true})
			refusing(1+(i+round)%3, 125001, 125002, 125003)(s, i, round)
		}},
		{name: "refusals", rounds: 2, before: refusing(0, 100002, 100003, 100004, 108003, 112001, 112003, 125001, 125003)},
		{name: "anything", rounds: 3, needy: true, do: anything, fails: true},
	}
	out := make([]scenario, len(all))
	for i, h := range all {
		out[i] = scenario{name: "modem/" + h.name, run: h.run, reattach: 300 * time.Millisecond, boot: modemBoot, tune: brief}
		if h.needy {
			out[i].password = "made for the chaos"
		}
	}
	return out
}

// hungLong is longer than a toggle tries to put a modem in order.
const hungLong = 6 * time.Second

// brief makes the times of a toggle fit modems that are back in a moment.
func brief(c *configs.Config) {
	c.Host.ModemTimeout, c.Host.ProbeTimeout = configs.Duration(800*time.Millisecond), configs.Duration(time.Second)
	c.Toggle.StepLimit, c.Toggle.RestoreLimit = configs.Duration(6*time.Second), configs.Duration(4*time.Second)
	c.Toggle.DropLimit, c.Toggle.SettleLimit = configs.Duration(time.Second), configs.Duration(500*time.Millisecond)
	c.Toggle.DataswitchHolds = []configs.Duration{configs.Duration(200 * time.Millisecond), configs.Duration(500 * time.Millisecond)}
}

// anything does all sorts of things to a modem, until the context ends.
func anything(ctx context.Context, s *stage, i, _ int) error {
	m := s.modems[i]
	for {
		switch s.between(0, 9) {
		case 0:
			m.SetFaults(hilink.Faults{Hang: true})
		case 1:
			m.SetFaults(hilink.Faults{HTML: true})
		case 2:
			m.SetFaults(hilink.Faults{Slow: s.between(0, 300*time.Millisecond), LoseToken: true})
		case 3:
			m.SetFaults(hilink.Faults{DieMidSwitch: true})
		case 4:
			m.SetFaults(hilink.Faults{StickyAddress: true, RefuseWhileDialling: true})
		case 5:
			m.Reboot()
		case 6:
			m.TakeOver()
		case 7:
			m.SetFamily(hilink.E8372h153)
		default:
			m.SetFaults(hilink.Faults{})
			m.ExpireSessions()
			m.SetFamily(hilink.E8372h320)
		}
		if err := rest(ctx, s.between(100*time.Millisecond, 900*time.Millisecond)); err != nil {
			return err
		}
	}
}

// harmLimit is when whatever ails a modem is over, so that toggles come to
// an end by themselves.
const harmLimit = 8 * time.Second

// run toggles all dongles, round by round, while their modems misbehave.
func (h harm) run(ctx context.Context, s *stage) (string, error) {
	rounds := h.rounds
	if s.opt.short {
		rounds = 1
	}
	var success, all, struck int
	var slowest time.Duration
	for round := range rounds {
		from := s.ledgerLengths()
		for i := range s.modems {
			if h.before != nil {
				h.before(s, i, round)
			}
		}
		harmful, over := context.WithTimeout(ctx, harmLimit)
		met, errs := make([]bool, len(s.modems)), make([]error, len(s.modems))
		var wg sync.WaitGroup
		for i, m := range s.modems {
			if h.do == nil {
				break
			}
			wg.Go(func() {
				moment := ""
				if len(h.moments) > 0 {
					moment = h.moments[(i/2+round)%len(h.moments)] // each of both modes in each moment
				}
				if moment != "" && m.WaitFor(harmful, hasEntry(from[i], moment)) != nil {
					return // its toggle didn't come to that
				}
				met[i] = true
				if err := h.do(harmful, s, i, round); err != nil && harmful.Err() == nil {
					errs[i] = err
				}
			})
		}
		asked := time.Now()
		ids, err := promisedJobs(s.toggleAll(ctx, 0))
		if err != nil {
			over()
			wg.Wait()
			return "", err
		}
		jobs, err := s.awaitEnds(ctx, time.Minute, ids...)
		over()
		wg.Wait()
		if err != nil {
			return "", err
		}
		slowest = max(slowest, time.Since(asked))
		for i, m := range s.modems {
			m.SetFaults(hilink.Faults{})
			m.Refuse(hilink.Refusal{Method: "POST", Path: "net/net-mode"})
			if errs[i] != nil {
				return "", errs[i]
			}
			if met[i] {
				struck++
			}
		}
		for _, j := range jobs {
			all++
			if strings.HasPrefix(string(j.Result), `{"success":true`) {
				success++
			} else if !h.fails {
				return "", fmt.Errorf("job %s brought no address: %s %s", j.JobID, j.Result, j.Progress)
			}
		}
		if err := s.soundAgain(ctx); err != nil {
			return "", err
		}
	}
	words := fmt.Sprintf("%d rounds; ", rounds)
	if h.do != nil {
		words += fmt.Sprintf("%d times at its moment; ", struck)
	}
	return words + fmt.Sprintf("%d of %d with an address, the slowest after %s", success, all, slowest.Round(100*time.Millisecond)), nil
}

// orderLimit is what may pass until the worker has put a modem in order that
// hung too long for its toggle.
const orderLimit = 40 * time.Second

// soundAgain waits until every modem is in the network, and set to what it was.
func (s *stage) soundAgain(ctx context.Context) error {
	return s.until(ctx, orderLimit, "every modem is as it was", func(context.Context) (bool, error) {
		for _, m := range s.modems {
			if !m.Attached() {
				return false, nil
			}
		}
		left := append(s.misplaced(), s.cutOff()...)
		if len(left) > 0 {
			return false, fmt.Errorf("modems: %s", strings.Join(left, ", "))
		}
		return true, nil
	})
}
