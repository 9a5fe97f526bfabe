package alerts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/alerts"
	"switchyard/events"
	"switchyard/sim/redisserver"
)

type bundle struct {
	ctx context.Context
	srv *redisserver.Server
	rdb *redis.Client
	now atomic.Int64
	*alerts.Book
}

func (b *bundle) forward(d time.Duration) { b.now.Add(d.Milliseconds()) }

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	b := &bundle{ctx: ctx, srv: srv, rdb: redis.NewClient(&redis.Options{Addr: srv.Addr(), MaxRetries: -1})}
	t.Cleanup(func() { _ = b.rdb.Close() })
	b.now.Store(noon.UnixMilli())
	b.Book = alerts.NewBook(b.rdb, func() time.Time { return time.UnixMilli(b.now.Load()) })
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var rules = alerts.Rules{
	alerts.CPU:         {Enabled: true, Level: events.Warning, Threshold: 90, Hysteresis: 5, For: 5 * time.Minute},
	alerts.HostOffline: {Enabled: true, Level: events.Critical},
	alerts.ExchangeBan: {Enabled: true, Level: events.Critical},
}

func offline(host string, bad bool) alerts.Observation {
	return alerts.Observation{Kind: alerts.HostOffline, Subject: host, Verdict: alerts.BadIf(bad), Details: map[string]any{"host": host}}
}

// told are the events so far.
func (b *bundle) told(t *testing.T) (out []events.Alert) {
	t.Helper()
	list, err := b.rdb.XRange(b.ctx, events.Alerts.Stream(), "-", "+").Result()
	must(t, err)
	for _, m := range list {
		var a events.Alert
		must(t, json.Unmarshal([]byte(fmt.Sprint(m.Values[events.DataField])), &a))
		if m.Values[events.KindField] != events.AlertKind || m.Values[events.AtField] == "" {
			t.Errorf("an event has %v", m.Values)
		}
		out = append(out, a)
	}
	return out
}

// Ensure however many processes see the same thing at the same time, it is raised once
// and resolved once, with one event and one piece of news each.
func TestOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for round := range 20 {
		for _, bad := range []bool{true, false} {
			var all sync.WaitGroup
			var changed atomic.Int64
			for range 8 {
				all.Go(func() {
					a, err := b.Observe(b.ctx, rules, offline("a", bad), offline("b", bad))
					if err != nil {
						t.Error(err)
					}
					changed.Add(int64(len(a)))
				})
			}
			all.Wait()
			if n := changed.Load(); n != 2 {
				t.Errorf("round %d, %v: %d changes of two hosts", round, bad, n)
			}
			b.forward(time.Second)
		}
	}
	list, err := b.List(b.ctx)
	must(t, err)
	news, err := b.Untold(b.ctx)
	must(t, err)
	if told := b.told(t); len(list) != 40 || len(told) != 80 || len(news) != 80 {
		t.Errorf("%d alerts, %d events, %d news", len(list), len(told), len(news))
	}
}

// Ensure an alert has the form that dashboards know, and so has its end.
func TestForm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 21 {
		_, err := b.Observe(b.ctx, rules, rules.Machine("seoul", 92.5, 10, 10)...)
		must(t, err)
		b.forward(15 * time.Second)
	}
	_, err := b.Observe(b.ctx, rules, rules.Machine("seoul", 89, 10, 10)...) // between
	must(t, err)
	_, err = b.Observe(b.ctx, rules, rules.Machine("seoul", 12, 10, 10)...)
	must(t, err)
	told := b.told(t)
	if len(told) != 2 {
		t.Fatalf("%d events: %+v", len(told), told)
	}
	id, _ := told[0].Metadata["id"].(string)
	text, err := json.Marshal(told[0])
	must(t, err)
	want := `{"level":"warning","title":"높은 CPU 사용률 감지","message":"CPU 사용률이 90%를 초과했습니다","category":"performance","source":"system_monitor",` +
		`"actions":[{"label":"프로세스 확인","action":"view_processes"},{"label":"알림 끄기","action":"dismiss_alert"}],` +
		`"metadata":{"cpu_percent":92.5,"duration":300,"id":"` + id + `","kind":"cpu","machine":"seoul","state":"open","subject":"seoul","threshold":90}}`
	if string(text) != want {
		t.Errorf("it is told as\n%s, want\n%s", text, want)
	}
	if over := told[1]; over.Level != events.Info || over.Title != "CPU 사용률 정상화" || over.Metadata["state"] != "resolved" || over.Metadata["id"] != id ||
		over.Metadata["raised_level"] != "warning" || len(over.Actions) != 0 {
		t.Errorf("its end is told as %+v", over)
	}
	a, err := b.Get(b.ctx, id)
	if err != nil || a.State != alerts.Over || a.Ended.IsZero() || a.Ended.Sub(a.Raised) != 15*time.Second || a.Subject != "seoul" {
		t.Errorf("%+v, %v", a, err)
	}
}

