package prices

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// HTTPOptions of an HTTP source.
type HTTPOptions struct {
	// URL has {symbol} in it, or {symbol_lower}, which is the symbol in small letters.
	// It may hold a key: nothing of it is ever told.
	URL string
	// Timeout of one request.
	Timeout time.Duration
	// Keep is how long what was fetched is used.
	Keep time.Duration
	// Dir holds what was fetched, for the next process too; empty: it is kept in memory
	// alone.
	Dir string
	// Warn hears of what could not be kept in Dir: it is used all the same. Optional.
	Warn func(error)
	// UserAgent of the requests.
	UserAgent string
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// HTTP is a Source: a server that has a CSV file for each symbol. What it fetched is
// kept for a while; several who ask for one symbol at once make one request. It is safe
// for concurrent use.
type HTTP struct {
	opt    HTTPOptions
	client *http.Client

	mu      sync.Mutex
	symbols map[string]*fetched
}

// fetched is what is known of one symbol. Its mutex is held while it is fetched.
type fetched struct {
	turn   chan struct{} // of who fetches
	series *Series
	at     time.Time
}

// NewHTTP returns the source.
func NewHTTP(o HTTPOptions) *HTTP {
	if o.Now == nil {
		o.Now = time.Now
	}
	// One of its own, for Close.
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: o.Timeout, IdleConnTimeout: idle}
	return &HTTP{opt: o, client: &http.Client{Transport: transport, Timeout: o.Timeout, CheckRedirect: quietly}, symbols: map[string]*fetched{}}
}

// idle is how long a connection is kept that nobody uses.
const idle = 90 * time.Second

// maxRedirects is how many are followed for one file.
const maxRedirects = 5

// quietly follows redirects without telling where it comes from, which may hold a key.
func quietly(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("their server redirects without end")
	}
	req.Header.Del("Referer")
	return nil
}

// maxSymbols is how many series are kept in memory.
const maxSymbols = 512

// of is what is known of a symbol. Where that are too many, one that nobody fetches is
// forgotten.
func (h *HTTP) of(symbol string) *fetched {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.symbols[symbol]
	if f == nil {
		f = &fetched{turn: make(chan struct{}, 1)}
		for other, o := range h.symbols {
			if len(h.symbols) < maxSymbols {
				break
			}
			if len(o.turn) == 0 {
				delete(h.symbols, other)
			}
		}
		h.symbols[symbol] = f
	}
	return f
}

// Name implements Source.
func (h *HTTP) Name() string { return "http" }

// Close gives up the connections that are kept.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }

// Daily implements Source.
func (h *HTTP) Daily(ctx context.Context, symbol string) (*Series, error) {
	if symbol == "" || strings.ContainsAny(symbol, `/\`) || strings.HasPrefix(symbol, ".") {
		return nil, &UnknownError{Symbol: symbol, Where: "the source of prices"}
	}
	f := h.of(symbol)
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if f.series == nil {
		f.series, f.at = h.stored(symbol)
	}
	if f.series != nil && h.opt.Now().Sub(f.at) < h.opt.Keep {
		return f.series, nil
	}
	body, err := h.fetch(ctx, symbol)
	if err != nil {
		return nil, err
	}
	s, err := ParseCSV(symbol, symbol, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	f.series, f.at = s, h.opt.Now()
	if err := h.store(symbol, body); err != nil && h.opt.Warn != nil {
		h.opt.Warn(fmt.Errorf("keeping the prices of %s (strategy.prices.cache_dir): %w", symbol, err))
	}
	return s, nil
}

func (h *HTTP) fetch(ctx context.Context, symbol string) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if told := (*url.Error)(nil); errors.As(err, &told) {
			err = told.Err // without the address, which may hold a key
		}
		return nil, &UnavailableError{Symbol: symbol, Err: err}
	}
	address := strings.NewReplacer("{symbol}", url.PathEscape(symbol), "{symbol_lower}", url.PathEscape(strings.ToLower(symbol))).Replace(h.opt.URL)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fail(errors.New("the address is not valid (strategy.prices.url)"))
	}
	req.Header.Set("User-Agent", h.opt.UserAgent)
	req.Header.Set("Accept", "text/csv, text/plain;q=0.9, */*;q=0.5")
	resp, err := h.client.Do(req)
	if err != nil {
		return fail(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusGone:
		return nil, &UnknownError{Symbol: symbol, Where: "the source of prices (strategy.prices.url)"}
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= http.StatusInternalServerError:
		return fail(fmt.Errorf("their server answers %s", resp.Status))
	case resp.StatusCode != http.StatusOK:
		return nil, &FormatError{Where: symbol, Reason: "their server answers " + resp.Status}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxCSV+1))
	if err != nil {
		return fail(err)
	}
	return body, nil
}

func (h *HTTP) file(symbol string) string { return filepath.Join(h.opt.Dir, symbol+".csv") }

// stored is what an earlier process fetched. A file that can't be read is as none.
func (h *HTTP) stored(symbol string) (*Series, time.Time) {
	if h.opt.Dir == "" {
		return nil, time.Time{}
	}
	f, err := os.Open(h.file(symbol))
	if err != nil {
		return nil, time.Time{}
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}
	}
	s, err := ParseCSV(symbol, symbol, f)
	if err != nil {
		return nil, time.Time{}
	}
	return s, info.ModTime()
}

// store keeps what was fetched, as a whole or not at all.
func (h *HTTP) store(symbol string, body []byte) error {
	if h.opt.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(h.opt.Dir, 0o750); err != nil {
		return err
	}
	f, err := os.CreateTemp(h.opt.Dir, ".fetched-*")
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), h.file(symbol))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	now := h.opt.Now()
	return os.Chtimes(h.file(symbol), now, now)
}
