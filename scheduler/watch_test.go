package scheduler_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/alerts"
	"switchyard/events"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/scheduler"
	"switchyard/tasks"
)

// watchRules are like the defaults.
var watchRules = alerts.Rules{
	alerts.CPU:            {Enabled: true, Level: events.Warning, Threshold: 90, Hysteresis: 5, For: time.Minute},
	alerts.HostOffline:    {Enabled: true, Level: events.Critical, For: time.Minute},
	alerts.DongleLost:     {Enabled: true, Level: events.Failure, For: time.Minute},
	alerts.PoorSignal:     {Enabled: true, Level: events.Warning, Threshold: -110, Hysteresis: 3, For: time.Minute},
	alerts.QueueBacklog:   {Enabled: true, Level: events.Warning, Threshold: 2, Hysteresis: 1, For: time.Minute},
	alerts.ToggleFailed:   {Enabled: true, Level: events.Critical},
	alerts.DeliveryFailed: {Enabled: true, Level: events.Failure},
	alerts.ExchangeBan:    {Enabled: true, Level: events.Critical},
}

// watcher is a scheduler's, with a client of its own.
func (w *world) watcher(t *testing.T) *scheduler.Watch {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: w.srv.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = rdb.Close() })
	return &scheduler.Watch{
		Store: w.newStore(t, rdb), Registry: hosts.New(rdb, ttl), Book: alerts.NewBook(rdb, w.clock.Now), Rules: watchRules, Interval: time.Second,
		Route: func(n alerts.News) map[string]tasks.Draft {
			return map[string]tasks.Draft{"a": tasks.NewTelegramNotice(tasks.TelegramPayload{ChatID: "1", Text: n.Alert.ID + " " + string(n.State)}, "")}
		},
		Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
}

// pass lets time pass, in which all look every 15 seconds and the hosts are there.
func (w *world) pass(t *testing.T, d time.Duration, all ...*scheduler.Watch) {
	t.Helper()
	for ; d > 0; d -= 15 * time.Second {
		w.clock.forward(15 * time.Second)
		w.beat(t)
		for _, x := range all {
			must(t, x.Look(w.ctx))
		}
	}
}

// now are the kinds and subjects of the alerts that are not over.
func (w *world) open(t *testing.T) (out []string) {
	t.Helper()
	list, err := alerts.NewBook(w.rdb, w.clock.Now).List(w.ctx)
	must(t, err)
	for _, a := range list {
		if a.State != alerts.Over {
			out = append(out, string(a.Kind)+" "+a.Subject)
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) wantOpen(t *testing.T, when string, want ...string) {
	t.Helper()
	if got := w.open(t); !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", when, got, want)
	}
}

// Ensure hosts that are away are told of after a while, by two schedulers once, those
// that come back and those that are removed are not any more, and that an outage of
// Redis makes nobody look away.
func TestWatchHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b", "c")
	one, two := w.watcher(t), w.watcher(t)
	w.pass(t, time.Minute, one, two)
	w.wantOpen(t, "all are there")
	w.away["b"], w.away["c"] = true, true
	w.pass(t, time.Minute, one, two)
	w.wantOpen(t, "away for less than a minute since it was seen")
	w.pass(t, 15*time.Second, one, two)
	w.wantOpen(t, "away", "host_offline b", "host_offline c")
	w.away["b"] = false
	must(t, w.registry.Remove(w.ctx, "c", w.clock.Now()))
	must(t, w.registry.Forget(w.ctx, "c"))
	w.pass(t, 15*time.Second, one, two)
	w.wantOpen(t, "back, and removed")

	// Nobody can say anything for a while, and those who look first find all away.
	w.clock.forward(10 * time.Minute)
	must(t, one.Look(w.ctx))
	w.pass(t, 2*time.Minute, one, two)
	w.wantOpen(t, "after an outage")
	if list, err := one.Book.List(w.ctx); err != nil || len(list) != 2 {
		t.Errorf("%d alerts: %v", len(list), err)
	}
	if told, err := w.rdb.XLen(w.ctx, events.Alerts.Stream()).Result(); err != nil || told != 4 {
		t.Errorf("%d events, %v", told, err)
	}
}

