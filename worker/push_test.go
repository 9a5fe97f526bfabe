package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"switchyard/configs"
	"switchyard/delivery"
	"switchyard/events"
	"switchyard/hardware"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/sim/hilink"
	"switchyard/sim/receiver"
	"switchyard/tasks"
	"switchyard/worker"
)

// pusher is host h1 with dongles 16 and 17, whose addresses are given by a
// gateway that counts who asks, and a receiver of its pushes.
type pusher struct {
	*bundle
	modems   []*hilink.Modem
	probes   atomic.Int64
	receiver *receiver.Receiver
	config   configs.Push
	info     hosts.Info
	host     *worker.HostJobs
	pushes   *worker.Pushes
	registry *hosts.Registry
	// now stands still until a test moves it; zero: it is the real one.
	now atomic.Pointer[time.Time]
}

var kst = time.FixedZone("KST", 9*60*60)

func setupPusher(t *testing.T) *pusher {
	t.Helper()
	p := &pusher{bundle: setup(t)}
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.probes.Add(1)
		_, _ = io.WriteString(w, "203.0.113.99")
	}))
	t.Cleanup(gateway.Close)
	c := configs.Default()
	c.Host.Name, c.Host.ServerIP, c.Host.StateDir, c.Host.EchoURLs = "h1", "198.51.100.7", t.TempDir(), []string{"http://ip.example/"}
	c.Host.ProbeTimeout = configs.Duration(30 * time.Second) // a slow machine is no dead dongle
	for _, n := range []int{16, 17} {
		m := hilink.New(hilink.Options{Subnet: n, Reattach: 40 * time.Millisecond})
		must(t, m.Start(p.ctx))
		t.Cleanup(m.Close)
		p.modems = append(p.modems, m)
		c.Host.Dongles = append(c.Host.Dongles, configs.Dongle{Subnet: n, Modem: m.URL(), Gateway: strings.TrimPrefix(gateway.URL, "http://")})
	}
	host, err := hardware.NewHost(c)
	must(t, err)
	t.Cleanup(host.Close)
	p.receiver, err = receiver.Start(p.ctx, "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { must(t, p.receiver.Close()) })
	p.config = c.Push
	p.config.Receivers = []configs.PushReceiver{{Name: "main", URL: p.receiver.URL() + "/api/proxy"}}
	p.config.Timeout = configs.Duration(20 * time.Second)
	sender, err := delivery.NewSender(delivery.SenderOptions{})
	must(t, err)
	t.Cleanup(sender.Close)
	p.registry = hosts.New(p.rdb, time.Minute)
	p.info = hosts.Info{Name: "h1", ServerIP: "198.51.100.7", Dongles: []int{16, 17}, Physical: 2}
	p.host = &worker.HostJobs{Host: host, Registry: p.registry, Now: p.clock, Log: discard}
	p.pushes = &worker.Pushes{
		Host: p.host, Store: p.store, Info: func() hosts.Info { return p.info }, Location: kst,
		Pusher: delivery.NewPusher(sender, func() (configs.Push, configs.Callbacks) { return p.config, configs.Callbacks{} }),
	}
	return p
}

func (p *pusher) clock() time.Time {
	if now := p.now.Load(); now != nil {
		return *now
	}
	return p.store.Now()
}

// at stops the host's clock.
func (p *pusher) at(now time.Time) { p.now.Store(&now) }

// work starts a worker of the host.
func (p *pusher) work(t *testing.T) *worker.Worker {
	t.Helper()
	return p.start(t, nil, func(o *worker.Options) {
		o.Queues = []worker.Queue{{Name: tasks.HostStatusQueue("h1"), Concurrency: 2}}
		o.Handlers = map[tasks.Type]worker.Handler{tasks.Push: p.pushes.Handle, tasks.Collect: p.host.Collect}
	})
}

// manual asks for a push that is due on the host's clock; the job itself may wait
// for a minute on Redis'.
func (p *pusher) manual(t *testing.T) string {
	t.Helper()
	d := tasks.NewManualPush("h1", p.clock(), 55*time.Second, 20*time.Second)
	d.Expires = p.store.Now().Add(time.Minute)
	return p.accept(t, jobs.Request{Draft: d})
}

