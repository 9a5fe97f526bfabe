package receiver_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/sim/receiver"
)

// within bounds a test's waiting.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func started(t *testing.T) *receiver.Receiver {
	t.Helper()
	r, err := receiver.Start(within(t), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return r
}

// client keeps no connection behind.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// send makes one request; status 0 where no answer came.
func send(ctx context.Context, t *testing.T, method, url, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Webhook-Id", "j_1")
	res, err := client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// Ensure what is posted is kept byte for byte, in its order, with headers and
// what is wrong with it, and listed as JSON.
func TestReceiver(t *testing.T) {
	t.Parallel()
	ctx, r := within(t), started(t)
	if _, list := send(ctx, t, http.MethodGet, r.URL()+"/_received", ""); strings.TrimSpace(list) != "[]" {
		t.Errorf("before anything: %s", list)
	}
	odd := start[:len(start)-1] + " , \"x\":\"\\u00e9é\"}"
	if status, answer := send(ctx, t, http.MethodPost, r.URL()+"/toggle/start", odd); status != http.StatusOK || answer != `{"status":"received"}` {
		t.Errorf("it answered %d %s", status, answer)
	}
	send(ctx, t, http.MethodPost, r.URL()+"/toggle/result?x=1", success)
	got := r.Received()
	if len(got) != 2 || got[0].Body != odd || got[0].Path != "/toggle/start" || got[1].Body != success || got[1].Path != "/toggle/result" {
		t.Fatalf("received %+v", got)
	}
	if !strings.Contains(got[0].Fault, `"x"`) || got[1].Fault != "" {
		t.Errorf("faults %q and %q", got[0].Fault, got[1].Fault)
	}
	if got[0].Headers["Webhook-Id"] != "j_1" || got[0].At.IsZero() || got[1].At.Before(got[0].At) {
		t.Errorf("headers %v at %v, then %v", got[0].Headers, got[0].At, got[1].At)
	}
	_, list := send(ctx, t, http.MethodGet, r.URL()+"/_received", "")
	var listed []receiver.Received
	if err := json.Unmarshal([]byte(list), &listed); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, listed); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

// Ensure a receiver answers as it is told to, from then on, and keeps what it
// refused too.
func TestReceiver_Behave(t *testing.T) {
	t.Parallel()
	ctx, r := within(t), started(t)
	for _, status := range []int{http.StatusInternalServerError, http.StatusGone, http.StatusNoContent, 0} {
		r.Behave(receiver.Behaviour{Status: status})
		want := status
		if want == 0 {
			want = http.StatusOK
		}
		if got, _ := send(ctx, t, http.MethodPost, r.URL()+"/hook", "{}"); got != want {
			t.Errorf("status %d, want %d", got, want)
		}
	}
	if n := len(r.Received()); n != 4 {
		t.Errorf("%d received, want 4", n)
	}
	if status, _ := send(ctx, t, http.MethodPut, r.URL()+"/hook", "{}"); status != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", status)
	}
	if status, _ := send(ctx, t, http.MethodPost, r.URL()+"/hook", strings.Repeat("x", 1<<20+1)); status != http.StatusBadRequest {
		t.Errorf("over a mebibyte: %d", status)
	}
	if n := len(r.Received()); n != 4 {
		t.Errorf("%d received, want 4 still", n)
	}
}

// Ensure a behaviour can be limited to one path, and that a late answer comes at
// once when the behaviour is changed.
func TestReceiver_Behave_late(t *testing.T) {
	t.Parallel()
	ctx, r := within(t), started(t)
	r.Behave(receiver.Behaviour{Path: "/start", Status: http.StatusTeapot, After: time.Hour})
	if status, _ := send(ctx, t, http.MethodPost, r.URL()+"/hook", "{}"); status != http.StatusOK {
		t.Errorf("another path: %d", status)
	}
	done := make(chan int, 1)
	go func() {
		status, _ := send(ctx, t, http.MethodPost, r.URL()+"/a/start", "{}")
		done <- status
	}()
	if err := r.WaitFor(ctx, func(all []receiver.Received) bool { return len(all) == 2 }); err != nil {
		t.Fatal(err)
	}
	select {
	case status := <-done:
		t.Fatalf("it answered early, with %d", status)
	default:
	}
	r.Behave(receiver.Behaviour{})
	if status := <-done; status != http.StatusTeapot {
		t.Errorf("it answered with %d", status)
	}
}

// Ensure a receiver that hangs takes the request, answers nothing, and lets go
// when the client gives up, it behaves again, or it is closed.
func TestReceiver_Hang(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(r *receiver.Receiver, giveUp func())
	}{
		{"client gives up", func(_ *receiver.Receiver, giveUp func()) { giveUp() }},
		{"behaves again", func(r *receiver.Receiver, _ func()) { r.Behave(receiver.Behaviour{}) }},
		{"closed", func(r *receiver.Receiver, _ func()) { _ = r.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := started(t)
			r.Behave(receiver.Behaviour{Hang: true})
			ctx, giveUp := context.WithCancel(within(t))
			defer giveUp()
			done := make(chan int, 1)
			go func() {
				status, _ := send(ctx, t, http.MethodPost, r.URL()+"/hook", "{}")
				done <- status
			}()
			if err := r.WaitFor(within(t), func(all []receiver.Received) bool { return len(all) == 1 }); err != nil {
				t.Fatal(err)
			}
			select {
			case status := <-done:
				t.Fatalf("it answered with %d", status)
			default:
			}
			tt.end(r, giveUp)
			if status := <-done; status != 0 {
				t.Errorf("it answered with %d", status)
			}
		})
	}
}

// Ensure waiting ends with its context, and says how much was received.
func TestReceiver_WaitFor(t *testing.T) {
	t.Parallel()
	r := started(t)
	send(within(t), t, http.MethodPost, r.URL()+"/hook", "{}")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := r.WaitFor(ctx, func([]receiver.Received) bool { return false })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 received") {
		t.Errorf("got %v", err)
	}
}

// Ensure two receivers can't have one address.
func TestStart_taken(t *testing.T) {
	t.Parallel()
	r := started(t)
	if other, err := receiver.Start(within(t), strings.TrimPrefix(r.URL(), "http://")); err == nil {
		_ = other.Close()
		t.Error("both listen")
	}
}
