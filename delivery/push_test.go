package delivery_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"switchyard/configs"
	"switchyard/delivery"
	"switchyard/sim/receiver"
	"switchyard/tasks"
)

func newPusher(t *testing.T, p configs.Push, c configs.Callbacks) *delivery.Pusher {
	t.Helper()
	s, err := delivery.NewSender(delivery.SenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return delivery.NewPusher(s, func() (configs.Push, configs.Callbacks) { return p, c })
}

// Ensure a push reaches every receiver once, signed, whatever the others do: one
// that is dead, one that hangs, one that redirects and one that refuses. Nobody is
// redirected, and nobody tried again.
func TestPusher(t *testing.T) {
	t.Parallel()
	good, slow, elsewhere := newReceiver(t), newReceiver(t), newReceiver(t)
	slow.Behave(receiver.Behaviour{Hang: true})
	redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL()+"/api/proxy", http.StatusTemporaryRedirect))
	t.Cleanup(redirecting.Close)
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, strings.Repeat("no ", 3000), http.StatusServiceUnavailable)
	}))
	t.Cleanup(refusing.Close)
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	own, common := secret("own"), secret("common")
	push := configs.Push{
		Receivers: []configs.PushReceiver{
			{Name: "slow", URL: slow.URL() + "/api/proxy"}, {Name: "dead", URL: dead.URL + "/api/proxy?key=s3cr3t"},
			{Name: "redirecting", URL: redirecting.URL}, {Name: "refusing", URL: refusing.URL}, {Name: "good", URL: good.URL() + "/sync/dongle"},
		},
		ConnectTimeout: configs.Duration(5 * time.Second), Timeout: configs.Duration(5 * time.Second),
	}
	p := newPusher(t, push, configs.Callbacks{Secret: common, Secrets: map[string]configs.Secret{"127.0.0.1": own}})
	outcomes := make(chan []tasks.PushOutcome, 1)
	ctx := within(t)
	go func() { outcomes <- p.Push(ctx, "j_1", []byte(`{"status":"ready"}`)) }()
	// The good one has it while the slow one is still being waited for.
	for _, r := range []*receiver.Receiver{good, slow} {
		if err := r.WaitFor(ctx, func(all []receiver.Received) bool { return len(all) == 1 }); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case all := <-outcomes:
		t.Fatalf("nobody was waited for: %+v", all)
	default:
	}
	slow.Behave(receiver.Behaviour{})
	all := <-outcomes
	if len(all) != len(push.Receivers) {
		t.Fatalf("%+v", all)
	}
	for i, want := range []struct {
		code   string
		status int
	}{{"closed", 0}, {"connect", 0}, {"redirect", 307}, {"http_status", 503}, {"", 200}} {
		o := all[i]
		if o.Receiver != push.Receivers[i].Name || o.Code != want.code || o.Status != want.status || o.OK != (want.code == "") || o.OK != (o.Error == "") || o.Attempt != 1 || o.At.IsZero() {
			t.Errorf("%d: %+v", i, o)
		}
		if !strings.HasPrefix(o.URLHost, "127.0.0.1:") || strings.Contains(o.URLHost+o.Error+o.Response, "s3cr3t") {
			t.Errorf("%d shows %q, %q", i, o.URLHost, o.Error)
		}
	}
	if o := all[3]; len(o.Response) > 4096 || !o.Truncated || !strings.HasPrefix(o.Response, "no no") {
		t.Errorf("kept of the answer: %d bytes, truncated %v", len(o.Response), o.Truncated)
	}
	if n := len(elsewhere.Received()); n != 0 {
		t.Error("it was redirected")
	}
	if n := len(slow.Received()); n != 1 {
		t.Errorf("the slow one got it %d times", n)
	}
	got := good.Received()[0]
	h := http.Header{}
	for k, v := range got.Headers {
		h.Set(k, v)
	}
	w, err := standardwebhooks.NewWebhook(own.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Verify([]byte(got.Body), h); err != nil || got.Body != `{"status":"ready"}` || h.Get("Webhook-Id") != "j_1" || h.Get("Content-Type") != "application/json" {
		t.Errorf("received %+v: %v", got, err)
	}
}

// Ensure a receiver that never answers is given up after its time, and one that
// can't be connected to after the shorter one; and that without receivers nothing
// is posted.
func TestPusher_limits(t *testing.T) {
	t.Parallel()
	slow := newReceiver(t)
	slow.Behave(receiver.Behaviour{Hang: true})
	push := configs.Push{
		Receivers:      []configs.PushReceiver{{Name: "slow", URL: slow.URL() + "/api/proxy"}},
		ConnectTimeout: configs.Duration(time.Second), Timeout: configs.Duration(30 * time.Millisecond),
	}
	all := newPusher(t, push, configs.Callbacks{}).Push(within(t), "j_1", []byte(`{}`))
	if len(all) != 1 || all[0].OK || all[0].Code != "timeout" || all[0].Error != "Timed out after 30ms" {
		t.Errorf("%+v", all)
	}
	if all := newPusher(t, configs.Push{}, configs.Callbacks{}).Push(within(t), "j_1", []byte(`{}`)); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}
