package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/jobs"
	"switchyard/sim/receiver"
	"switchyard/tasks"
)

// tally is the account of a scenario.
type tally struct {
	asked, taken, refused, cut int
	jobs, ended                int
	unknownRefused, unknownCut int // jobs promised to nobody, by how their request was answered
	forgotten                  int // jobs promised to somebody that the database doesn't know
	withdrawn                  int // jobs promised to nobody that never ran
	success                    int // of the jobs that ended

	starts  int       // the most that one receiver got of one toggle
	results [3]spread // alpha, beta, guest
	doubled int
	lost    int
	extra   []string // results under a second id, callbacks of no job
	faults  []string // documents that are not as specified
	overlap []string // toggles that ran beside each other on one dongle
	modes   []string // modems that were not left in the net mode they had
	off     []string // modems that were left with mobile data off
	slowest time.Duration
	// guests told of a result although their own request was refused: a join
	// whose reply was lost.
	toldRefused int
}

// spread is the least and the most of something.
type spread struct{ least, most int }

func (p spread) String() string {
	if p.least == p.most {
		return fmt.Sprint(p.least)
	}
	return fmt.Sprintf("%d–%d", p.least, p.most)
}

// spreadOf is the spread of the numbers of ids by key, over all keys.
func spreadOf(keys []string, ids map[string]map[string]int) (p spread) {
	for i, k := range keys {
		n := len(ids[k])
		if i == 0 {
			p = spread{n, n}
		}
		p.least, p.most = min(p.least, n), max(p.most, n)
	}
	return p
}

// count draws up the account. All processes have to be running, and nothing to
// be under way.
func (s *stage) count(ctx context.Context) (*tally, error) {
	toggles, err := s.ask.jobs(ctx, tasks.Toggle)
	if err != nil {
		return nil, err
	}
	callbacks, err := s.ask.jobs(ctx, tasks.Callback)
	if err != nil {
		return nil, err
	}
	parents := map[string]string{}
	for _, c := range callbacks {
		if c.Parent != nil {
			parents[c.JobID] = *c.Parent
		}
	}
	t := &tally{}
	t.draw(s.ask.answers(), toggles, parents, [3][]receiver.Received{s.alpha.Received(), s.beta.Received(), s.guest.Received()})
	t.modes, t.off = s.misplaced(), s.cutOff()
	return t, nil
}

// draw draws the account up from what clients were answered, what the api says
// of the toggles, the toggle of each callback, and what alpha, beta and the
// guests have received.
func (t *tally) draw(replies []reply, toggles []api.JobDocument, parents map[string]string, received [3][]receiver.Received) {
	promised := t.countReplies(replies)
	t.countJobs(toggles, promised, replies)
	var told []string // the toggles that everybody has to be told of
	for _, j := range toggles {
		if ended(j.State) && !withdrawn(j, promised) {
			told = append(told, j.JobID)
		}
	}
	t.results[0] = t.countReceiver("alpha", received[0], told, parents)
	t.results[1] = t.countReceiver("beta", received[1], told, parents)
	t.results[2] = t.countGuests(received[2], replies)
}

// countReplies returns the jobs that were promised to somebody.
func (t *tally) countReplies(replies []reply) map[string]bool {
	promised := map[string]bool{}
	for _, r := range replies {
		t.asked++
		switch {
		case r.promised():
			t.taken++
			promised[r.job] = true
		case r.status == 0:
			t.cut++
		default:
			t.refused++
		}
		if !r.waited && r.status != 0 {
			t.slowest = max(t.slowest, r.took)
		}
	}
	return promised
}

// withdrawn reports whether a job was promised to nobody and ended without
// having begun: a refused request left nothing but its record.
func withdrawn(j api.JobDocument, promised map[string]bool) bool {
	return !promised[j.JobID] && j.State == string(jobs.Cancelled) && j.StartedAt == nil
}

func (t *tally) countJobs(toggles []api.JobDocument, promised map[string]bool, replies []reply) {
	t.jobs = len(promised)
	t.forgotten = len(promised)
	byChat := map[string]reply{}
	for _, r := range replies {
		byChat[chatOf(r.n)] = r
	}
	type turn struct{ from, to string }
	turns := map[int][]turn{}
	for _, j := range toggles {
		if promised[j.JobID] {
			t.forgotten--
			if ended(j.State) {
				t.ended++
			}
		}
		switch {
		case promised[j.JobID] && j.State == string(jobs.Cancelled):
			t.extra = append(t.extra, "job "+j.JobID+" was promised and cancelled: "+*j.Error)
		case withdrawn(j, promised):
			t.withdrawn++
		case !promised[j.JobID]:
			// Whose request made it: the job has its chat.
			if j.ChatID != nil && byChat[*j.ChatID].status == 0 {
				t.unknownCut++
			} else {
				t.unknownRefused++
			}
		}
		if strings.HasPrefix(string(j.Result), `{"success":true`) {
			t.success++
		}
		if j.StartedAt != nil && j.CompletedAt != nil && j.Subnet != nil {
			turns[*j.Subnet] = append(turns[*j.Subnet], turn{*j.StartedAt, *j.CompletedAt})
		}
	}
	for subnet, list := range turns {
		// Times of one form sort as text.
		slices.SortFunc(list, func(a, b turn) int { return strings.Compare(a.from, b.from) })
		for i := 1; i < len(list); i++ {
			if list[i].from < list[i-1].to {
				t.overlap = append(t.overlap, fmt.Sprintf("dongle %d: one began %s, the one before ended %s", subnet, list[i].from, list[i-1].to))
			}
		}
	}
}

