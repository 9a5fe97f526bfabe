package worker_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/configs"
	"switchyard/hardware"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/sim/hilink"
	"switchyard/tasks"
	"switchyard/worker"
)

// proxyHost is a worker of host h1, whose dongle 16 is simulated.
type proxyHost struct {
	*bundle
	modem    *hilink.Modem
	host     *hardware.Host
	registry *hosts.Registry
	stateDir string
}

func setupHost(t *testing.T) *proxyHost {
	t.Helper()
	h := &proxyHost{bundle: setup(t), modem: hilink.New(hilink.Options{Subnet: 16, Reattach: 40 * time.Millisecond}), stateDir: t.TempDir()}
	must(t, h.modem.Start(h.ctx))
	t.Cleanup(h.modem.Close)
	c := configs.Default()
	c.Host.Name, c.Host.ServerIP, c.Host.StateDir, c.Host.EchoURLs = "h1", "198.51.100.7", h.stateDir, []string{"http://ip.example/"}
	c.Host.Dongles = []configs.Dongle{{Subnet: 16, Modem: h.modem.URL(), Gateway: h.modem.Gateway()}}
	c.Host.ProbeTimeout = configs.Duration(time.Second)
	c.Toggle.PollInterval, c.Toggle.DataswitchHolds = configs.Duration(10*time.Millisecond), []configs.Duration{configs.Duration(10 * time.Millisecond)}
	host, err := hardware.NewHost(c)
	must(t, err)
	t.Cleanup(host.Close)
	h.host, h.registry = host, hosts.New(h.rdb, time.Minute)
	return h
}

// work starts a worker of the host.
func (h *proxyHost) work(t *testing.T) *worker.Worker {
	t.Helper()
	j := &worker.HostJobs{Host: h.host, Registry: h.registry, Now: h.store.Now, Log: discard}
	return h.start(t, nil, func(o *worker.Options) {
		o.Queues = []worker.Queue{{Name: tasks.HostQueue("h1"), Concurrency: 2}, {Name: tasks.HostStatusQueue("h1"), Concurrency: 1}}
		o.Handlers = map[tasks.Type]worker.Handler{tasks.Toggle: j.Toggle, tasks.Collect: j.Collect}
	})
}

func (h *proxyHost) toggle(t *testing.T, subnet int, change ...func(*jobs.Request)) string {
	t.Helper()
	r := jobs.Request{Draft: tasks.NewToggle(tasks.TogglePayload{Host: "h1", ServerIP: "198.51.100.7", Subnet: subnet}, time.Minute, time.Time{})}
	for _, c := range change {
		c(&r)
	}
	return h.accept(t, r)
}

// under way waits until the modem has been told something.
func (h *proxyHost) underWay(t *testing.T) {
	t.Helper()
	must(t, h.modem.WaitFor(h.ctx, func(all []hilink.Entry) bool { return len(all) > 1 }))
}

// dongle is what the registry knows of dongle 16, and when it was toggled last.
func (h *proxyHost) dongle(t *testing.T) (d hosts.Dongle, known bool, last time.Time) {
	t.Helper()
	st, err := h.registry.State(h.ctx, "h1")
	must(t, err)
	d, known = st.Dongles[16]
	return d, known, st.LastToggle[16]
}

// inOrder fails the test unless the modem is as it was made.
func (h *proxyHost) inOrder(t *testing.T) {
	t.Helper()
	if m := h.modem.Mode().Mode; m != "00" || !h.modem.DataSwitch() {
		t.Errorf("the modem is left in mode %s, data %v; ledger: %v", m, h.modem.DataSwitch(), h.modem.Ledger())
	}
}

func result(t *testing.T, j *jobs.Job) tasks.ToggleResult {
	t.Helper()
	var r tasks.ToggleResult
	if err := json.Unmarshal(j.Result, &r); err != nil {
		t.Fatalf("result %s: %v", j.Result, err)
	}
	return r
}

