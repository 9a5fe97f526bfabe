package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"switchyard/events"
	"switchyard/jobs"
	"switchyard/tasks"
)

// list reads a whole list, page by page. Between two pages it calls between,
// where that is set.
func (b *bundle) list(t *testing.T, f jobs.Filter, limit int, between func(page int)) (ids []string) {
	t.Helper()
	cursor := ""
	for n := 1; ; n++ {
		p, err := b.store.List(b.ctx, f, limit, cursor)
		must(t, err)
		if len(p.Jobs) > limit {
			t.Fatalf("page %d has %d jobs, more than %d", n, len(p.Jobs), limit)
		}
		for _, j := range p.Jobs {
			ids = append(ids, j.ID)
		}
		if cursor = p.Next; cursor == "" {
			return ids
		}
		if between != nil {
			between(n)
		}
	}
}

// mixed drafts the i-th of many jobs: of all types, two hosts and none, and
// three chats and none.
func mixed(i int) jobs.Request {
	var d tasks.Draft
	switch host := fmt.Sprintf("h%d", i%2+1); i % 3 {
	case 0:
		d = tasks.NewToggle(tasks.TogglePayload{Host: host, Subnet: 16}, time.Minute, time.Time{})
	case 1:
		d = tasks.NewCollect(host, time.Minute, time.Time{})
	default:
		d = ordered("", i).Draft
	}
	d.JoinKey, d.OrderKey = "", "" // each is a job of its own
	if chat := i % 4; chat > 0 {
		d.ChatID = fmt.Sprintf("-10%d", chat)
	}
	return jobs.Request{Draft: d}
}

// A list, page by page, has every job that matches once, newest first, whatever
// the size of the pages and however many types lie beside each other.
func TestList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 430 // more than one read of the index
	base := time.Now().Add(-time.Hour)
	b.acceptMany(t, n, func(i int) jobs.Request {
		r := mixed(i)
		r.ID = jobs.NewID(base.Add(time.Duration(i/3) * time.Millisecond)) // three of the same moment
		return r
	})
	var all []*jobs.Job
	for i, id := range b.list(t, jobs.Filter{}, 1000, nil) {
		j := b.get(t, id)
		if i%5 == 0 {
			must(t, b.claim(t, id).Finish(b.ctx, jobs.End{State: jobs.Completed}))
			j = b.get(t, id)
		}
		all = append(all, j)
	}
	if len(all) != n {
		t.Fatalf("the list has %d jobs, want %d", len(all), n)
	}
	for _, f := range []jobs.Filter{
		{},
		{ChatID: "-101"},
		{Host: "h1"},
		{Type: tasks.Callback},
		{State: jobs.Completed},
		{Host: "h2", Type: tasks.Toggle},
		{Type: tasks.Collect, State: jobs.Queued},
		{ChatID: "-102", Host: "h1", State: jobs.Completed},
		{ChatID: "-102", Type: tasks.Callback},
		{ChatID: "no such chat"},
		{Host: "no such host"},
		{Host: "h1", Type: tasks.Callback}, // callbacks have no host
	} {
		var want []string
		for _, j := range all {
			if (f.ChatID == "" || j.ChatID == f.ChatID) && (f.Host == "" || j.Host == f.Host) &&
				(f.Type == "" || j.Type == f.Type) && (f.State == "" || j.State == f.State) {
				want = append(want, j.ID)
			}
		}
		slices.Sort(want)
		slices.Reverse(want)
		for _, limit := range []int{1, 7, 143, 200, 430, 1000} {
			if limit == 1 && len(want) > 50 {
				continue
			}
			t.Run(fmt.Sprintf("%+v by %d", f, limit), func(t *testing.T) {
				t.Parallel()
				if diff := cmp.Diff(want, b.list(t, f, limit, nil)); diff != "" {
					t.Errorf("list (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A brief list tells of each job all but its progress and its result.
func TestListIsBrief(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.acceptMany(t, 6, mixed)
	for _, id := range b.list(t, jobs.Filter{}, 10, nil)[:3] {
		c := b.claim(t, id)
		must(t, c.Progress(b.ctx, json.RawMessage(`{"percent":1}`)))
		must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed, Result: json.RawMessage(`{"curve":[1,2]}`)}))
	}
	whole, err := b.store.List(b.ctx, jobs.Filter{}, 10, "")
	must(t, err)
	brief, err := b.store.List(b.ctx, jobs.Filter{Brief: true}, 10, "")
	must(t, err)
	left := 0
	for _, j := range whole.Jobs {
		if j.Result != nil && j.Progress != nil {
			left++
		}
		j.Result, j.Progress = nil, nil
	}
	if diff := cmp.Diff(whole, brief); diff != "" || left != 3 {
		t.Errorf("%d with a result; (-whole +brief):\n%s", left, diff)
	}
}

// While somebody turns the pages, jobs are accepted, end and are forgotten: the
// others still are there once each.
func TestListWhileThingsChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	base := time.Now().Add(-time.Hour)
	var want []string
	for i := range 60 {
		r := mixed(i)
		r.ID = jobs.NewID(base.Add(time.Duration(i) * time.Millisecond))
		want = append(want, b.accept(t, r))
	}
	slices.Reverse(want)
	ids := slices.Clone(want)
	got := b.list(t, jobs.Filter{}, 10, func(page int) {
		b.accept(t, mixed(page)) // newer than all that follow
		must(t, b.rdb.Del(b.ctx, recordKey(b.get(t, ids[page*10+5]))).Err())
		want = without(want, ids[page*10+5])
		must(t, b.claim(t, ids[page*10+6]).Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "x"}))
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

// Where few of many jobs match, a page may be short or empty, but its cursor
// leads on until the end.
func TestListLooksOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	base := time.Now().Add(-time.Hour)
	const n = 2300 // more than one page looks at
	ids := b.acceptMany(t, n, func(i int) jobs.Request {
		r := ordered("", i)
		r.ID = jobs.NewID(base.Add(time.Duration(i) * time.Millisecond))
		return r
	})
	must(t, b.claim(t, ids[0]).Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "x"}))
	f := jobs.Filter{State: jobs.Failed}
	p, err := b.store.List(b.ctx, f, 10, "")
	must(t, err)
	if len(p.Jobs) != 0 || p.Next == "" {
		t.Fatalf("first page has %d jobs and the cursor %q", len(p.Jobs), p.Next)
	}
	if diff := cmp.Diff(ids[:1], b.list(t, f, 10, nil)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

// A page that ends with the last job has no cursor: nobody is sent to an empty
// page.
func TestListEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 4 {
		b.accept(t, mixed(i))
	}
	for limit, next := range map[int]bool{1: true, 3: true, 4: false, 5: false} {
		p, err := b.store.List(b.ctx, jobs.Filter{}, limit, "")
		must(t, err)
		if len(p.Jobs) != min(limit, 4) || (p.Next != "") != next {
			t.Errorf("by %d: %d jobs and the cursor %q, want one: %t", limit, len(p.Jobs), p.Next, next)
		}
	}
}

// A chat sees the jobs that its requests joined beside those it began.
func TestListOfAJoinedChat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := toggle(16)
	r.ChatID = "-1"
	id := b.accept(t, r)
	r.ChatID = "-2"
	b.accept(t, r)
	own := toggle(17)
	own.ChatID = "-2"
	other := b.accept(t, own)
	want := []string{id, other}
	slices.Sort(want)
	slices.Reverse(want)
	if diff := cmp.Diff(want, b.list(t, jobs.Filter{ChatID: "-2"}, 10, nil)); diff != "" {
		t.Errorf("list of the chat that joined (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{id}, b.list(t, jobs.Filter{ChatID: "-1"}, 10, nil)); diff != "" {
		t.Errorf("list of the chat that began (-want +got):\n%s", diff)
	}
}

// A cursor that no page was answered with is refused, and says why.
func TestListBadCursor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, toggle(16))
	for _, c := range []string{
		"x", "+", "-", "[", "(" + id, id + "0", id[1:], strings.ToUpper(id), " " + id, "@h1", "@", "j_", "j_@h1",
	} {
		if _, err := b.store.List(b.ctx, jobs.Filter{}, 10, c); !errors.Is(err, jobs.ErrBadCursor) {
			t.Errorf("cursor %q: %v, want ErrBadCursor", c, err)
		}
	}
	for _, c := range []string{id, id + "@h1", jobs.NewID(time.Now())} { // whether it still exists is no matter
		if _, err := b.store.List(b.ctx, jobs.Filter{}, 10, c); err != nil {
			t.Errorf("cursor %q: %v", c, err)
		}
	}
}