// result is what became of a push that has ended.
func (p *pusher) result(t *testing.T, j *jobs.Job) (r tasks.PushResult, doc tasks.StatusDocument) {
	t.Helper()
	if len(j.Result) == 0 {
		t.Fatalf("no result: %+v", j)
	}
	must(t, json.Unmarshal(j.Result, &r))
	must(t, json.Unmarshal(r.Document, &doc))
	return r, doc
}

// know writes down what is known of the host, newer than what was read.
func (p *pusher) know(t *testing.T, dongles map[int]hosts.Dongle, toggles map[int]time.Time) {
	t.Helper()
	for n, d := range dongles {
		d.Collected = p.clock().Add(time.Second)
		must(t, p.registry.SetDongle(p.ctx, "h1", n, d))
	}
	for n, at := range toggles {
		must(t, p.registry.SetLastToggle(p.ctx, "h1", n, at))
	}
}

// pushedGolden is a golden status document as it is pushed.
func pushedGolden(t *testing.T, name, heartbeat string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "hosts", "testdata", name+".json"))
	must(t, err)
	var doc bytes.Buffer
	must(t, json.Compact(&doc, b))
	return strings.Replace(doc.String(), `"server_ip"`, `"last_heartbeat_at":"`+heartbeat+`","server_ip"`, 1)
}

func ptr[T any](v T) *T { return &v }

// Ensure what is posted is the document of the receivers' specification, byte for
// byte: of a host in order, and of one whose dongle is away.
func TestPush_document(t *testing.T) {
	t.Parallel()
	p := setupPusher(t)
	p.work(t)
	signal := func(rsrp, rsrq, rssi, sinr tasks.Decibel, cell, pci string) *tasks.Signal {
		return &tasks.Signal{RSRP: &rsrp, RSRQ: &rsrq, RSSI: &rssi, SINR: &sinr, Band: ptr("3"), CellID: &cell, PCI: &pci, PLMN: ptr("45008")}
	}
	p.at(time.Date(2025, 12, 13, 22, 51, 1, 654_200_000, kst))
	_, err := p.host.CollectWithin(p.ctx, 0)
	must(t, err)
	p.info.Physical, p.info.Hub = 14, &tasks.HubInfo{MainHub: "1-3", SubHubs: []string{"1-3.4"}, PortsPerHub: 4}
	p.know(t, map[int]hosts.Dongle{
		16: {
			ExternalIP: ptr("175.223.26.202"), Connected: true, Traffic: tasks.Traffic{Upload: 7408510801, Download: 13143595860},
			Signal: signal(-105, -9, -79, -2, "0029403-030", "228"),
		},
		17: {
			ExternalIP: ptr("39.7.54.121"), Connected: true, Traffic: tasks.Traffic{Upload: 89679249784, Download: 601586495927},
			Signal: signal(-111, -11, -81, 1, "7401488", "240"),
		},
	}, map[int]time.Time{16: time.Date(2025, 12, 13, 22, 49, 25, 0, kst), 17: time.Date(2025, 12, 13, 22, 50, 16, 0, kst)})
	if j := p.ended(t, p.manual(t)); j.State != jobs.Completed || j.Error != "" {
		t.Fatalf("%+v", j)
	}
	p.at(time.Date(2025, 12, 13, 23, 0, 0, 42_000, kst))
	_, err = p.host.CollectWithin(p.ctx, 0)
	must(t, err)
	p.info.Dongles, p.info.Physical, p.info.Hub = []int{11}, 0, nil
	p.ended(t, p.manual(t))

	got := p.receiver.Received()
	if len(got) != 2 {
		t.Fatalf("received %+v", got)
	}
	for i, want := range []string{
		pushedGolden(t, "status", "2025-12-13T22:51:01.654200"), pushedGolden(t, "status_disconnected", "2025-12-13T23:00:00.000042"),
	} {
		if diff := cmp.Diff(want, got[i].Body); diff != "" || got[i].Fault != "" {
			t.Errorf("document %d: %s (-want +got):\n%s", i, got[i].Fault, diff)
		}
	}
}

