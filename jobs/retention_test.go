package jobs_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/events"
	"switchyard/jobs"
)

// aged accepts a request as of some time ago.
func (b *bundle) aged(t *testing.T, r jobs.Request, age time.Duration) string {
	t.Helper()
	r.ID = jobs.NewID(b.store.Now().Add(-age))
	return b.accept(t, r)
}

// end completes a job, as of some time ago, and settles what it owes.
func (b *bundle) end(t *testing.T, id string, age time.Duration) {
	t.Helper()
	c := b.claim(t, id)
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed}))
	b.settle(t)
	must(t, b.rdb.HSet(b.ctx, recordKey(c.Job), "completed", b.store.Now().Add(-age).UnixMilli()).Err())
}

func recordKey(j *jobs.Job) string {
	if j.Host != "" {
		return "sw:v1:h:" + j.Host + ":job:" + j.ID
	}
	return "sw:v1:job:" + j.ID
}

// traces lists the keys of ours that name the job or hold its name, but for
// the events, which are a history.
func (b *bundle) traces(t *testing.T, id string) (found []string) {
	t.Helper()
	keys, err := b.rdb.Keys(b.ctx, jobs.Prefix+"*").Result()
	must(t, err)
	for _, k := range keys {
		var members []string
		switch kind := b.rdb.Type(b.ctx, k).Val(); kind {
		case "zset":
			members = b.rdb.ZRange(b.ctx, k, 0, -1).Val()
		case "set":
			members = b.rdb.SMembers(b.ctx, k).Val()
		case "list":
			members = b.rdb.LRange(b.ctx, k, 0, -1).Val()
		case "string":
			members = []string{b.rdb.Get(b.ctx, k).Val()}
		case "hash":
			members = b.rdb.HVals(b.ctx, k).Val()
		case "none": // gone meanwhile
			continue
		default:
			if k != events.JobStream {
				t.Fatalf("key %s is a %s", k, kind)
			}
		}
		if strings.Contains(k, id) || slices.ContainsFunc(members, func(m string) bool { return strings.Contains(m, id) }) {
			found = append(found, k)
		}
	}
	slices.Sort(found)
	return found
}

// A job that ended longer ago than the retention leaves no trace, neither with
// those who asked for it first nor with those who joined, be its record still
// there or not.
func TestRetentionLeavesNoTrace(t *testing.T) {
	t.Parallel()
	asked := func(r jobs.Request, chat string) jobs.Request {
		r.ChatID, r.CallbackURL = chat, "http://hooks.example.com/"+chat
		return r
	}
	for _, tt := range []struct {
		name    string
		request jobs.Request
		joins   bool
		spoil   func(t *testing.T, b *bundle, j *jobs.Job)
	}{
		{"of a host", toggle(16), true, nil},
		{"of no host", ordered("k", 0), false, nil},
		{"its record has gone already", toggle(16), true, func(t *testing.T, b *bundle, j *jobs.Job) {
			must(t, b.rdb.Del(b.ctx, recordKey(j)).Err())
		}},
		{"what stands in its place is no record", toggle(16), true, func(t *testing.T, b *bundle, j *jobs.Job) {
			must(t, b.rdb.Set(b.ctx, recordKey(j), "x", 0).Err())
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.aged(t, asked(tt.request, "1"), 3*time.Hour)
			if tt.joins {
				if a, err := b.store.Accept(b.ctx, asked(tt.request, "2")); err != nil || a.ID != id || !a.Joined {
					t.Fatalf("joining: %+v, %v", a, err)
				}
			}
			b.end(t, id, 2*time.Hour)
			if tt.spoil != nil {
				tt.spoil(t, b, b.get(t, id))
			}
			if len(b.traces(t, id)) == 0 {
				t.Fatal("there is no trace of the job to begin with")
			}
			if n := b.sweepOnce(t); n.Dropped != 1 {
				t.Errorf("dropped %d, want 1", n.Dropped)
			}
			if diff := cmp.Diff([]string(nil), b.traces(t, id)); diff != "" {
				t.Errorf("left of it (-want +got):\n%s", diff)
			}
			if _, err := b.store.Get(b.ctx, id); !errors.Is(err, jobs.ErrUnknown) {
				t.Errorf("reading it: %v, want ErrUnknown", err)
			}
			if n := b.sweepOnce(t); n.Dropped != 0 {
				t.Errorf("dropped %d once more", n.Dropped)
			}
		})
	}
}

