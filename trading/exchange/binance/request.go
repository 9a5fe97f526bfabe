package binance

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// request is one call of the API.
type request struct {
	op, method, path string
	weight, orders   int
	params           wire.Query
	signed           bool
	// changes: it places or cancels, so that an answer that doesn't come leaves
	// the outcome unknown.
	changes bool
	// settled is from when on Binance refuses it as too late.
	settled time.Time
}

// Sign returns the signature of an encoded query.
func Sign(secret, query string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(query)) // never fails
	return hex.EncodeToString(m.Sum(nil))
}

// turn is what stands around every request.
func (c *Client) turn() wire.Turn {
	return wire.Turn{Hooks: c.opt.Hooks, Clock: &c.clock, AskTime: c.askTime}
}

// call sends a request, and once more where it was refused because of the clock.
func (c *Client) call(ctx context.Context, r request, out any) error {
	call := exchange.Call{Name: r.method + " " + r.path, Weight: r.weight, Orders: r.orders, Changes: r.changes}
	return c.turn().Take(ctx, r.op, call, r.signed, func(now time.Time) error { return c.send(ctx, r, now, out) })
}

// send signs a request, where it is signed, sends it, and reads the answer.
func (c *Client) send(ctx context.Context, r request, now time.Time, out any) error {
	query := r.params.Encode()
	if r.signed {
		p := slices.Concat(r.params, wire.Query{
			{"recvWindow", strconv.FormatInt(c.opt.RecvWindow.Milliseconds(), 10)}, {"timestamp", strconv.FormatInt(now.UnixMilli(), 10)},
		})
		r.settled = c.settled()
		query = p.Encode()
		query += "&signature=" + Sign(c.opt.Secret.Reveal(), query)
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
	target, body, header := c.opt.BaseURL+r.path, "", http.Header{}
	if r.method == http.MethodPost {
		body = query
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else if query != "" {
		target += "?" + query
	}
	if c.opt.UserAgent != "" {
		header.Set("User-Agent", c.opt.UserAgent)
	}
	if r.signed {
		header.Set("X-MBX-APIKEY", c.opt.Key.Reveal())
	}
	resp, err := c.sender.Do(ctx, r.method, target, header, body)
	f, failed := errors.AsType[*wire.BrokenError](err)
	if failed && !f.Cut {
		return nil, r.failure(exchange.ErrUnavailable, f.Sent, "", f.Err)
	}
	c.observe(resp.Header)
	answer := resp.Body
	if resp.Status/100 != 2 {
		return nil, c.refusal(r, resp)
	}
	if failed {
		return nil, r.failure(exchange.ErrUnavailable, true, "the answer broke off", f.Err)
	}
	var no refusalBody
	if bytes.HasPrefix(bytes.TrimSpace(answer), []byte("{")) && json.Unmarshal(answer, &no) == nil && strings.HasPrefix(string(no.Code), "-") {
		return nil, c.refusal(r, resp)
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
