package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/sim/receiver"
)

// world is what the account is drawn up from.
type world struct {
	replies            []reply
	toggles            []api.JobDocument
	parents            map[string]string
	alpha, beta, guest []receiver.Received
}

// sound is a world of two toggles in which every promise was kept: one request
// made the first, one joined it, one made the second.
func sound() *world {
	taken := func(n int, job string) reply {
		return reply{n: n, subnet: firstModem, status: http.StatusAccepted, job: job, took: time.Millisecond}
	}
	w := &world{replies: []reply{taken(0, "a"), taken(1, "a"), taken(2, "b")}, parents: map[string]string{}}
	w.toggles = []api.JobDocument{job("a", 0, "01", "02"), job("b", 2, "02", "03")}
	for _, j := range []string{"a", "b"} {
		w.tell(&w.alpha, j, startPath, "alpha-start-"+j)
		w.tell(&w.alpha, j, resultPath, "alpha-"+j)
		w.tell(&w.beta, j, startPath, "beta-start-"+j)
		w.tell(&w.beta, j, resultPath, "beta-"+j)
	}
	for n := range w.replies {
		w.tell(&w.guest, w.replies[n].job, guestPath(n), fmt.Sprint("guest-", n))
	}
	return w
}

func job(id string, chat int, started, completed string) api.JobDocument {
	c, subnet := chatOf(chat), firstModem
	return api.JobDocument{
		JobID: id, State: "completed", ChatID: &c, Subnet: &subnet, StartedAt: &started, CompletedAt: &completed,
		Result: []byte(`{"success":true}`),
	}
}

func (w *world) tell(r *[]receiver.Received, job, path, id string) {
	w.parents[id] = job
	*r = append(*r, receiver.Received{Path: path, Headers: map[string]string{webhookID: id}})
}

func (w *world) count() *tally {
	t := &tally{}
	t.draw(w.replies, w.toggles, w.parents, [3][]receiver.Received{w.alpha, w.beta, w.guest})
	return t
}

// The account of a world in which every promise was kept finds nothing, and
// each promise that is broken shows.
func TestTally(t *testing.T) {
	t.Parallel()
	refused := reply{n: 3, status: http.StatusServiceUnavailable, code: "redis_unavailable"}
	for _, tt := range []struct {
		name string
		harm func(w *world)
		bend rules
		want string // part of the verdict; empty: none
	}{
		{"sound", func(*world) {}, rules{}, ""},
		{"nothing was taken", func(w *world) { *w = world{} }, rules{}, "no request was taken"},
		{"not ended", func(w *world) { w.toggles[1].State = "running" }, rules{}, "1 of 2 promised jobs have not ended"},
		{"forgotten", func(w *world) { w.toggles = w.toggles[:1] }, rules{}, "1 of 2 promised jobs have not ended"},
		{"refused, and nothing came of it", func(w *world) { w.replies = append(w.replies, refused) }, rules{}, ""},
		{"refused, and it ran", func(w *world) {
			w.replies[2].status = http.StatusServiceUnavailable
		}, rules{}, "1 jobs ran although their requests were refused"},
		{"refused, and withdrawn", func(w *world) {
			j := job("c", 3, "", "")
			j.State, j.StartedAt = "cancelled", nil
			w.replies, w.toggles = append(w.replies, refused), append(w.toggles, j)
		}, rules{}, ""},
		{"no answer, and it ran", func(w *world) {
			w.replies[2] = reply{n: 2, err: errors.New("cut")}
		}, rules{}, ""},
		{"promised, and cancelled", func(w *world) {
			why := "withdrawn"
			w.toggles[1].State, w.toggles[1].Error = "cancelled", &why
		}, rules{}, "promised and cancelled: withdrawn"},
		{"start twice", func(w *world) { w.tell(&w.beta, "a", startPath, "beta-start-a") }, rules{}, "2 starts of one toggle"},
		{"second start", func(w *world) { w.tell(&w.beta, "a", startPath, "other") }, rules{}, "2 starts of one toggle"},
		{"no start", func(w *world) { w.beta = w.beta[1:] }, rules{}, ""},
		{"result twice", func(w *world) { w.tell(&w.beta, "a", resultPath, "beta-a") }, rules{}, "1 results came twice"},
		{"result twice, as may be", func(w *world) { w.tell(&w.beta, "a", resultPath, "beta-a") }, rules{doubled: true}, ""},
		{"second result", func(w *world) { w.tell(&w.alpha, "a", resultPath, "other") }, rules{doubled: true}, "alpha was told of a under 2 ids"},
		{"no result", func(w *world) { w.alpha = w.alpha[:len(w.alpha)-1] }, rules{}, "1 results never came"},
		{"no result for one that joined", func(w *world) { w.guest = slices.Delete(w.guest, 1, 2) }, rules{}, "1 results never came"},
		{"callback of nothing", func(w *world) { w.tell(&w.alpha, "", resultPath, "other") }, rules{}, "which is no callback's id"},
		{"malformed", func(w *world) { w.guest[0].Fault = "ip is missing" }, rules{}, "ip is missing"},
		{"beside each other", func(w *world) { at := "015"; w.toggles[1].StartedAt = &at }, rules{}, "dongle 11"},
		{"slow", func(w *world) { w.replies[1].took = 2 * time.Second }, rules{}, "a request took 2s"},
		{"slow, since it waited", func(w *world) { w.replies[1].took, w.replies[1].waited = 2*time.Second, true }, rules{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := sound()
			tt.harm(w)
			err := w.count().err(tt.bend)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("verdict %v, want one with %q", err, tt.want)
			}
		})
	}
}

// Ensure a promised job that the database has forgotten is counted, and breaks a
// promise only where it may not forget.
func TestForgottenJobs(t *testing.T) {
	t.Parallel()
	w := sound()
	w.toggles = w.toggles[:1]
	c := w.count()
	if c.forgotten != 1 || c.jobs != 2 || c.ended != 1 {
		t.Errorf("%d of %d forgotten, %d ended; want 1 of 2, 1", c.forgotten, c.jobs, c.ended)
	}
	if err := c.err(rules{forgets: true}); err != nil {
		t.Errorf("where it may forget: %v", err)
	}
	if err := c.err(rules{}); err == nil {
		t.Error("where it may not forget, nothing is wrong")
	}
}
