package hosts_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/events"
	"switchyard/hosts"
	"switchyard/tasks"
)

// post is the outcome of a post to a receiver.
func post(name string, status int) tasks.PushOutcome {
	o := tasks.PushOutcome{Receiver: name, URLHost: name + ".example.com", At: now, Attempt: 1, OK: status == 200, Status: status, DurationMS: 7, Response: "said"}
	if !o.OK {
		o.Error, o.Code = "HTTP "+strconv.Itoa(status), "http_status"
	}
	return o
}

// pushed is what became of the n-th push.
func pushed(n int, all ...tasks.PushOutcome) hosts.Pushed {
	return hosts.Pushed{
		ID: fmt.Sprintf("j_%d", n), At: now.Add(time.Duration(n) * time.Minute),
		PushResult: tasks.PushResult{Document: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)), Receivers: all},
	}
}

// told are the events of pushes so far.
func (b *bundle) told(t *testing.T) (all []events.Push) {
	t.Helper()
	entries, err := b.rdb.XRange(b.ctx, events.HostStream, "-", "+").Result()
	must(t, err)
	for _, e := range entries {
		p, ok, err := events.ParsePush(e.Values)
		must(t, err)
		if !ok {
			t.Fatalf("an event of another kind: %v", e.Values)
		}
		all = append(all, p)
	}
	return all
}

// Ensure the last document and the last sixty outcomes of each receiver are kept,
// newest first, and noting a push twice notes it once.
func TestPushes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if p, err := b.reg.Pushes(b.ctx, "a"); err != nil || !p.At.IsZero() || p.Document != nil || p.Receivers != nil || p.Fault != nil {
		t.Errorf("before the first: %+v, %v", p, err)
	}
	for n := range 130 {
		p := pushed(n, post("main", 200), post("dev", 200))
		p.Receivers[0].DurationMS = int64(n)
		for range 2 {
			_, err := b.reg.NotePush(b.ctx, "a", p)
			must(t, err)
		}
	}
	p, err := b.reg.Pushes(b.ctx, "a")
	must(t, err)
	if string(p.Document) != `{"n":129}` || !p.At.Equal(now.Add(129*time.Minute)) || len(p.Receivers) != 2 || p.Receivers[0].Name != "main" || p.Receivers[1].Name != "dev" || p.Fault != nil {
		t.Fatalf("kept: %+v", p)
	}
	for _, r := range p.Receivers {
		if len(r.Outcomes) != hosts.PushesKept {
			t.Errorf("%s has %d outcomes", r.Name, len(r.Outcomes))
		}
	}
	for i, o := range p.Receivers[0].Outcomes {
		want := post("main", 200)
		want.DurationMS = int64(129 - i)
		if diff := cmp.Diff(want, o); diff != "" {
			t.Fatalf("outcome %d (-want +got):\n%s", i, diff)
		}
	}
}

// Ensure an event tells when a receiver fails, the first time too, and when it is
// back, once each; not that it goes on as before.
func TestPushes_events(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for n, tt := range []struct {
		main, dev int
		news      []string
	}{
		{200, 500, []string{"dev"}},
		{200, 502, []string{}},
		{0, 200, []string{"main", "dev"}},
		{0, 200, []string{}},
		{200, 200, []string{"main"}},
	} {
		news, err := b.reg.NotePush(b.ctx, "a", pushed(n, post("main", tt.main), post("dev", tt.dev)))
		must(t, err)
		if diff := cmp.Diff(tt.news, news); diff != "" {
			t.Errorf("push %d (-want +got):\n%s", n, diff)
		}
	}
	var got []string
	for _, e := range b.told(t) {
		got = append(got, fmt.Sprintf("%s %s %s %v %d %q", e.Host, e.Receiver, e.URLHost, e.OK, e.Status, e.Error))
	}
	want := []string{
		`a dev dev.example.com false 500 "HTTP 500"`,
		`a main main.example.com false 0 "HTTP 0"`, `a dev dev.example.com true 200 ""`,
		`a main main.example.com true 200 ""`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// Ensure nothing stays of a receiver that is none any more, and of a host that was
// removed; a receiver that comes back begins anew.
func TestPushes_pruned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	note := func(n int, all ...tasks.PushOutcome) {
		t.Helper()
		_, err := b.reg.NotePush(b.ctx, "a", pushed(n, all...))
		must(t, err)
	}
	note(0, post("main", 500), post("dev", 200), post("dev-2", 200))
	note(1, post("dev-2", 200), post("main", 500))
	fields, err := b.rdb.HKeys(b.ctx, "sw:v1:h:a:pushes").Result()
	must(t, err)
	if len(fields) != 4+2*2+2*2 { // each has a state, a count and two outcomes
		t.Errorf("kept: %v", fields)
	}
	note(2)
	note(3, post("main", 200))
	p, err := b.reg.Pushes(b.ctx, "a")
	must(t, err)
	if len(p.Receivers) != 1 || len(p.Receivers[0].Outcomes) != 1 {
		t.Errorf("kept: %+v", p)
	}
	if n := len(b.told(t)); n != 1 { // that main failed; as a new one, that it works is no news
		t.Errorf("%d events", n)
	}

	must(t, b.reg.Register(b.ctx, hosts.Info{Name: "a", Machine: "m", Process: "p", Seen: now}))
	must(t, b.reg.Remove(b.ctx, "a", now.Add(time.Hour)))
	must(t, b.reg.Forget(b.ctx, "a"))
	if left := b.rdb.Keys(b.ctx, "sw:v1:h:a:*").Val(); len(left) > 0 {
		t.Errorf("left of the host: %v", left)
	}
}

// Ensure what a host has spoilt is left out and told of, and the next push mends
// it; that Redis is away is told as that.
func TestPushes_spoilt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.reg.NotePush(b.ctx, "a", pushed(0, post("main", 200), post("dev", 200)))
	must(t, err)
	must(t, b.rdb.HSet(b.ctx, "sw:v1:h:a:pushes", "document", "{", "outcome:main:1", "nonsense").Err())
	p, err := b.reg.Pushes(b.ctx, "a")
	if err != nil || p.Fault == nil || p.Document != nil || len(p.Receivers) != 2 || len(p.Receivers[0].Outcomes) != 0 || len(p.Receivers[1].Outcomes) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	must(t, b.rdb.Set(b.ctx, "sw:v1:h:b:pushes", "no hash", 0).Err())
	if p, err := b.reg.Pushes(b.ctx, "b"); err != nil || p.Fault == nil {
		t.Errorf("%+v, %v", p, err)
	}
	_, err = b.reg.NotePush(b.ctx, "b", pushed(1, post("main", 200)))
	must(t, err)
	if p, err := b.reg.Pushes(b.ctx, "b"); err != nil || p.Fault != nil || len(p.Receivers) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	b.srv.Kill()
	if _, err := b.reg.Pushes(b.ctx, "a"); !errors.Is(err, hosts.ErrUnavailable) {
		t.Errorf("reading: %v", err)
	}
	if _, err := b.reg.NotePush(b.ctx, "a", pushed(2)); !errors.Is(err, hosts.ErrUnavailable) {
		t.Errorf("noting: %v", err)
	}
}