// sweepOnce sweeps one time, quiet or not.
func (b *bundle) sweepOnce(t *testing.T) jobs.Swept {
	t.Helper()
	n, err := b.store.NewSweeper(discard).Sweep(b.ctx, []string{"h1"})
	must(t, err)
	return n
}

// Whatever its age, an unfinished job is kept, and so is one that ended within
// the retention.
func TestRetentionKeeps(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := map[string]string{
		"old and queued":          b.aged(t, ordered("", 0), 48*time.Hour),
		"old and running":         b.aged(t, ordered("", 1), 48*time.Hour),
		"old and waiting for its": b.aged(t, ordered("k", 2), 48*time.Hour),
		"old, ended a moment ago": b.aged(t, ordered("", 3), 48*time.Hour),
		"young, ended":            b.aged(t, ordered("", 4), time.Minute),
	}
	b.claim(t, ids["old and running"])
	b.end(t, ids["old, ended a moment ago"], time.Minute)
	b.end(t, ids["young, ended"], 0)
	old := b.aged(t, ordered("", 5), 2*time.Hour)
	b.end(t, old, 2*time.Hour)
	// The old one is dropped though older ones stay.
	if n := b.sweepOnce(t); n.Dropped != 1 {
		t.Errorf("dropped %d, want 1", n.Dropped)
	}
	for what, id := range ids {
		if _, err := b.store.Get(b.ctx, id); err != nil {
			t.Errorf("the job that was %s: %v", what, err)
		}
	}
}

// Beyond the number kept of a type the oldest ended ones go, however young; the
// unfinished stay, and so does every other type.
func TestRetentionByNumber(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *jobs.Options) { o.MaxPerType = 3 })
	age := time.Minute
	accept := func(r jobs.Request) string { age -= time.Second; return b.aged(t, r, age) }
	other := accept(toggle(16))
	b.end(t, other, 0)
	unfinished := accept(ordered("", 0))
	var ended []string
	for i := range 5 {
		ended = append(ended, accept(ordered("", i+1)))
		b.end(t, ended[i], 0)
	}
	// Six callbacks are three too many; one of the oldest three is unfinished.
	if n := b.sweepOnce(t); n.Dropped != 2 {
		t.Errorf("dropped %d, want 2", n.Dropped)
	}
	for id, kept := range map[string]bool{
		other: true, unfinished: true, ended[0]: false, ended[1]: false, ended[2]: true, ended[3]: true, ended[4]: true,
	} {
		if _, err := b.store.Get(b.ctx, id); (err == nil) != kept {
			t.Errorf("job %s: %v, to be kept: %t", id, err, kept)
		}
	}
}

// One sweep forgets more than it reads at once, also behind old jobs that are
// unfinished or can't be read.
func TestRetentionOfMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	base := b.store.Now().Add(-48 * time.Hour)
	at := func(i int) string { return jobs.NewID(base.Add(time.Duration(i) * time.Millisecond)) }
	const kept, gone = 600, 700
	ids := b.acceptMany(t, kept+gone, func(i int) jobs.Request {
		r := ordered("", i)
		r.ID = at(i)
		return r
	})
	long := b.store.Now().Add(-24 * time.Hour).UnixMilli()
	for _, id := range ids[kept:] {
		must(t, b.rdb.HSet(b.ctx, "sw:v1:job:"+id, "state", "completed", "completed", long).Err())
		must(t, b.rdb.ZRem(b.ctx, "sw:v1:open", id).Err())
	}
	must(t, b.rdb.HSet(b.ctx, "sw:v1:job:"+ids[0], "attempt", "many").Err())
	must(t, b.rdb.HSet(b.ctx, "sw:v1:job:"+ids[kept], "attempt", "many").Err()) // ended, and unreadable
	if n := b.sweepOnce(t); n.Dropped != gone {
		t.Errorf("dropped %d, want %d", n.Dropped, gone)
	}
	if n := b.rdb.ZCard(b.ctx, "sw:v1:index:type:callback").Val(); n != kept {
		t.Errorf("%d jobs are left, want %d", n, kept)
	}
}