// Ensure a push reads the dongles, posts what it found, and keeps what it posted
// and what the receivers said: in the job, in the registry, in the log of pushes
// and in the file of the last one. That a receiver fails is told, once.
func TestPush_outcome(t *testing.T) {
	t.Parallel()
	p := setupPusher(t)
	var lines bytes.Buffer
	var saved []byte
	p.pushes.Lines = slog.New(slog.NewTextHandler(&lines, nil))
	p.pushes.Save = func(b []byte) error { saved = b; return nil }
	p.config.Receivers = append(p.config.Receivers, configs.PushReceiver{Name: "dead", URL: "http://127.0.0.1:1/api/proxy"})
	p.work(t)
	for n := range 2 {
		j := p.ended(t, p.manual(t))
		r, doc := p.result(t, j)
		if j.State != jobs.Completed || j.Error != "1 of 2 receivers did not take it" || len(doc.AvailableProxies) != 2 || doc.DongleCheck.Connected != 2 {
			t.Errorf("%+v: %s", j, j.Result)
		}
		if d := doc.AvailableProxies[0]; d.ExternalIP == nil || *d.ExternalIP != "203.0.113.99" || d.Signal == nil {
			t.Errorf("dongle 16: %+v", d)
		}
		got := p.receiver.Received()[n]
		if got.Body != string(r.Document) || got.Headers["Webhook-Id"] != j.ID || got.Fault != "" || string(saved) != got.Body {
			t.Errorf("received %+v, saved %s", got, saved)
		}
		kept, err := p.registry.Pushes(p.ctx, "h1")
		must(t, err)
		if string(kept.Document) != got.Body || len(kept.Receivers) != 2 || len(kept.Receivers[1].Outcomes) != n+1 {
			t.Fatalf("kept: %+v", kept)
		}
		for i, want := range r.Receivers {
			if diff := cmp.Diff(want, kept.Receivers[i].Outcomes[0]); diff != "" || !want.Manual || want.OK != (i == 0) {
				t.Errorf("receiver %d: %+v\n%s", i, want, diff)
			}
		}
	}
	if n := p.rdb.XLen(p.ctx, events.HostStream).Val(); n != 1 {
		t.Errorf("%d events, want that one receiver failed", n)
	}
	if all := lines.String(); strings.Count(all, "push sent") != 2 || strings.Count(all, "push failed") != 2 || strings.Count(all, "Connection refused") != 2 {
		t.Errorf("log of pushes:\n%s", all)
	}
}

// Ensure a modem that hangs costs its own members and nothing else.
func TestPush_hungModem(t *testing.T) {
	t.Parallel()
	p := setupPusher(t)
	p.work(t)
	p.modems[0].SetFaults(hilink.Faults{Hang: true})
	p.host.CollectLimit = 3 * time.Second
	_, doc := p.result(t, p.ended(t, p.manual(t)))
	hung, fine := doc.AvailableProxies[0], doc.AvailableProxies[1]
	if hung.Signal != nil || hung.Traffic != (tasks.Traffic{}) || !hung.Connected || hung.ExternalIP == nil {
		t.Errorf("the one that hangs: %+v", hung)
	}
	if fine.Signal == nil || !fine.Connected {
		t.Errorf("the other: %+v", fine)
	}
	if got := p.receiver.Received(); len(got) != 1 || got[0].Fault != "" {
		t.Errorf("received %+v", got)
	}
}

// Ensure a push that is too old is not posted: one that was when its turn came,
// and one that became so while a modem was waited for.
func TestPush_tooOld(t *testing.T) {
	t.Parallel()
	p := setupPusher(t)
	p.work(t)
	now := p.store.Now()
	p.modems[0].SetFaults(hilink.Faults{Hang: true})
	for name, until := range map[string]time.Time{"at once": now.Add(-time.Second), "in between": now.Add(300 * time.Millisecond)} {
		d := tasks.NewManualPush("h1", until.Add(-55*time.Second), 55*time.Second, time.Second)
		d.Expires = now.Add(time.Minute)
		j := p.ended(t, p.accept(t, jobs.Request{Draft: d}))
		if j.State != jobs.Failed || !strings.Contains(j.Error, "too old") {
			t.Errorf("%s: %+v", name, j)
		}
	}
	if got := p.receiver.Received(); len(got) > 0 {
		t.Errorf("received %+v", got)
	}
	if kept, err := p.registry.Pushes(p.ctx, "h1"); err != nil || kept.Document != nil {
		t.Errorf("kept: %+v, %v", kept, err)
	}
}

