package prices_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/strategy/prices"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const twoDays = "Date,Open,Close\n2024-06-27,1,2\n2024-06-28,2,3\n"

// Ensure a folder finds a symbol's file by any of its names, reads it anew when it has
// changed, and never leaves the folder.
func TestFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"SPY.csv", "qqq.us.txt", "Iwm_us_d.csv", "vgk.us.csv", "EWJ.TXT"} {
		write(t, dir, name, twoDays)
	}
	write(t, filepath.Dir(dir), "outside.csv", twoDays)
	write(t, dir, "bad.csv", "Date,Close\nx,1\n")
	f := prices.NewFolder(dir)
	for _, symbol := range []string{"SPY", "spy", "QQQ", "IWM", "VGK", "ewj"} {
		if s, err := f.Daily(t.Context(), symbol); err != nil || len(s.Bars) != 2 || s.Symbol != symbol {
			t.Errorf("%s: %v, %v", symbol, s, err)
		}
	}
	for _, symbol := range []string{"TLT", "", "../outside", "..", ".", "SPY.csv"} {
		var unknown *prices.UnknownError
		if _, err := f.Daily(t.Context(), symbol); !errors.As(err, &unknown) {
			t.Errorf("%q: %v", symbol, err)
		}
	}
	var format *prices.FormatError
	if _, err := f.Daily(t.Context(), "BAD"); !errors.As(err, &format) || format.Where != "bad.csv" || format.Line != 2 {
		t.Errorf("bad.csv: %v", err)
	}
	first, _ := f.Daily(t.Context(), "SPY")
	if again, _ := f.Daily(t.Context(), "SPY"); again != first {
		t.Error("what has not changed was read again")
	}
	write(t, dir, "SPY.csv", twoDays+"2024-07-01,3,4\n")
	if s, err := f.Daily(t.Context(), "SPY"); err != nil || len(s.Bars) != 3 {
		t.Errorf("after a change: %v, %v", s, err)
	}
	if _, err := prices.NewFolder(filepath.Join(dir, "none")).Daily(t.Context(), "SPY"); !errors.As(err, &format) || !strings.Contains(err.Error(), "strategy.prices.folder") {
		t.Errorf("without the folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Daily(ctx, "SPY"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// server is a server of prices that counts its requests.
type server struct {
	*httptest.Server
	asked  atomic.Int64
	status atomic.Int64
}

func serve(t *testing.T) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		switch {
		case s.status.Load() != 0:
			w.WriteHeader(int(s.status.Load()))
		case r.URL.Path == "/d/NONE.csv":
			w.WriteHeader(http.StatusNotFound)
		case r.URL.Query().Get("key") != "canary-key" || r.URL.Query().Get("s") != strings.ToLower(strings.TrimSuffix(filepath.Base(r.URL.Path), ".csv")):
			w.WriteHeader(http.StatusForbidden)
		default:
			_, _ = w.Write([]byte(twoDays))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// Ensure a server is asked once for a symbol, however many want it, and again when what
// it said is too old, by this process and by the next one.
func TestHTTP(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var now atomic.Int64
	now.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	o := prices.HTTPOptions{
		URL: s.URL + "/d/{symbol}.csv?s={symbol_lower}&key=canary-key", Timeout: 10 * time.Second, Keep: time.Hour, Dir: filepath.Join(t.TempDir(), "cache"),
		Now: func() time.Time { return time.Unix(now.Load(), 0) },
	}
	h := prices.NewHTTP(o)
	t.Cleanup(h.Close)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if x, err := h.Daily(t.Context(), "SPY"); err != nil || len(x.Bars) != 2 {
				t.Errorf("%v, %v", x, err)
			}
		})
	}
	all.Wait()
	if n := s.asked.Load(); n != 1 {
		t.Errorf("%d requests for one symbol", n)
	}
	now.Add(3599)
	next := prices.NewHTTP(o)
	t.Cleanup(next.Close)
	if _, err := next.Daily(t.Context(), "SPY"); err != nil || s.asked.Load() != 1 {
		t.Errorf("the next process: %v, %d requests", err, s.asked.Load())
	}
	now.Add(2)
	if _, err := next.Daily(t.Context(), "SPY"); err != nil || s.asked.Load() != 2 {
		t.Errorf("after an hour: %v, %d requests", err, s.asked.Load())
	}
	if _, err := h.Daily(t.Context(), "SPY"); err != nil || s.asked.Load() != 3 {
		t.Errorf("in memory after an hour: %v, %d requests", err, s.asked.Load())
	}
}

// Ensure who is redirected to isn't told the address that redirects, which may hold a key.
func TestHTTPRedirects(t *testing.T) {
	t.Parallel()
	var referer atomic.Value
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/there":
			referer.Store(r.Header.Get("Referer"))
			_, _ = w.Write([]byte(twoDays))
		case "/LOOP":
			http.Redirect(w, r, "/LOOP?key=canary-key", http.StatusFound)
		default:
			http.Redirect(w, r, "/there", http.StatusFound)
		}
	}))
	t.Cleanup(s.Close)
	h := prices.NewHTTP(prices.HTTPOptions{URL: s.URL + "/{symbol}?key=canary-key", Timeout: 10 * time.Second, Keep: time.Hour})
	t.Cleanup(h.Close)
	if _, err := h.Daily(t.Context(), "SPY"); err != nil || referer.Load() != "" {
		t.Errorf("%v; it was told %v", err, referer.Load())
	}
	var away *prices.UnavailableError
	if _, err := h.Daily(t.Context(), "LOOP"); !errors.As(err, &away) || strings.Contains(err.Error(), "canary") {
		t.Errorf("without end: %v", err)
	}
}

