package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Ensure what can't have arrived is told from what may have, no address gets into an
// error, and a broken answer keeps its status.
func TestDo(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/drop" {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("half"))
	}))
	t.Cleanup(broken.Close)
	s := wire.NewSender(nil, 5*time.Second)
	t.Cleanup(s.Close)
	for name, tt := range map[string]struct {
		target    string
		sent, cut bool
	}{
		"nobody listens": {gone.URL + "/secret", false, false},
		"no URL":         {"http://[secret", false, false},
		"dropped":        {broken.URL + "/drop", true, false},
		"cut":            {broken.URL + "/cut", true, true},
	} {
		a, err := s.Do(t.Context(), http.MethodPost, tt.target, nil, "x")
		f, ok := errors.AsType[*wire.BrokenError](err)
		if !ok || f.Sent != tt.sent || f.Cut != tt.cut || tt.cut && a.Status != http.StatusTeapot {
			t.Errorf("%s: %+v, %+v", name, a, err)
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "http://") {
			t.Errorf("%s: the address is in %v", name, err)
		}
	}
}

// Ensure the time is asked for once in a while, and at once when it is mistrusted.
func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c wire.Clock
		asked := 0
		ask := func(context.Context) (time.Time, error) { asked++; return time.Now().Add(time.Hour), nil }
		for i, tt := range []struct {
			pass     time.Duration
			mistrust bool
			want     int
		}{{0, false, 1}, {29 * time.Minute, false, 1}, {2 * time.Minute, false, 2}, {0, true, 3}} {
			time.Sleep(tt.pass) // of the bubble's clock
			if tt.mistrust {
				c.Mistrust()
			}
			got, err := c.Now(t.Context(), ask)
			if err != nil || time.Until(got) != time.Hour || asked != tt.want {
				t.Errorf("%d: in %s, asked %d times, %v", i, time.Until(got), asked, err)
			}
		}
		if got := c.Until(time.Now().Add(time.Hour + time.Minute)); got != time.Minute {
			t.Errorf("until a minute from now: %s", got)
		}
		no := errors.New("no")
		c.Mistrust()
		if _, err := c.Now(t.Context(), func(context.Context) (time.Time, error) { return time.Time{}, no }); !errors.Is(err, no) {
			t.Errorf("%v", err)
		}
	})
}

// Ensure an order is asked for until it is as expected or the time is over, through what
// passes, and no longer after what doesn't.
func TestWatch(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answers []error // nil: seen
		want    int
		seen    bool
		asked   int
	}{
		"at once":            {[]error{nil}, 1, true, 1},
		"seen late":          {[]error{exchange.ErrNotFound, exchange.ErrUnavailable, nil}, 3, true, 3},
		"asked too often":    {[]error{exchange.ErrNotFound, exchange.ErrRate, nil}, 0, false, 2},
		"never":              {[]error{exchange.ErrNotFound}, 0, false, 8},
		"never as it should": {[]error{nil}, 0, true, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				last, seen := wire.Watch(t.Context(), 2*time.Second, func(context.Context) (int, error) {
					err := tt.answers[min(asked, len(tt.answers)-1)]
					asked++
					return asked, err
				}, func(n int) bool { return tt.want != 0 && n >= tt.want })
				if seen != tt.seen || tt.want != 0 && last != tt.want || asked < tt.asked || asked > tt.asked+3 {
					t.Errorf("%d, %v after %d questions", last, seen, asked)
				}
			})
		})
	}
}

// Ensure words of others are shortened, and nothing secret is in them.
func TestWords(t *testing.T) {
	t.Parallel()
	got := wire.Words("key abc, "+strings.Repeat("ü", 400), "abc", "")
	if strings.Contains(got, "abc") || len(got) > 310 || !strings.HasSuffix(got, "…") || strings.Contains(got, "\uFFFD") {
		t.Errorf("%q", got)
	}
}

// Ensure a number is read as text or number, or refused, whatever it is.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{`"1.5"`, `1.5`, `""`, `null`, `"1e9"`, `1e400`, `{}`, `"-0.00"`, `"--1"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var n wire.Number
		var text wire.Text
		if err := json.Unmarshal([]byte(s), &n); err == nil && len(n.String()) > 200 {
			t.Errorf("%q: a number of %d characters", s, len(n.String()))
		}
		if err := json.Unmarshal([]byte(s), &text); err == nil {
			_ = text.Millis() // only has to come back
		}
	})
}