// Ensure a toggle's job ends with the result document, its record tells how it
// went, and the registry knows the dongle's new state when it does.
func TestToggle(t *testing.T) {
	t.Parallel()
	h := setupHost(t)
	before := h.modem.Address().String()
	h.work(t)
	id := h.toggle(t, 16)
	j := h.ended(t, id)
	r, now := result(t, j), h.modem.Address().String()
	if j.State != jobs.Completed || j.Error != "" || !r.Success || *r.IP != now || now == before || r.Step != 0 || r.Signal == nil || r.ServerIP != "198.51.100.7" || r.Port != 10016 {
		t.Errorf("%+v with result %s", j, j.Result)
	}
	var p tasks.ToggleProgress
	must(t, json.Unmarshal(j.Progress, &p))
	if *p.OldIP != before || *p.NewIP != now || len(p.Steps) != 1 || p.Steps[0].Outcome != "ok" {
		t.Errorf("progress %s", j.Progress)
	}
	st, err := h.registry.State(h.ctx, "h1")
	must(t, err)
	if got := st.Rotations[16]; got.Toggles != 1 || got.Unique != 1 {
		t.Errorf("of what toggles bring is noted %+v", got)
	}
	d, known, last := h.dongle(t)
	if !known || !d.Connected || *d.ExternalIP != now || d.Traffic != r.Traffic || d.Signal == nil || last.Before(j.Started) || last.After(j.Completed) || !d.Collected.Truncate(time.Millisecond).Equal(last) {
		t.Errorf("the registry has %+v, toggled at %v", d, last)
	}
	h.inOrder(t)
}

// Ensure a toggle that brought no address is a completed job whose result says
// no, and that the registry learns of it.
func TestToggle_fails(t *testing.T) {
	t.Parallel()
	h := setupHost(t)
	h.host.Ladder.StepLimit = 300 * time.Millisecond
	h.modem.SetFaults(hilink.Faults{NoAddress: true})
	h.work(t)
	j := h.ended(t, h.toggle(t, 16))
	const want = `{"success":false,"ip":null,"traffic":{"upload":0,"download":0},"signal":null,"step":4,"server_ip":"198.51.100.7","port":10016}`
	if j.State != jobs.Completed || j.Error != "no step brought connectivity" || string(j.Result) != want {
		t.Errorf("%+v with result %s", j, j.Result)
	}
	// What the modem still tells is known, though the result has none of it.
	if d, known, last := h.dongle(t); !known || d.Connected || d.ExternalIP != nil || d.Traffic.Download == 0 || last.IsZero() {
		t.Errorf("the registry has %+v, toggled at %v", d, last)
	}
	h.inOrder(t)
}

// Ensure jobs that can't be carried out end with a reason, and leave the
// registry alone.
func TestToggle_impossible(t *testing.T) {
	t.Parallel()
	h := setupHost(t)
	h.work(t)
	j := h.ended(t, h.toggle(t, 25))
	if r := result(t, j); j.State != jobs.Completed || r.Success || r.Port != 10025 || !strings.Contains(j.Error, "no such dongle: 25") {
		t.Errorf("%+v with result %s", j, j.Result)
	}
	j = h.ended(t, h.toggle(t, 16, func(r *jobs.Request) { r.Payload = []byte("{") }))
	if j.State != jobs.Failed || !strings.Contains(j.Error, "unreadable payload") {
		t.Errorf("%+v", j)
	}
	if st, err := h.registry.State(h.ctx, "h1"); err != nil || len(st.Dongles)+len(st.LastToggle) > 0 {
		t.Errorf("the registry has %+v, %v", st, err)
	}
}

// Ensure a toggle that is cancelled leaves the modem in order and ends with a
// result all the same.
func TestToggle_cancelled(t *testing.T) {
	t.Parallel()
	h := setupHost(t)
	h.modem.SetFaults(hilink.Faults{NoAddress: true}) // so that it waits
	h.work(t)
	id := h.toggle(t, 16)
	h.underWay(t)
	if st, err := h.store.Cancel(h.ctx, id); err != nil || st != jobs.Running {
		t.Fatalf("cancelling: %s, %v", st, err)
	}
	j := h.ended(t, id)
	if r := result(t, j); j.State != jobs.Cancelled || r.Success || r.Step != 2 || r.Port != 10016 {
		t.Errorf("%+v with result %s", j, j.Result)
	}
	if _, _, last := h.dongle(t); last.IsZero() {
		t.Error("its end is not noted")
	}
	h.inOrder(t)
}