// Ensure each failure says what it is, nothing of the address, and whether it may pass.
func TestHTTPFails(t *testing.T) {
	t.Parallel()
	s := serve(t)
	h := prices.NewHTTP(prices.HTTPOptions{URL: s.URL + "/d/{symbol}.csv?s={symbol_lower}&key=canary-key", Timeout: 10 * time.Second, Keep: time.Hour})
	t.Cleanup(h.Close)
	var (
		unknown *prices.UnknownError
		format  *prices.FormatError
		away    *prices.UnavailableError
	)
	for _, tt := range []struct {
		status int
		symbol string
		as     any
		words  string
	}{
		{0, "NONE", &unknown, "no prices of NONE"},
		{0, "../x", &unknown, "no prices of ../x"},
		{403, "SPY", &format, "403 Forbidden"},
		{429, "SPY", &away, "429 Too Many"},
		{503, "SPY", &away, "503 Service"},
	} {
		s.status.Store(int64(tt.status))
		_, err := h.Daily(t.Context(), tt.symbol)
		if err == nil || !errors.As(err, tt.as) || !strings.Contains(err.Error(), tt.words) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%d %s: %v", tt.status, tt.symbol, err)
		}
	}
	s.Close()
	if _, err := h.Daily(t.Context(), "QQQ"); !errors.As(err, &away) || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("refused: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Daily(ctx, "IWM"); !errors.Is(err, context.Canceled) || errors.As(err, &away) {
		t.Errorf("cancelled: %v", err)
	}
}

// Ensure prices that can't be kept are used all the same, and that somebody hears of it.
func TestHTTPKeepsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t)
	dir := t.TempDir()
	write(t, dir, "file", "")
	var heard error
	h := prices.NewHTTP(prices.HTTPOptions{
		URL: s.URL + "/d/{symbol}.csv?s={symbol_lower}&key=canary-key", Timeout: 10 * time.Second, Keep: time.Hour,
		Dir: filepath.Join(dir, "file", "below"), Warn: func(err error) { heard = err },
	})
	t.Cleanup(h.Close)
	if x, err := h.Daily(t.Context(), "SPY"); err != nil || len(x.Bars) != 2 || heard == nil || !strings.Contains(heard.Error(), "cache_dir") {
		t.Errorf("%v, %v; heard %v", x, err, heard)
	}
}

// Ensure the first of several sources that knows a symbol answers, and a failure isn't
// taken for not knowing it.
func TestFirst(t *testing.T) {
	t.Parallel()
	a, b := t.TempDir(), t.TempDir()
	write(t, a, "SPY.csv", twoDays)
	write(t, a, "bad.csv", "x")
	write(t, b, "SPY.csv", "Date,Close\n2024-06-27,1\n")
	write(t, b, "QQQ.csv", "Date,Close\n2024-06-27,1\n")
	write(t, b, "bad.csv", twoDays)
	f := prices.First{prices.NewFolder(a), prices.NewFolder(b)}
	for symbol, want := range map[string]int{"SPY": 2, "QQQ": 1} {
		if s, err := f.Daily(t.Context(), symbol); err != nil || len(s.Bars) != want {
			t.Errorf("%s: %v, %v", symbol, s, err)
		}
	}
	var format *prices.FormatError
	if _, err := f.Daily(t.Context(), "BAD"); !errors.As(err, &format) {
		t.Errorf("BAD: %v", err)
	}
	var unknown *prices.UnknownError
	if _, err := f.Daily(t.Context(), "TLT"); !errors.As(err, &unknown) || f.Name() != "folder, folder" {
		t.Errorf("TLT: %v", err)
	}
}

// Ensure generated prices are the same on every machine and in every version: they are
// part of what clients see.
func TestGenerator(t *testing.T) {
	t.Parallel()
	sum := func(seed uint64, symbol string) string {
		s, err := prices.Generator{Seed: seed}.Daily(t.Context(), symbol)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		for i, b := range s.Bars {
			if b.Open <= 0 || b.Close <= 0 || i > 0 && (b.Day <= s.Bars[i-1].Day || math.Abs(b.Close/s.Bars[i-1].Close-1) > 0.3) {
				t.Fatalf("%s: bar %d is %+v", symbol, i, b)
			}
			_, _ = fmt.Fprintf(h, "%s %.4f %.4f\n", b.Day, b.Open, b.Close)
		}
		if len(s.Bars) != 5217 || s.Bars[0].Day.String() != "2005-01-03" || s.Bars[5216].Day.String() != "2024-12-31" {
			t.Fatalf("%s: %d days from %s", symbol, len(s.Bars), s.Bars[0].Day)
		}
		return hex.EncodeToString(h.Sum(nil))[:16]
	}
	for symbol, want := range map[string]string{"SPY": "dea2d0fcf57ae8bd", "spy": "dea2d0fcf57ae8bd", "BIL": "71d92e45362d0cb8", "WHATEVER": "224db91033c1afda"} {
		if got := sum(1, symbol); got != want {
			t.Errorf("%s: %s, want %s", symbol, got, want)
		}
	}
	if sum(2, "SPY") == sum(1, "SPY") {
		t.Error("the seed makes no difference")
	}
}
