package worker_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/configs"
	"switchyard/delivery"
	"switchyard/events"
	"switchyard/jobs"
	"switchyard/tasks"
	"switchyard/worker"
)

// Ensure a message to somebody else's service waits as long as that asks for, is given up
// where it is refused for good, and that each try is told, without what is secret of the
// address.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var asked atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/gone":
			w.WriteHeader(http.StatusNotFound)
		case asked.Add(1) == 1:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(service.Close)
	sender, err := delivery.NewSender(delivery.SenderOptions{Allow: []string{"127.0.0.0/8"}})
	must(t, err)
	t.Cleanup(sender.Close)
	c := configs.Default()
	publisher := events.NewPublisher(b.rdb, discard)
	ctx, cancel := context.WithCancel(b.ctx)
	done := make(chan struct{})
	go func() { defer close(done); publisher.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	h := &worker.Callbacks{Deliverer: delivery.NewDeliverer(sender, func() configs.Callbacks { return c.Callbacks }, c.Delivery), Events: publisher}
	b.start(t, nil, soon, func(o *worker.Options) { o.Handlers = map[tasks.Type]worker.Handler{tasks.Callback: h.Handle} })
	send := func(path string) *jobs.Job {
		p := tasks.CallbackPayload{URL: service.URL + path, Kind: tasks.HookKind("discord"), Body: `{"content":"x"}`}
		return b.ended(t, b.accept(t, jobs.Request{Draft: tasks.NewHook(p, "h", time.Minute)}))
	}
	if j := send("/api/webhooks/canary-token"); j.State != jobs.Completed || asked.Load() != 2 {
		t.Errorf("%s after %d requests: %s", j.State, asked.Load(), j.Error)
	}
	if j := send("/gone"); j.State != jobs.Failed || j.Attempt != 1 {
		t.Errorf("%s in attempt %d: %s", j.State, j.Attempt, j.Error)
	}
	var got []string
	b.eventually(t, "three tries are told", func() bool {
		got = nil
		all, err := b.rdb.XRange(b.ctx, events.Deliveries.Stream(), "-", "+").Result()
		for _, m := range all {
			text, _ := m.Values[events.DataField].(string)
			var w events.Webhook
			must(t, json.Unmarshal([]byte(text), &w))
			if strings.Contains(text, "canary") || w.Kind != "discord" || !strings.HasPrefix(w.URL, "http://127.0.0.1:") || !strings.HasSuffix(w.URL, "/…") || w.Code == nil {
				t.Errorf("told %s", text)
			}
			got = append(got, w.Event+" "+w.Status)
		}
		return err == nil && len(got) == 3
	})
	if want := "retrying retrying, sent success, failed failed"; strings.Join(got, ", ") != want {
		t.Errorf("told %q, want %s", got, want)
	}
}