// No cursor, whatever is in it, makes List fail or ask Redis for anything but
// what stands below it in the index.
func FuzzListCursor(f *testing.F) {
	var sent []redis.Cmder
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0"})
	f.Cleanup(func() { _ = rdb.Close() })
	rdb.AddHook(answered{func(cmds []redis.Cmder) { sent = append(sent, cmds...) }})
	store := jobs.NewStore(jobs.Options{Client: rdb, Hub: events.NewHub()})
	f.Cleanup(func() { _ = store.Close() })
	id := jobs.NewID(time.Now())
	for _, c := range []string{"", id, id + "@h1", id + "@", id + "@h1@h2", "x", "@", "+", "-", "\x00", id + "\r\nDEL x"} {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		sent = nil
		p, err := store.List(t.Context(), jobs.Filter{Host: "h1"}, 10, cursor)
		bad := cursor != ""
		if id, _, _ := strings.Cut(cursor, "@"); jobs.ValidID(id) {
			bad = false
		}
		switch {
		case bad && (!errors.Is(err, jobs.ErrBadCursor) || len(sent) > 0):
			t.Errorf("%q: %v after %v, want ErrBadCursor", cursor, err, sent)
		case !bad && (err != nil || p.Next != "" || len(sent) != 1):
			t.Errorf("%q: %+v, %v after %v", cursor, p, err, sent)
		case !bad:
			want := "(" + cursor
			if cursor == "" {
				want = "+"
			}
			if got := sent[0].Args()[2]; got != want {
				t.Errorf("%q: asked for what is below %q", cursor, got)
			}
		}
	})
}

// answered is a Redis that has nothing, and passes on what it was asked.
type answered struct{ got func([]redis.Cmder) }

var _ redis.Hook = answered{}

func (answered) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a answered) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error { a.got([]redis.Cmder{cmd}); return nil }
}

func (a answered) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error { a.got(cmds); return nil }
}