// Ensure a push is not posted any more that was cancelled, became too old by Redis'
// clock or was taken from its worker while that still read the dongles.
func TestPush_overtaken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		overtake func(t *testing.T, p *pusher, id string)
		state    jobs.State
		why      string
	}{
		"cancelled": {func(t *testing.T, p *pusher, id string) {
			_, err := p.store.Cancel(p.ctx, id)
			must(t, err)
		}, jobs.Cancelled, ""},
		"too old": {func(_ *testing.T, p *pusher, _ string) { p.at(p.clock().Add(56 * time.Second)) }, jobs.Failed, "too old"},
		"taken": {func(t *testing.T, p *pusher, _ string) {
			must(t, p.store.NewProcess(false, "h1").BuryPredecessors(p.ctx, "h1"))
			_, err := p.store.Reclaim(p.ctx, "h1")
			must(t, err)
		}, jobs.Failed, "not done again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := setupPusher(t)
			w := p.work(t)
			p.at(p.store.Now())
			p.modems[0].SetFaults(hilink.Faults{Hang: true})
			id := p.manual(t)
			must(t, p.modems[0].WaitFor(p.ctx, func([]hilink.Entry) bool { return p.modems[0].Hanging() > 0 }))
			tt.overtake(t, p, id)
			p.modems[0].SetFaults(hilink.Faults{})
			if j := p.ended(t, id); j.State != tt.state || !strings.Contains(j.Error, tt.why) {
				t.Errorf("%+v", j)
			}
			p.stop(t, w) // waits for the handler
			if got := p.receiver.Received(); len(got) > 0 {
				t.Errorf("received %+v", got)
			}
		})
	}
}

// Ensure a push whose worker dies in the middle of its post is not posted again:
// neither one of the clock, of which nothing is left, nor one that somebody asked
// for, which has failed.
func TestPush_diesInTheMiddle(t *testing.T) {
	t.Parallel()
	p := setupPusher(t)
	p.receiver.Behave(receiver.Behaviour{Hang: true})
	p.work(t)
	minute := p.store.Now()
	n, err := p.store.AcceptDue(p.ctx, minute, []tasks.Draft{tasks.NewPush("h1", minute, 55*time.Second, 20*time.Second)})
	must(t, err)
	if n != 1 {
		t.Fatalf("%d made", n)
	}
	id := p.manual(t)
	must(t, p.receiver.WaitFor(p.ctx, func(all []receiver.Received) bool { return len(all) == 2 }))
	// What a new worker does that has the host's lock.
	next := p.store.NewProcess(false, "h1")
	must(t, next.BuryPredecessors(p.ctx, "h1"))
	swept, err := p.store.Reclaim(p.ctx, "h1")
	must(t, err)
	if swept.Lost != 2 {
		t.Errorf("reclaimed: %+v", swept)
	}
	if j := p.get(t, id); j.State != jobs.Failed || !strings.Contains(j.Error, "not done again") {
		t.Errorf("%+v", j)
	}
	if left := p.rdb.ZCard(p.ctx, "sw:v1:h:h1:open").Val(); left != 0 {
		t.Errorf("%d unfinished", left)
	}
	if n := len(p.receiver.Received()); n != 2 {
		t.Errorf("posted %d times", n)
	}
	p.receiver.Behave(receiver.Behaviour{})
}

