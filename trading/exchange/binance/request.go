package binance

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"switchyard/trading/exchange"
)

// maxAnswer is how much of an answer is read; the list of all symbols, by far the
// longest, is a third of it.
const maxAnswer = 48 << 20

// request is one call of the API.
type request struct {
	op, method, path string
	weight, orders   int
	params           params
	signed           bool
	// changes: it places or cancels, so that an answer that doesn't come leaves
	// the outcome unknown.
	changes bool
	// settled is from when on Binance refuses it as too late.
	settled time.Time
}

// params in the order they are sent in.
type params [][2]string

// encode percent-encodes them; Binance checks the signature of exactly these bytes.
func (p params) encode() string {
	var b strings.Builder
	for i, kv := range p {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(kv[0]) + "=" + url.QueryEscape(kv[1]))
	}
	return b.String()
}

// Sign returns the signature of an encoded query.
func Sign(secret, query string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(query)) // never fails
	return hex.EncodeToString(m.Sum(nil))
}

// call sends a request, and once more where it was refused because of the clock.
func (c *Client) call(ctx context.Context, r request, out any) error {
	err := c.send(ctx, r, out)
	if r.signed && errors.Is(err, exchange.ErrClock) {
		c.mistrustClock()
		return c.send(ctx, r, out)
	}
	return err
}

func (c *Client) send(ctx context.Context, r request, out any) error {
	query := r.params.encode()
	if r.signed {
		now, err := c.stamp(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", r.op, err)
		}
		p := slices.Concat(r.params, params{
			{"recvWindow", strconv.FormatInt(c.opt.RecvWindow.Milliseconds(), 10)}, {"timestamp", strconv.FormatInt(now, 10)},
		})
		r.settled = c.settled()
		query = p.encode()
		query += "&signature=" + Sign(c.opt.Secret.Reveal(), query)
	}
	if c.opt.Before != nil {
		if err := c.opt.Before(ctx, exchange.Call{Name: r.method + " " + r.path, Weight: r.weight, Orders: r.orders, Changes: r.changes}); err != nil {
			return err
		}
	}
	answer, err := c.exchange(ctx, r, query)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		// It was done, but what came of it can't be read.
		return r.failure(exchange.ErrUnavailable, true, "Binance's answer can't be read", err)
	}
	return nil
}

// exchange sends an encoded query and returns the body of a good answer.
func (c *Client) exchange(ctx context.Context, r request, query string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	// Nothing can have arrived where a connection was asked for and none was had.
	// Without a trace (somebody's own transport) it may have.
	var asked, got atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { got.Store(true) },
	})

	target, body := c.opt.BaseURL+r.path, io.Reader(nil)
	if r.method == http.MethodPost {
		body = strings.NewReader(query)
	} else if query != "" {
		target += "?" + query
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, r.failure(exchange.ErrRefused, false, "the address of the API is no URL", nil)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.opt.UserAgent != "" {
		req.Header.Set("User-Agent", c.opt.UserAgent)
	}
	if r.signed {
		req.Header.Set("X-MBX-APIKEY", c.opt.Key.Reveal())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, r.failure(exchange.ErrUnavailable, got.Load() || !asked.Load(), "", bare(ctx, err))
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	c.observe(resp.Header)
	if resp.StatusCode/100 != 2 {
		return nil, c.refusal(r, resp, answer)
	}
	if err != nil {
		return nil, r.failure(exchange.ErrUnavailable, true, "the answer broke off", bare(ctx, err))
	}
	var no refusalBody
	if bytes.HasPrefix(bytes.TrimSpace(answer), []byte("{")) && json.Unmarshal(answer, &no) == nil && strings.HasPrefix(string(no.Code), "-") {
		return nil, c.refusal(r, resp, answer)
	}
	return answer, nil
}

// failure is an error without an answer. Where the request was sent and would have
// changed something, the outcome is unknown.
func (r request) failure(kind error, sent bool, message string, err error) error {
	e := &exchange.Error{Kind: kind, Op: r.op, Message: message, Err: err}
	if r.changes && sent {
		e.Kind, e.Settled = exchange.ErrUnknownOutcome, r.settled
	}
	return e
}

// bare takes the URL off an error: the query has the signature in it. Where the
// context ended, why it did is told.
func bare(ctx context.Context, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// observe passes on what the headers say of the limits, such as
// X-MBX-ORDER-COUNT-10S: 3.
func (c *Client) observe(h http.Header) {
	if c.opt.Observe == nil {
		return
	}
	for name := range h {
		for prefix, limit := range map[string]string{"X-Mbx-Used-Weight-": "weight", "X-Mbx-Order-Count-": "orders"} {
			interval, ok := strings.CutPrefix(name, prefix)
			if !ok {
				continue
			}
			per, ok := parseInterval(interval)
			used, err := strconv.Atoi(h.Get(name))
			if ok && err == nil && used >= 0 {
				c.opt.Observe(exchange.Usage{Limit: limit, Per: per, Used: used})
			}
		}
	}
}

// parseInterval reads 10S, 1M, 1H, 1D.
func parseInterval(s string) (time.Duration, bool) {
	if len(s) < 2 || len(s) > 5 {
		return 0, false
	}
	n, err := strconv.Atoi(s[:len(s)-1])
	unit, ok := map[byte]time.Duration{'S': time.Second, 'M': time.Minute, 'H': time.Hour, 'D': 24 * time.Hour}[s[len(s)-1]&^0x20]
	return time.Duration(n) * unit, err == nil && ok && n > 0
}