// Ensure dongles without a connection or with a poor signal, a host's busy machine and
// long queues are told of, as long as what is known of them is new.
func TestWatchFigures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.watcher(t)
	state := func(cpu float64, connected bool, rsrp float64) func() {
		return func() {
			level := tasks.Decibel(rsrp)
			must(t, w.registry.Register(w.ctx, hosts.Info{
				Name: "a", ServerIP: "198.51.100.7", Machine: "a", Process: "a", Seen: w.clock.Now(), Dongles: []int{11, 12},
				Vitals: &hosts.Vitals{CPU: cpu, At: w.clock.Now()},
			}))
			must(t, w.registry.SetDongle(w.ctx, "a", 11, hosts.Dongle{Connected: connected, Collected: w.clock.Now()}))
			must(t, w.registry.SetDongle(w.ctx, "a", 12, hosts.Dongle{Connected: true, Signal: &tasks.Signal{RSRP: &level}, Collected: w.clock.Now()}))
		}
	}
	look := func(d time.Duration, report func()) {
		for ; d > 0; d -= 15 * time.Second {
			w.clock.forward(15 * time.Second)
			report()
			must(t, x.Look(w.ctx))
		}
	}
	look(2*time.Minute, state(10, true, -110))
	w.wantOpen(t, "all is well")
	for range 3 {
		_, err := w.store.Accept(w.ctx, jobs.Request{Draft: tasks.NewTelegram(tasks.TelegramPayload{ChatID: "1", Text: "x"}, "")})
		must(t, err)
	}
	look(75*time.Second, state(95, false, -111))
	// Messages of one chat wait for each other, not in the queue.
	w.wantOpen(t, "nothing is well", "cpu a", "dongle_lost a/11", "poor_signal a/12")
	for i := range 3 {
		_, err := w.store.Accept(w.ctx, jobs.Request{Draft: tasks.NewTelegram(tasks.TelegramPayload{ChatID: fmt.Sprint("2", i), Text: "x"}, "")})
		must(t, err)
	}
	look(75*time.Second, state(88, false, -108))
	w.wantOpen(t, "a little better", "cpu a", "dongle_lost a/11", "poor_signal a/12", "queue_backlog interactive")
	look(15*time.Second, state(80, true, -107))
	w.wantOpen(t, "well again", "queue_backlog interactive")
}

// Ensure how toggles, deliveries and pushes end raises alerts and ends them, and that what
// nobody ends is over after a day.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	x := w.watcher(t)
	must(t, x.Look(w.ctx))
	end := func(d tasks.Draft, state jobs.State, result any, reason string) {
		t.Helper()
		a, err := w.store.Accept(w.ctx, jobs.Request{Draft: d})
		must(t, err)
		c, _, err := w.store.Claim(w.ctx, jobs.TaskPayload{Job: a.ID, Attempt: 1, Host: d.Host}, w.process.NewOwner())
		must(t, err)
		text, err := json.Marshal(result)
		must(t, err)
		must(t, c.Finish(w.ctx, jobs.End{State: state, Result: text, Error: reason}))
	}
	toggle := func(state jobs.State, success bool, step int) {
		t.Helper()
		d := tasks.NewToggle(tasks.TogglePayload{Host: "a", Subnet: 11}, time.Minute, time.Time{})
		end(d, state, tasks.ToggleResult{ToggleOutcome: tasks.ToggleOutcome{Success: success, Step: step}}, "no address")
	}
	callback := func(state jobs.State, host string) {
		t.Helper()
		end(tasks.NewCallback(tasks.CallbackPayload{URL: "http://" + host + "/x"}, "", "", time.Minute, 1), state, tasks.CallbackResult{URLHost: host}, "404")
	}
	must(t, w.registry.Register(w.ctx, hosts.Info{Name: "a", ServerIP: "198.51.100.7", Machine: "a", Process: "a", Seen: w.clock.Now(), Dongles: []int{11}}))
	toggle(jobs.Failed, false, 3)
	toggle(jobs.Completed, true, 4)
	callback(jobs.Completed, "hooks.example.com")
	must(t, x.Look(w.ctx))
	w.wantOpen(t, "nothing at the last step")
	toggle(jobs.Failed, false, 4)
	callback(jobs.Failed, "hooks.example.com")
	callback(jobs.Failed, "dead.example.com")
	push := func(ok bool) {
		t.Helper()
		text, err := json.Marshal(events.Push{Host: "a", Receiver: "r", URLHost: "push.example.com", OK: ok})
		must(t, err)
		must(t, w.rdb.XAdd(w.ctx, &redis.XAddArgs{Stream: events.HostStream, Values: []any{events.KindField, events.PushKind, events.DataField, text}}).Err())
	}
	push(false)
	must(t, x.Look(w.ctx))
	w.wantOpen(t, "failed", "delivery_failed a → push.example.com", "delivery_failed dead.example.com", "delivery_failed hooks.example.com", "toggle_failed a/11")
	toggle(jobs.Completed, true, 0)
	callback(jobs.Completed, "hooks.example.com")
	push(true)
	must(t, x.Look(w.ctx))
	w.wantOpen(t, "works again", "delivery_failed dead.example.com")
	w.clock.forward(24 * time.Hour)
	must(t, x.Look(w.ctx))
	w.wantOpen(t, "a day later")
}

