package events_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"switchyard/events"
)

// drain reads what a watcher has been sent and not read yet, as words.
func drain(w *events.Watch) string {
	var got []string
	for {
		select {
		case n := <-w.C:
			if n.Resync {
				got = append(got, "resync")
			} else {
				got = append(got, n.Job.State)
			}
		default:
			return strings.Join(got, " ")
		}
	}
}

// A watcher gets the events of its job in order. When it falls behind, events
// are lost, but never that the job has ended or that it has to read again.
func TestHub(t *testing.T) {
	t.Parallel()
	const resync = "resync"
	for _, tt := range []struct {
		name string
		sent string
		want string
	}{
		{"nothing", "", ""},
		{"in order", "queued running completed", "queued running completed"},
		{"resync in between", "running resync completed", "running resync completed"},
		{"all the buffer holds", "a b c d", "a b c d"},
		{"behind, not ended", "a b c d e f", "a b c d"},
		{"behind, completed", "a b c d completed", "b c d completed"},
		{"behind, failed", "a b c d e f failed", "b c d failed"},
		{"behind, cancelled", "a b c d cancelled", "b c d cancelled"},
		{"behind, read again", "a b c d resync", "b c d resync"},
		{"ended, then run again", "a b c completed queued running", "a b c completed"},
		{"both", "a b c d completed resync", "c d completed resync"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := events.NewHub()
			w, other := h.Watch("j"), h.Watch("other")
			defer w.Close()
			defer other.Close()
			for _, s := range strings.Fields(tt.sent) {
				if s == resync {
					h.Resync()
				} else {
					h.Publish(events.Job{JobID: "j", State: s})
				}
			}
			if got := drain(w); got != tt.want {
				t.Errorf("sent %q, the watcher has %q, want %q", tt.sent, got, tt.want)
			}
			if got, want := drain(other), strings.TrimSpace(strings.Repeat(resync+" ", strings.Count(tt.sent, resync))); got != want {
				t.Errorf("who watches another job has %q, want %q", got, want)
			}
		})
	}
}

// Every watcher of a job is told for itself, one that doesn't read holds up
// nobody, and one that closed is told nothing more.
func TestHubWatchers(t *testing.T) {
	t.Parallel()
	h := events.NewHub()
	stalled, reading, closed := h.Watch("j"), h.Watch("j"), h.Watch("j")
	if n := h.Watching(); n != 1 {
		t.Errorf("%d jobs are watched, want 1", n)
	}
	closed.Close()
	closed.Close()
	for i := range 100 {
		h.Publish(events.Job{JobID: "j", State: fmt.Sprint(i)})
		if got := drain(reading); got != fmt.Sprint(i) {
			t.Fatalf("who reads got %q, want %d", got, i)
		}
	}
	h.Publish(events.Job{JobID: "j", State: "completed"})
	if got := drain(stalled); !strings.HasSuffix(got, " completed") {
		t.Errorf("who stalled got %q", got)
	}
	if got := drain(closed); got != "" {
		t.Errorf("who closed got %q", got)
	}
	stalled.Close()
	reading.Close()
	if n := h.Watching(); n != 0 {
		t.Errorf("%d jobs are watched, want none", n)
	}
	h.Publish(events.Job{JobID: "j"}) // nobody is there
	h.Resync()
}

// Events, resyncs, watchers that come and go: all at once, and each watcher
// that stays learns of the end.
func TestHubConcurrently(t *testing.T) {
	t.Parallel()
	h := events.NewHub()
	const n = 50
	var watchers, others sync.WaitGroup
	for i := range n {
		id := fmt.Sprint(i % 5)
		w := h.Watch(id)
		watchers.Go(func() {
			defer w.Close()
			for n := range w.C {
				if n.Job.JobID != id && !n.Resync {
					t.Errorf("who watches %s was told of %s", id, n.Job.JobID)
				}
				if n.Job.Final() {
					return
				}
			}
		})
		others.Go(func() {
			for range 100 {
				h.Publish(events.Job{JobID: id, State: "running"})
				h.Watch(id).Close()
				h.Watching()
				if i == 0 {
					h.Resync()
				}
			}
		})
	}
	others.Wait()
	for i := range 5 {
		h.Publish(events.Job{JobID: fmt.Sprint(i), State: "failed"})
	}
	watchers.Wait()
	if n := h.Watching(); n != 0 {
		t.Errorf("%d jobs are still watched", n)
	}
}

// The three final states end a job, the others don't.
func TestFinal(t *testing.T) {
	t.Parallel()
	for state, final := range map[string]bool{
		"queued": false, "scheduled": false, "running": false, "retrying": false, "": false,
		"completed": true, "failed": true, "cancelled": true,
	} {
		if got := (events.Job{State: state}).Final(); got != final {
			t.Errorf("%q is final: %t, want %t", state, got, final)
		}
	}
}