// Ensure a toggle that ended without having touched the dongle doesn't say that
// the dongle is away: what the registry has is read, not concluded.
func TestToggle_cancelledInVain(t *testing.T) {
	t.Parallel()
	h := setupHost(t)
	held, err := hardware.TryLock(filepath.Join(h.stateDir, "dongle-16.lock"))
	must(t, err)
	t.Cleanup(func() { _ = held.Unlock() })
	h.work(t)
	id := h.toggle(t, 16)
	h.eventually(t, "it runs", func() bool { return h.get(t, id).State == jobs.Running })
	if _, err := h.store.Cancel(h.ctx, id); err != nil {
		t.Fatal(err)
	}
	if j := h.ended(t, id); j.State != jobs.Cancelled || result(t, j).Success {
		t.Errorf("%+v with result %s", j, j.Result)
	}
	if d, _, _ := h.dongle(t); !d.Connected || d.ExternalIP == nil || *d.ExternalIP != h.modem.Address().String() || d.Signal == nil {
		t.Errorf("the registry has %+v", d)
	}
	if n := len(h.modem.Ledger()); n != 1 {
		t.Errorf("the modem was told something: %v", h.modem.Ledger())
	}
}

// Ensure a toggle that takes longer than it may is completed without success,
// with the modem in order.
func TestToggle_limit(t *testing.T) {
	t.Parallel()
	h := setupHost(t)
	h.modem.SetFaults(hilink.Faults{NoAddress: true})
	h.work(t)
	j := h.ended(t, h.toggle(t, 16, func(r *jobs.Request) { r.Limit = 500 * time.Millisecond }))
	if r := result(t, j); j.State != jobs.Completed || r.Success || r.Step != 2 || j.Error != worker.ErrLimit.Error() {
		t.Errorf("%+v with result %s", j, j.Result)
	}
	h.inOrder(t)
}

// Ensure a toggle under way when its worker stops is handed back with the modem
// in order, and carried out by the next worker.
func TestToggle_stopped(t *testing.T) {
	t.Parallel()
	h := setupHost(t)
	h.modem.SetFaults(hilink.Faults{NoAddress: true})
	w := h.work(t)
	id := h.toggle(t, 16)
	h.underWay(t)
	h.stop(t, w)
	h.inOrder(t)
	if j := h.get(t, id); j.State != jobs.Queued || j.Attempt != 2 || j.Result != nil {
		t.Errorf("%+v", j)
	}
	if _, _, last := h.dongle(t); !last.IsZero() {
		t.Error("a toggle that goes on is noted as ended")
	}
	h.modem.SetFaults(hilink.Faults{})
	h.work(t)
	if j := h.ended(t, id); j.State != jobs.Completed || j.Attempt != 2 || !result(t, j).Success {
		t.Errorf("%+v with result %s", j, j.Result)
	}
}

// Ensure a collection writes down every dongle as it is.
func TestCollect(t *testing.T) {
	t.Parallel()
	h := setupHost(t)
	h.work(t)
	if j := h.ended(t, h.accept(t, jobs.Request{Draft: tasks.NewCollect("h1", time.Minute, time.Time{})})); j.State != jobs.Completed || j.Error != "" {
		t.Errorf("%+v", j)
	}
	d, known, last := h.dongle(t)
	if !known || !d.Connected || *d.ExternalIP != h.modem.Address().String() || d.Signal == nil || d.Collected.IsZero() || !last.IsZero() {
		t.Errorf("the registry has %+v, toggled at %v", d, last)
	}
	// One that is cut short concludes nothing.
	ctx, cancel := context.WithCancelCause(h.ctx)
	cancel(jobs.ErrCancelAsked)
	j := &worker.HostJobs{Host: h.host, Registry: h.registry, Now: h.store.Now, Log: discard}
	if err := func() error { _, err := j.CollectWithin(ctx, 0); return err }(); err == nil {
		t.Error("it was cut short and says nothing")
	}
	if again, _, _ := h.dongle(t); !again.Connected || !again.Collected.Equal(d.Collected) {
		t.Errorf("the registry has %+v", again)
	}
	// And one that can't be written down says so.
	closed := redis.NewClient(h.redis())
	must(t, closed.Close())
	j.Registry = hosts.New(closed, time.Minute)
	if err := func() error { _, err := j.CollectWithin(h.ctx, 0); return err }(); err == nil {
		t.Error("it could not be written down and says nothing")
	}
}
