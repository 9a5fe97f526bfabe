package delivery_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"switchyard/configs"
	"switchyard/delivery"
	"switchyard/sim/receiver"
	"switchyard/tasks"
)

func secret(name string) configs.Secret {
	return configs.NewSecret("whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(name+" ", 8))))
}

func newDeliverer(t *testing.T, c configs.Callbacks, d configs.Delivery) *delivery.Deliverer {
	t.Helper()
	s, err := delivery.NewSender(delivery.SenderOptions{Allow: d.Allow, MaxResponse: d.MaxResponse})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if d.LongestWait == 0 {
		d.LongestWait = configs.Default().Delivery.LongestWait
	}
	return delivery.NewDeliverer(s, func() configs.Callbacks { return c }, d)
}

func newReceiver(t *testing.T) *receiver.Receiver {
	t.Helper()
	r, err := receiver.Start(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// within bounds a test's waiting.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// Ensure a callback goes to the URL that its receiver has now, as it stands,
// under its id, and that what is shown of it is the host alone.
func TestDeliverer_Deliver(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	c := receivers()
	c.Toggle[1].StartURL = r.URL() + "/dev/toggle/start?key=s3cr3t"
	c.Toggle[1].ResultURL = r.URL() + "/dev/toggle/result"
	d := newDeliverer(t, c, configs.Delivery{PerDestination: 1, Allow: []string{"127.0.0.0/8"}})
	for i, p := range []tasks.CallbackPayload{
		{Receiver: "toggle/dev/start", Kind: "toggle/start", Body: startBody},
		{Receiver: "toggle/dev/result", Kind: "toggle/result", Body: resultBody},
		{URL: r.URL() + "/hook", Kind: "toggle/result", Body: resultBody + "\n"},
	} {
		id := fmt.Sprintf("j_%d", i)
		try := d.Deliver(within(t), id, p)
		if !try.Delivered() || try.Final() || try.URLHost != strings.TrimPrefix(r.URL(), "http://") {
			t.Errorf("%+v: %+v", p, try)
		}
		got := r.Received()
		if len(got) != i+1 || got[i].Body != p.Body || got[i].Headers["Webhook-Id"] != id || got[i].Fault != "" {
			t.Fatalf("received %+v", got)
		}
	}
	if paths := r.Received(); paths[0].Path != "/dev/toggle/start" || paths[1].Path != "/dev/toggle/result" || paths[2].Path != "/hook" {
		t.Errorf("received at %s, %s, %s", paths[0].Path, paths[1].Path, paths[2].Path)
	}
}

// Ensure a delivery to a receiver that is no longer configured, or doesn't want
// this any more, ends for good, and says so by the receiver's name.
func TestDeliverer_receiverGone(t *testing.T) {
	t.Parallel()
	d := newDeliverer(t, receivers(), configs.Delivery{PerDestination: 1})
	for _, name := range []string{"toggle/gone/start", "toggle/late/start", "toggle/early/result", "toggle/main", "push/main"} {
		p := tasks.CallbackPayload{Receiver: name, Kind: "toggle/start", Body: "{}"}
		leave, ok := d.Enter(p)
		if !ok {
			t.Fatalf("%s: no place", name)
		}
		try := d.Deliver(within(t), "j_1", p)
		leave()
		if try.Delivered() || !try.Final() || !strings.Contains(try.Error, "no longer configured") && !strings.HasPrefix(try.Error, "Invalid URL") || try.URLHost != "" {
			t.Errorf("%s: %+v", name, try)
		}
		if err := try.Err(); err == nil || err.Error() != try.Error {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ensure each host is signed for with its own secret, whatever the port and
// the case, the others with the common one, and nobody where there is none.
func TestDeliverer_secrets(t *testing.T) {
	t.Parallel()
	own, common := secret("own"), secret("common")
	for _, tt := range []struct {
		name    string
		common  configs.Secret
		own     map[string]configs.Secret
		host    string           // of the URL
		secrets []configs.Secret // of which the first signs, the others don't
	}{
		{"the common one", common, nil, "127.0.0.1", []configs.Secret{common, own}},
		{"the host's own", common, map[string]configs.Secret{"127.0.0.1": own}, "127.0.0.1", []configs.Secret{own, common}},
		{"another host's", common, map[string]configs.Secret{"127.0.0.2": own}, "127.0.0.1", []configs.Secret{common, own}},
		{"in another case", common, map[string]configs.Secret{"localhost": own}, "LocalHost", []configs.Secret{own, common}},
		{"a part of the name", common, map[string]configs.Secret{"host": own}, "localhost", []configs.Secret{common, own}},
		{"own without a common one", configs.Secret{}, map[string]configs.Secret{"127.0.0.1": own}, "127.0.0.1", []configs.Secret{own}},
		{"none", configs.Secret{}, map[string]configs.Secret{"localhost": own}, "127.0.0.1", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			c := configs.Callbacks{Timeout: configs.Duration(5 * time.Second), Secret: tt.common, Secrets: tt.own}
			d := newDeliverer(t, c, configs.Delivery{PerDestination: 1, Allow: []string{"127.0.0.0/8", "::1"}})
			p := tasks.CallbackPayload{URL: strings.Replace(r.URL(), "127.0.0.1", tt.host, 1) + "/hook", Body: resultBody}
			if try := d.Deliver(within(t), "j_1", p); !try.Delivered() {
				t.Fatalf("%+v", try)
			}
			got := r.Received()[0]
			h := http.Header{}
			for k, v := range got.Headers {
				h.Set(k, v)
			}
			if tt.secrets == nil && got.Headers["Webhook-Signature"] != "" {
				t.Error("it is signed")
			}
			for i, s := range tt.secrets {
				w, err := standardwebhooks.NewWebhook(s.Reveal())
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Verify([]byte(got.Body), h); (err == nil) != (i == 0) {
					t.Errorf("secret %d: %v", i, err)
				}
			}
		})
	}
}

// Ensure one destination has only so many deliveries under way, that they are
// counted by host and port, and that a place is free once it is left.
func TestDeliverer_Enter(t *testing.T) {
	t.Parallel()
	d := newDeliverer(t, receivers(), configs.Delivery{PerDestination: 2})
	start := tasks.CallbackPayload{Receiver: "toggle/main/start"}
	enter := func(p tasks.CallbackPayload, want bool) func() {
		t.Helper()
		leave, ok := d.Enter(p)
		if ok != want || (leave != nil) != want {
			t.Errorf("%+v has a place: %v, want %v", p, ok, want)
		}
		return leave
	}
	first := enter(start, true)
	second := enter(tasks.CallbackPayload{URL: "https://MAIN.example/another?path"}, true)
	enter(tasks.CallbackPayload{Receiver: "toggle/main/result"}, false)
	enter(tasks.CallbackPayload{Receiver: "toggle/dev/result"}, true)
	enter(tasks.CallbackPayload{URL: "https://main.example:8443/"}, true)
	first()
	third := enter(start, true)
	enter(start, false)
	second()
	third()
	enter(start, true)
	enter(start, true)
	enter(start, false)
	if d.BusyPause <= 0 {
		t.Errorf("a delivery without a place comes again after %v", d.BusyPause)
	}
}

// Ensure those who find no place wait the longer the more of them there are in
// front of one destination, up to a minute, and no longer than at first once
// the crowd has gone; others don't notice.
func TestDeliverer_WaitPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDeliverer(t, receivers(), configs.Delivery{PerDestination: 4})
		d.BusyPause = time.Second
		main, other := tasks.CallbackPayload{Receiver: "toggle/main/start"}, tasks.CallbackPayload{Receiver: "toggle/dev/start"}
		// crowd has n come within a moment and returns what the last one is told,
		// at the end of the pause.
		crowd := func(n int) time.Duration {
			for range n {
				d.WaitPause(main)
			}
			time.Sleep(d.WaitPause(main))
			return d.WaitPause(main)
		}
		if got := d.WaitPause(main); got != time.Second {
			t.Errorf("the first one waits %v", got)
		}
		few, many, most := crowd(10), crowd(100), crowd(10_000)
		if few < time.Second || many <= few || most != time.Minute {
			t.Errorf("few wait %v, many %v, very many %v", few, many, most)
		}
		if got := d.WaitPause(other); got != time.Second {
			t.Errorf("another destination's wait %v", got)
		}
		crowd(0)
		if got := crowd(0); got != time.Second {
			t.Errorf("when the crowd has gone one waits %v", got)
		}
	})
}

// Ensure the pause between two tries doubles up to its limit, with up to a
// tenth more, unless the receiver asks for another.
func TestDeliverer_Pause(t *testing.T) {
	t.Parallel()
	d := newDeliverer(t, receivers(), configs.Delivery{PerDestination: 1})
	for tries, want := range map[int]time.Duration{
		0: 2 * time.Second, 1: 4 * time.Second, 2: 8 * time.Second, 6: 128 * time.Second, 8: 512 * time.Second,
		9: 10 * time.Minute, 10: 10 * time.Minute, 49: 10 * time.Minute, 1000: 10 * time.Minute,
	} {
		differ := map[time.Duration]bool{}
		for range 200 {
			got := d.Pause(tries, delivery.Attempt{Status: 500})
			if got < want || got > want+want/10 {
				t.Fatalf("after %d tries: %v, want %v and up to a tenth more", tries, got, want)
			}
			differ[got] = true
		}
		if len(differ) < 2 {
			t.Errorf("after %d tries: always %v", tries, want)
		}
	}
	asked := func(status int, value string) delivery.Attempt {
		return delivery.Attempt{Status: status, ResponseHeaders: map[string]string{"Retry-After": value}}
	}
	for _, tt := range []struct {
		a    delivery.Attempt
		want time.Duration
	}{
		{asked(http.StatusTooManyRequests, "1"), time.Second},
		{asked(http.StatusServiceUnavailable, "1800"), 30 * time.Minute},
		{asked(http.StatusServiceUnavailable, "999999"), time.Hour},
	} {
		if got := d.Pause(5, tt.a); got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.a, got, tt.want)
		}
	}
	for _, a := range []delivery.Attempt{asked(http.StatusInternalServerError, "1"), asked(http.StatusServiceUnavailable, "0"), asked(http.StatusServiceUnavailable, "soon")} {
		if got := d.Pause(0, a); got < 2*time.Second || got > 2200*time.Millisecond {
			t.Errorf("%+v: %v, want two seconds", a, got)
		}
	}
}

// Ensure a URL from a request doesn't reach this machine unless that is
// allowed, while one of the configuration does.
func TestDeliverer_guard(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	c := receivers()
	c.Toggle[0].ResultURL = r.URL() + "/toggle/result"
	given := tasks.CallbackPayload{URL: r.URL() + "/hook", Body: resultBody}
	for _, tt := range []struct {
		name  string
		allow []string
		p     tasks.CallbackPayload
		want  bool
	}{
		{"given", nil, given, false},
		{"given, allowed", []string{"127.0.0.1"}, given, true},
		{"configured", nil, tasks.CallbackPayload{Receiver: "toggle/main/result", Body: resultBody}, true},
	} {
		try := newDeliverer(t, c, configs.Delivery{PerDestination: 1, Allow: tt.allow}).Deliver(within(t), "j_1", tt.p)
		if try.Delivered() != tt.want || try.Final() == tt.want || !tt.want && try.Error != "address not allowed: 127.0.0.1" {
			t.Errorf("%s: %+v", tt.name, try)
		}
	}
	if n := len(r.Received()); n != 2 {
		t.Errorf("%d received, want 2", n)
	}
}
