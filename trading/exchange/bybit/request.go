package bybit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// request is one call of the API: with a body it is a POST that changes something.
type request struct {
	op, path string
	kind     string
	query    wire.Query
	body     any
	signed   bool
	// settled is from when on Bybit refuses it as too late.
	settled time.Time
}

func (r request) method() string {
	if r.body != nil {
		return http.MethodPost
	}
	return http.MethodGet
}

// Sign returns the signature of a request: of its time and window, both in
// milliseconds, and its encoded query or its body.
func Sign(key, secret, timestamp, recvWindow, payload string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(timestamp + key + recvWindow + payload)) // never fails
	return hex.EncodeToString(m.Sum(nil))
}

// turn is what stands around every request.
func (c *Client) turn() wire.Turn {
	return wire.Turn{Hooks: c.opt.Hooks, Clock: &c.clock, AskTime: c.askTime}
}

// call sends a request, and once more where it was refused because of the clock.
func (c *Client) call(ctx context.Context, r request, out any) error {
	payload := r.query.Encode()
	if r.body != nil {
		b, err := json.Marshal(r.body)
		if err != nil {
			return fmt.Errorf("%s: %w", r.op, err)
		}
		payload = string(b)
	}
	call := exchange.Call{Name: r.method() + " " + r.path, Weight: 1, Changes: r.body != nil, Kind: r.kind}
	if r.kind == exchange.KindOrder {
		call.Orders = 1
	}
	return c.turn().Take(ctx, r.op, call, r.signed, func(now time.Time) error { return c.send(ctx, r, payload, now, out) })
}

// send signs a request, where it is signed, and sends it.
func (c *Client) send(ctx context.Context, r request, payload string, now time.Time, out any) error {
	header := http.Header{}
	if c.opt.UserAgent != "" {
		header.Set("User-Agent", c.opt.UserAgent)
	}
	if r.body != nil {
		header.Set("Content-Type", "application/json")
	}
	if r.signed {
		stamp, window := strconv.FormatInt(now.UnixMilli(), 10), strconv.FormatInt(c.opt.RecvWindow.Milliseconds(), 10)
		key := c.opt.Key.Reveal()
		header.Set("X-BAPI-API-KEY", key)
		header.Set("X-BAPI-TIMESTAMP", stamp)
		header.Set("X-BAPI-RECV-WINDOW", window)
		header.Set("X-BAPI-SIGN", Sign(key, c.opt.Secret.Reveal(), stamp, window, payload))
		r.settled = c.settled()
	}
	return c.exchange(ctx, r, header, payload, out)
}

// settled is when a request that is signed now will be too late for Bybit.
func (c *Client) settled() time.Time { return time.Now().Add(c.opt.RecvWindow + wire.Tolerance) }

// exchange sends what is ready to be sent, and reads the result of a good answer.
func (c *Client) exchange(ctx context.Context, r request, header http.Header, payload string, out any) error {
	target, body := c.opt.BaseURL+r.path, ""
	if r.body != nil {
		body = payload
	} else if payload != "" {
		target += "?" + payload
	}
	answer, err := c.sender.Do(ctx, r.method(), target, header, body)
	if f, ok := errors.AsType[*wire.BrokenError](err); ok {
		if f.Cut && answer.Status/100 != 2 {
			return c.refusal(r, answer, envelope{})
		}
		return r.failure(exchange.ErrUnavailable, f.Sent, "", f.Err)
	}
	c.observe(r, answer.Header)
	var e envelope
	err = json.Unmarshal(answer.Body, &e)
	switch {
	case answer.Status/100 != 2, err == nil && e.Code != "" && e.Code != "0":
		if err != nil {
			e = envelope{} // a page of some proxy; the status has to do
		}
		return c.refusal(r, answer, e)
	case err == nil && e.Code == "":
		err = errors.New("it has no retCode")
	case err == nil:
		err = json.Unmarshal(e.Result, out)
	}
	if err != nil { // It was done, but what came of it can't be read.
		return r.failure(exchange.ErrUnavailable, true, "Bybit's answer can't be read", err)
	}
	return nil
}

// envelope is around every answer.
type envelope struct {
	Code    wire.Text       `json:"retCode"`
	Message string          `json:"retMsg"`
	Result  json.RawMessage `json:"result"`
}

// failure is an error without an answer. Where the request was sent and would have
// changed something, the outcome is unknown.
func (r request) failure(kind error, sent bool, message string, err error) error {
	e := &exchange.Error{Kind: kind, Op: r.op, Message: message, Err: err}
	if r.body != nil && sent {
		e.Kind, e.Settled = exchange.ErrUnknownOutcome, r.settled
	}
	return e
}

// observe passes on what the headers say of the limit of orders, which is by second.
func (c *Client) observe(r request, h http.Header) {
	limit, err := strconv.Atoi(h.Get("X-Bapi-Limit"))
	left, errLeft := strconv.Atoi(h.Get("X-Bapi-Limit-Status"))
	if c.opt.Observe != nil && r.kind == exchange.KindOrder && err == nil && errLeft == nil && left >= 0 && limit >= left {
		c.opt.Observe(exchange.Usage{Limit: "orders", Per: time.Second, Used: limit - left})
	}
}