// webhookID names what is the same when a callback comes twice.
const webhookID = "Webhook-Id"

// countReceiver counts what a configured receiver was told of the toggles.
func (t *tally) countReceiver(name string, all []receiver.Received, toggles []string, parents map[string]string) spread {
	starts := map[string]int{}
	results := map[string]map[string]int{}
	for _, r := range all {
		t.note(name, r)
		id := r.Headers[webhookID]
		parent := parents[id]
		switch {
		case parent == "":
			t.extra = append(t.extra, name+" was told under "+id+", which is no callback's id")
		case strings.HasSuffix(r.Path, startPath):
			starts[parent]++
			t.starts = max(t.starts, starts[parent])
		default:
			if results[parent] == nil {
				results[parent] = map[string]int{}
			}
			results[parent][id]++
		}
	}
	t.countIDs(name, toggles, results)
	return spreadOf(toggles, results)
}

// countGuests counts what the requests' own URLs were told: each that was taken
// has one result to get.
func (t *tally) countGuests(all []receiver.Received, replies []reply) spread {
	results := map[string]map[string]int{}
	for _, r := range all {
		t.note("guest", r)
		if results[r.Path] == nil {
			results[r.Path] = map[string]int{}
		}
		results[r.Path][r.Headers[webhookID]]++
	}
	var taken []string
	for _, r := range replies {
		if r.promised() {
			taken = append(taken, guestPath(r.n))
		} else if len(results[guestPath(r.n)]) > 0 {
			t.toldRefused++
		}
	}
	t.countIDs("guest", taken, results)
	return spreadOf(taken, results)
}

// countIDs looks for results that are missing, came twice, or have two ids.
func (t *tally) countIDs(name string, owed []string, results map[string]map[string]int) {
	for _, k := range owed {
		if len(results[k]) == 0 {
			t.lost++
			t.extra = append(t.extra, name+" was never told of "+k)
		}
		if len(results[k]) > 1 {
			t.extra = append(t.extra, fmt.Sprintf("%s was told of %s under %d ids", name, k, len(results[k])))
		}
	}
	for _, ids := range results {
		for _, n := range ids {
			if n > 1 {
				t.doubled++
			}
		}
	}
}

func (t *tally) note(name string, r receiver.Received) {
	if r.Fault != "" {
		t.faults = append(t.faults, name+": "+r.Fault)
	}
}

// rules are the promises that a scenario may bend.
type rules struct {
	// doubled: results may come twice, since a deliverer was killed.
	doubled bool
	// lostReply: a job may be promised to nobody after an error, since Redis
	// died between taking it and saying so.
	lostReply bool
	// forgets: the database may have lost what it said yes to last: jobs, that
	// somebody joined one, that somebody was told.
	forgets bool
	// modes: the modems need not be left as they were.
	modes bool
	// slowest is what a request without wait may take. 0: 1.5 s.
	slowest time.Duration
}

// slowestAnswer is what any request without wait may take.
const slowestAnswer = 1500 * time.Millisecond

// err says which promises were not kept.
func (t *tally) err(r rules) error {
	var errs []error
	no := func(bad bool, format string, a ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, a...))
		}
	}
	limit := r.slowest
	if limit == 0 {
		limit = slowestAnswer
	}
	no(t.taken == 0, "no request was taken")
	known := t.jobs
	if r.forgets {
		known -= t.forgotten
	}
	no(t.ended != known, "%d of %d promised jobs have not ended", known-t.ended, known)
	no(t.unknownRefused > 0 && !r.lostReply, "%d jobs ran although their requests were refused", t.unknownRefused)
	no(t.starts > 1 && !r.forgets, "a receiver got %d starts of one toggle", t.starts)
	no(t.lost > 0 && !r.forgets, "%d results never came", t.lost)
	no(t.doubled > 0 && !r.doubled, "%d results came twice", t.doubled)
	no(t.slowest > limit, "a request took %s", t.slowest.Round(time.Millisecond))
	left := slices.Concat(t.modes, t.off)
	no(len(left) > 0 && !r.modes, "modems are not as they were: %s", strings.Join(left, ", "))
	extra := t.extra
	if r.forgets {
		extra = nil // told of what was forgotten since, or again
	}
	for what, list := range map[string][]string{"callbacks": extra, "documents": t.faults, "beside each other": t.overlap} {
		no(len(list) > 0, "%s: %s", what, strings.Join(list[:min(3, len(list))], "; "))
	}
	return errors.Join(errs...)
}
