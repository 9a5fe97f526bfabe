package delivery

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Ensure every HTTP status ends an attempt the way the contract says, and that
// no Location is ever followed.
func TestSender_Send_EveryStatus(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := receiver(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	srv := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		w.Header().Set("Location", other.URL+"/elsewhere")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
	})

	bothWays(t, func(t *testing.T, trusted bool) {
		s := newSender(t, SenderOptions{Allow: loopback})
		for status := 200; status <= 599; status++ {
			a := s.Send(t.Context(), message(fmt.Sprintf("%s/%d", srv.URL, status), trusted))
			if a.Status != status || !a.Sent() {
				t.Fatalf("%d: got %+v", status, a)
			}
			if got, want := a.Delivered(), status <= 299; got != want {
				t.Errorf("%d: Delivered() = %v", status, got)
			}
			if (a.Error == "") != a.Delivered() || (a.Code == "") != a.Delivered() {
				t.Errorf("%d: error %q, code %q", status, a.Error, a.Code)
			}
			if got, want := a.Final(), status == 410; got != want {
				t.Errorf("%d: Final() = %v", status, got)
			}
			want := time.Duration(0)
			if status == 429 || status == 503 {
				want = 7 * time.Second
			}
			if got := a.RetryAfter(); got != want {
				t.Errorf("%d: RetryAfter() = %v, want %v", status, got, want)
			}
		}
	})
	t.Cleanup(func() {
		if n := elsewhere.Load(); n != 0 {
			t.Errorf("redirects were followed %d times", n)
		}
	})
}

// Ensure statuses are put into words.
func TestSender_Send_StatusWords(t *testing.T) {
	t.Parallel()
	srv := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		w.WriteHeader(status)
	})
	s := newSender(t, SenderOptions{})
	for status, want := range map[int]string{
		200: "", 201: "", 202: "", 203: "", 204: "", 205: "", 206: "", 207: "", 208: "", 226: "", 299: "",
		300: "HTTP 300 Multiple Choices",
		301: "Redirect not followed (301)",
		302: "Redirect not followed (302)",
		303: "Redirect not followed (303)",
		304: "HTTP 304 Not Modified",
		307: "Redirect not followed (307)",
		308: "Redirect not followed (308)",
		400: "HTTP 400 Bad Request",
		401: "HTTP 401 Unauthorized",
		404: "HTTP 404 Not Found",
		410: "HTTP 410 Gone",
		429: "HTTP 429 Too Many Requests",
		500: "HTTP 500 Internal Server Error",
		503: "HTTP 503 Service Unavailable",
		599: "HTTP 599",
	} {
		if got := s.Send(t.Context(), message(fmt.Sprintf("%s/%d", srv.URL, status), true)).Error; got != want {
			t.Errorf("%d: error %q, want %q", status, got, want)
		}
	}
}

// Ensure a redirect whose Location is no URL is recorded like any other.
func TestSender_Send_BrokenLocation(t *testing.T) {
	t.Parallel()
	for _, location := range []string{"", "://", "http://[::1", "%zz"} {
		url := rawReceiver(t, respond("HTTP/1.1 302 Found\r\nLocation: "+location+"\r\nContent-Length: 0\r\n\r\n"))
		a := newSender(t, SenderOptions{}).Send(t.Context(), message(url, true))
		if a.Status != 302 || a.Error != "Redirect not followed (302)" {
			t.Errorf("Location %q: got %+v", location, a)
		}
	}
}

// Ensure informational answers are passed over, and that switching protocols,
// which nobody asked for, is a failure that holds nobody up.
func TestSender_Send_Informational(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, trusted bool) {
		s := newSender(t, SenderOptions{Allow: loopback})
		url := rawReceiver(t, respond("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		if a := s.Send(t.Context(), message(url, trusted)); !a.Delivered() || a.Response != "ok" {
			t.Errorf("after 100 and 103: got %+v", a)
		}
		url = rawReceiver(t, func(conn net.Conn, done <-chan struct{}) {
			respond("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")(conn, done)
			<-done
		})
		if a := s.Send(t.Context(), message(url, trusted)); a.Status != 101 || a.Delivered() || a.Final() {
			t.Errorf("101: got %+v", a)
		}
	})
}

// Ensure Retry-After is understood in both of its forms, and bounded.
func TestAttempt_RetryAfter(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	httpDate := func(after time.Duration) string { return at.Add(after).Format(http.TimeFormat) }
	for _, tt := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"120", "", 2 * time.Minute},
		{"3600", "", time.Hour},
		{"3601", "", time.Hour},
		{"18446744073709551615", "", time.Hour},
		{"99999999999999999999999", "", time.Hour},
		{"-5", "", 0},
		{"1.5", "", 0},
		{"soon", "", 0},
		{"5, 7", "", 0},
		{httpDate(90 * time.Second), "", 89 * time.Second}, // the attempt itself took one
		{httpDate(-time.Minute), "", 0},
		{httpDate(48 * time.Hour), "", time.Hour},
		{httpDate(11 * time.Minute), httpDate(10 * time.Minute), time.Minute}, // its clock is ahead
	} {
		a := Attempt{
			At: at, Status: 503, DurationMS: 1000,
			ResponseHeaders: map[string]string{"Retry-After": tt.value, "Date": tt.date},
		}
		if got := a.RetryAfter(); got != tt.want {
			t.Errorf("Retry-After %q, Date %q: got %v, want %v", tt.value, tt.date, got, tt.want)
		}
	}
}

// Ensure a record means the same after it was stored.
func TestAttempt_JSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for _, tt := range []struct {
		attempt Attempt
		want    string
	}{
		{
			Attempt{At: at, Status: 200, DurationMS: 12, Response: "ok", ResponseHeaders: map[string]string{"Date": "x"}},
			`{"at":"2026-01-02T03:04:05.678Z","status":200,"duration_ms":12,"response":"ok","response_headers":{"Date":"x"}}`,
		},
		{
			Attempt{At: at, Error: "address not allowed: 127.0.0.1", Code: CodeAddress},
			`{"at":"2026-01-02T03:04:05.678Z","status":0,"duration_ms":0,"response":"","error":"address not allowed: 127.0.0.1","code":"address_not_allowed"}`,
		},
	} {
		got, err := json.Marshal(tt.attempt)
		if err != nil || string(got) != tt.want {
			t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
		}
		var back Attempt
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.attempt, back); diff != "" {
			t.Errorf("after a round trip (-want +got):\n%s", diff)
		}
		if back.Final() != tt.attempt.Final() || back.Sent() != tt.attempt.Sent() {
			t.Errorf("a stored record means something else: %+v", back)
		}
	}
}