// Ensure clients can't raise any number of alerts by naming receivers that fail.
func TestWatchManyReceivers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.watcher(t)
	must(t, x.Look(w.ctx))
	process := w.store.NewProcess(true)
	for i := range 110 {
		host := fmt.Sprintf("%d.example.com", i)
		a, err := w.store.Accept(w.ctx, jobs.Request{Draft: tasks.NewCallback(tasks.CallbackPayload{URL: "http://" + host}, "", "", time.Minute, 1)})
		must(t, err)
		c, _, err := w.store.Claim(w.ctx, jobs.TaskPayload{Job: a.ID, Attempt: 1}, process.NewOwner())
		must(t, err)
		text, err := json.Marshal(tasks.CallbackResult{URLHost: host})
		must(t, err)
		must(t, c.Finish(w.ctx, jobs.End{State: jobs.Failed, Result: text}))
	}
	must(t, x.Look(w.ctx))
	if got := w.open(t); len(got) != 101 || !slices.Contains(got, "delivery_failed …") {
		t.Errorf("%d alerts: %s", len(got), strings.Join(got, ", "))
	}
}

// Ensure news is told once however many schedulers tell it, and by the next one where one
// dies between the telling and the noting.
func TestTellOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.watcher(t), w.watcher(t)
	ban := func(v alerts.Verdict) {
		t.Helper()
		_, err := one.Book.Observe(w.ctx, watchRules, alerts.Observation{
			Kind: alerts.ExchangeBan, Subject: "bybit default", Verdict: v, Until: w.clock.Now().Add(time.Minute),
		})
		must(t, err)
	}
	ban(alerts.Bad)
	news, err := one.Book.Untold(w.ctx)
	must(t, err)
	for name, d := range one.Route(news[0]) { // and dies
		_, err := w.store.Accept(w.ctx, jobs.Request{Draft: d, ID: jobs.DerivedID(news[0].At, "alert", news[0].Alert.ID, "open", name)})
		must(t, err)
	}
	must(t, two.Tell(w.ctx))
	must(t, one.Tell(w.ctx))
	w.clock.forward(time.Minute)
	must(t, one.Look(w.ctx)) // it is over by itself
	must(t, two.Tell(w.ctx))
	must(t, one.Tell(w.ctx))
	page, err := w.store.List(w.ctx, jobs.Filter{Type: tasks.Telegram}, 10, "")
	must(t, err)
	if len(page.Jobs) != 2 || !strings.Contains(string(page.Jobs[1].Payload), news[0].Alert.ID+" open") || !strings.Contains(string(page.Jobs[0].Payload), news[0].Alert.ID+" resolved") {
		t.Errorf("%d messages: %+v", len(page.Jobs), page.Jobs)
	}
}