// Ensure a stopping worker lets posts end that have begun and notes what became of
// them, and hands back a push that has not begun.
func TestPush_stop(t *testing.T) {
	t.Parallel()
	p := setupPusher(t)
	p.receiver.Behave(receiver.Behaviour{After: time.Hour})
	w := p.work(t)
	id := p.manual(t)
	must(t, p.receiver.WaitFor(p.ctx, func(all []receiver.Received) bool { return len(all) == 1 }))
	// Another handler waits for a modem, and ends when the worker stops.
	p.modems[0].SetFaults(hilink.Faults{Hang: true})
	p.at(p.store.Now().Add(time.Minute))
	other := p.accept(t, jobs.Request{Draft: tasks.NewCollect("h1", time.Minute, time.Time{})})
	must(t, p.modems[0].WaitFor(p.ctx, func([]hilink.Entry) bool { return p.modems[0].Hanging() > 0 }))
	stopped := make(chan struct{})
	go func() { defer close(stopped); p.stop(t, w) }()
	p.ended(t, other)
	p.receiver.Behave(receiver.Behaviour{})
	p.until(t, "it stopped", stopped)
	p.modems[0].SetFaults(hilink.Faults{})
	if r, _ := p.result(t, p.get(t, id)); !r.Receivers[0].OK {
		t.Errorf("%+v", r.Receivers)
	}

	p.modems[1].SetFaults(hilink.Faults{Hang: true})
	w = p.work(t)
	p.at(p.store.Now().Add(2 * time.Minute)) // the dongles have to be read again
	id = p.manual(t)
	must(t, p.modems[1].WaitFor(p.ctx, func([]hilink.Entry) bool { return p.modems[1].Hanging() > 0 }))
	p.stop(t, w)
	if j := p.get(t, id); j.State != jobs.Queued || j.Attempt != 2 {
		t.Errorf("%+v", j)
	}
	p.modems[1].SetFaults(hilink.Faults{})
	p.work(t)
	if j := p.ended(t, id); j.State != jobs.Completed || len(p.receiver.Received()) != 2 {
		t.Errorf("%+v, received %+v", j, p.receiver.Received())
	}
}

// Ensure the dongles are read once a minute, for whoever wants it: several pushes,
// the clock of the host, and one who finds nothing written, for whom it is written
// again.
func TestPush_readsOnceAMinute(t *testing.T) {
	t.Parallel()
	p := setupPusher(t)
	p.work(t)
	at := time.Date(2025, 12, 13, 22, 51, 30, 0, kst)
	p.at(at)
	probed := func(want int64) {
		t.Helper()
		if got := p.probes.Load(); got != want {
			t.Errorf("at %v: %d probes, want %d", p.clock(), got, want)
		}
	}
	within := func(want time.Duration) {
		t.Helper()
		left, err := p.host.CollectWithin(p.ctx, time.Minute)
		must(t, err)
		if left != want {
			t.Errorf("at %v: it holds for %v, want %v", p.clock(), left, want)
		}
	}
	within(time.Minute)
	probed(2)
	p.at(at.Add(20 * time.Second))
	p.ended(t, p.manual(t))
	p.ended(t, p.manual(t))
	within(40 * time.Second)
	probed(2)
	must(t, p.rdb.Del(p.ctx, "sw:v1:h:h1:dongles").Err())
	p.ended(t, p.accept(t, jobs.Request{Draft: tasks.NewCollect("h1", time.Minute, time.Time{})}))
	if st, err := p.registry.State(p.ctx, "h1"); err != nil || len(st.Dongles) != 2 || !st.Dongles[16].Connected {
		t.Errorf("written again: %+v, %v", st, err)
	}
	probed(2)
	// The push of the next minute reads them, and the host's clock is content.
	p.at(at.Add(31 * time.Second))
	p.ended(t, p.manual(t))
	probed(4)
	p.at(at.Add(70 * time.Second))
	within(21 * time.Second)
	probed(4)
	p.at(at.Add(91 * time.Second))
	within(time.Minute)
	probed(6)
	// The clock is set back.
	p.at(at.Add(-time.Hour))
	p.ended(t, p.manual(t))
	probed(8)
}

// Ensure what could not be written down is in the document all the same, and a
// push waits for a Redis that is away.
func TestPush_redisAway(t *testing.T) {
	t.Parallel()
	p := setupPusher(t)
	broken := redis.NewClient(p.redis())
	must(t, broken.Close())
	p.host.Registry = hosts.New(broken, time.Minute)
	young, cancel := context.WithCancel(p.ctx)
	cancel()
	if _, err := p.host.CollectWithin(young, 0); err == nil {
		t.Error("it was cut short and says nothing")
	}
	if _, err := p.host.CollectWithin(p.ctx, 0); err == nil {
		t.Error("it could not be written down and says nothing")
	}
	p.host.Registry = p.registry
	p.work(t)
	if _, doc := p.result(t, p.ended(t, p.manual(t))); doc.DongleCheck.Connected != 2 {
		t.Errorf("%+v", doc)
	}
}
