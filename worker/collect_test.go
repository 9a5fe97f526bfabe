package worker_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/configs"
	"switchyard/hardware"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/sim/hilink"
	"switchyard/tasks"
	"switchyard/worker"
)

// Ensure a reading that was under way when a toggle ended doesn't undo what the
// toggle has told of the dongle: its probe may have gone out when the dongle had
// no network. The next reading counts again.
func TestCollect_whileAToggleEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// The first probe hangs, and then fails; each other one brings a new address.
	var probes atomic.Int64
	hangs, fail := make(chan struct{}), make(chan struct{})
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := probes.Add(1)
		if n == 1 {
			close(hangs)
			<-fail
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprintf(w, "203.0.113.%d", n%250+1)
	}))
	t.Cleanup(gateway.Close)
	failed := sync.OnceFunc(func() { close(fail) })
	t.Cleanup(failed)
	m := hilink.New(hilink.Options{Subnet: 16, Reattach: 40 * time.Millisecond})
	must(t, m.Start(b.ctx))
	t.Cleanup(m.Close)
	c := configs.Default()
	c.Host.Name, c.Host.ServerIP, c.Host.StateDir, c.Host.EchoURLs = "h1", "198.51.100.7", t.TempDir(), []string{"http://ip.example/"}
	c.Host.Dongles = []configs.Dongle{{Subnet: 16, Modem: m.URL(), Gateway: strings.TrimPrefix(gateway.URL, "http://")}}
	c.Host.ProbeTimeout, c.Toggle.PollInterval = configs.Duration(30*time.Second), configs.Duration(10*time.Millisecond)
	host, err := hardware.NewHost(c)
	must(t, err)
	t.Cleanup(host.Close)
	registry := hosts.New(b.rdb, time.Minute)
	h := &worker.HostJobs{Host: host, Registry: registry, Now: b.store.Now, Log: discard}
	b.start(t, nil, func(o *worker.Options) {
		o.Queues = []worker.Queue{{Name: tasks.HostQueue("h1"), Concurrency: 1}}
		o.Handlers = map[tasks.Type]worker.Handler{tasks.Toggle: h.Toggle}
	})
	known := func() hosts.Dongle {
		t.Helper()
		st, err := registry.State(b.ctx, "h1")
		must(t, err)
		return st.Dongles[16]
	}

	read := make(chan error, 1)
	go func() { _, err := h.CollectWithin(b.ctx, 0); read <- err }()
	b.until(t, "the reading probes", hangs)
	r := result(t, b.ended(t, b.accept(t, jobs.Request{
		Draft: tasks.NewToggle(tasks.TogglePayload{Host: "h1", ServerIP: "198.51.100.7", Subnet: 16}, time.Minute, time.Time{}),
	})))
	if !r.Success {
		t.Fatalf("the toggle came to %+v", r)
	}
	failed()
	must(t, <-read)
	if d := known(); !d.Connected || d.ExternalIP == nil || *d.ExternalIP != *r.IP {
		t.Errorf("the toggle brought %s, and %+v is known", *r.IP, d)
	}
	_, err = h.CollectWithin(b.ctx, 0)
	must(t, err)
	if d := known(); !d.Connected || *d.ExternalIP == *r.IP {
		t.Errorf("after another reading %+v is known", d)
	}
}