// Ensure every kind has its words, without holes.
func TestWords(t *testing.T) {
	t.Parallel()
	b := setup(t)
	all := alerts.Rules{}
	for _, k := range alerts.Kinds() {
		all[k] = alerts.Rule{Enabled: true, Level: events.Failure}
		details := map[string]any{"rsrp": -115.5, "error": "왜", "pending": 120, "exchange": "bybit", "address": "default", "cpu_percent": 1, "memory_percent": 1, "disk_usage": 1}
		_, err := b.Observe(b.ctx, all, alerts.Observation{Kind: k, Subject: "s", Verdict: alerts.Bad, Details: details, Until: noon.Add(time.Hour)})
		must(t, err)
	}
	told := b.told(t)
	if len(told) != len(alerts.Kinds()) {
		t.Fatalf("%d of %d kinds were raised", len(told), len(alerts.Kinds()))
	}
	for _, a := range told {
		if a.Title == "" || a.Message == "" || a.Category == "" || a.Source == "" || strings.Contains(a.Message, "%!") || strings.Contains(a.Message, "<nil>") {
			t.Errorf("%+v", a)
		}
	}
}

// Ensure a dismissed alert is told of no more, in no way but to those who watch, until it
// is over and begins anew.
func TestDismiss(t *testing.T) {
	t.Parallel()
	b := setup(t)
	raised, err := b.Observe(b.ctx, rules, offline("a", true))
	must(t, err)
	id := raised[0].ID
	news, err := b.Untold(b.ctx)
	must(t, err)
	must(t, b.Told(b.ctx, news[0]))
	for range 2 {
		if a, err := b.Dismiss(b.ctx, id); err != nil || a.State != alerts.Dismissed || a.Dismissed.IsZero() {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	if again, err := b.Observe(b.ctx, rules, offline("a", true)); err != nil || len(again) != 0 {
		t.Errorf("still so: %v, %v", again, err)
	}
	if over, err := b.Observe(b.ctx, rules, offline("a", false)); err != nil || len(over) != 1 || over[0].State != alerts.Over {
		t.Errorf("over: %+v, %v", over, err)
	}
	if news, err := b.Untold(b.ctx); err != nil || len(news) != 0 {
		t.Errorf("somebody is to be told: %+v, %v", news, err)
	}
	if _, err := b.Dismiss(b.ctx, id); !errors.Is(err, alerts.ErrOver) {
		t.Errorf("dismissing what is over: %v", err)
	}
	if _, err := b.Dismiss(b.ctx, "a_none"); !errors.Is(err, alerts.ErrUnknown) {
		t.Errorf("dismissing nothing: %v", err)
	}
	if told := b.told(t); len(told) != 3 || told[1].Metadata["state"] != "dismissed" || told[1].Level != events.Info {
		t.Errorf("told %+v", told)
	}
	anew, err := b.Observe(b.ctx, rules, offline("a", true))
	if err != nil || len(anew) != 1 || anew[0].ID == id || anew[0].State != alerts.Open {
		t.Errorf("anew: %+v, %v", anew, err)
	}
}

// Ensure alerts that have been over for a week are forgotten, those that are not over are
// not, and never are more kept than a thousand that are over.
func TestForget(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.Observe(b.ctx, rules, offline("still", true), offline("over", true))
	must(t, err)
	_, err = b.Observe(b.ctx, rules, offline("over", false))
	must(t, err)
	b.forward(7*24*time.Hour + time.Second)
	must(t, b.Forget(b.ctx))
	list, err := b.List(b.ctx)
	if err != nil || len(list) != 1 || list[0].Subject != "still" {
		t.Fatalf("%+v, %v", list, err)
	}
	for i := range 1010 {
		b.forward(time.Second)
		_, err := b.Observe(b.ctx, rules, offline(fmt.Sprint(i), true))
		must(t, err)
		_, err = b.Observe(b.ctx, rules, offline(fmt.Sprint(i), false))
		must(t, err)
	}
	must(t, b.Forget(b.ctx))
	if list, err = b.List(b.ctx); err != nil || len(list) != 1001 || list[1000].Subject != "still" || list[0].Subject != "1009" {
		t.Errorf("%d are kept, %v", len(list), err)
	}
}

// Ensure each event is followed once by those who take turns, none that was there before,
// and again where it could not be taken.
func TestFollow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	add := func(n int) {
		must(t, b.rdb.XAdd(b.ctx, &redis.XAddArgs{Stream: events.HostStream, Values: []any{events.KindField, "x", events.DataField, fmt.Sprint(n)}}).Err())
	}
	var seen []string
	take := func(e events.Event) error { seen = append(seen, string(e.Data)); return nil }
	add(1)
	must(t, b.Follow(b.ctx, events.Hosts, take))
	add(2)
	add(3)
	failed := errors.New("not now")
	if err := b.Follow(b.ctx, events.Hosts, func(events.Event) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
	must(t, b.Follow(b.ctx, events.Hosts, take))
	must(t, alerts.NewBook(b.rdb, time.Now).Follow(b.ctx, events.Hosts, take))
	if got := strings.Join(seen, " "); got != "2 3" {
		t.Errorf("seen %s", got)
	}
	b.srv.Stop()
	if err := b.Follow(b.ctx, events.Hosts, take); !errors.Is(err, alerts.ErrUnavailable) {
		t.Errorf("without Redis: %v", err)
	}
	if _, err := b.Observe(b.ctx, rules, offline("a", true)); !errors.Is(err, alerts.ErrUnavailable) {
		t.Errorf("without Redis: %v", err)
	}
}
