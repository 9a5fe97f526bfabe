package okx

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// validFor is how long after its timestamp OKX takes a request.
const validFor = 30 * time.Second

// request is one call of the API: with a body it is a POST that changes something.
type request struct {
	op, path string
	kind     string
	query    wire.Query
	body     any
	signed   bool
	// places: it is a new order.
	places bool
	// expires: OKX is told to drop it after Options.ExpireAfter.
	expires bool
	// settled is from when on OKX refuses it as too late.
	settled time.Time
}

func (r request) method() string {
	if r.body != nil {
		return http.MethodPost
	}
	return http.MethodGet
}

// Stamp writes an instant as OKX wants it: with exactly three digits of milliseconds.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Sign returns the signature of a request: of its timestamp, method, path with the
// query, and body.
func Sign(secret, timestamp, method, path, body string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(timestamp + method + path + body)) // never fails
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// turn is what stands around every request.
func (c *Client) turn() wire.Turn {
	return wire.Turn{Hooks: c.opt.Hooks, Clock: &c.clock, AskTime: c.askTime}
}

// call sends a request, and once more where it was refused because of the clock.
func (c *Client) call(ctx context.Context, r request, out any) error {
	path, body := r.path, ""
	if q := r.query.Encode(); q != "" {
		path += "?" + q
	}
	if r.body != nil {
		b, err := json.Marshal(r.body)
		if err != nil {
			return fmt.Errorf("%s: %w", r.op, err)
		}
		body = string(b)
	}
	call := exchange.Call{Name: r.method() + " " + r.path, Weight: 1, Changes: r.body != nil, Kind: r.kind}
	if r.places {
		call.Orders = 1
	}
	return c.turn().Take(ctx, r.op, call, r.signed, func(now time.Time) error { return c.send(ctx, r, path, body, now, out) })
}

// send signs a request, where it is signed, and sends it.
func (c *Client) send(ctx context.Context, r request, path, body string, now time.Time, out any) error {
	header := http.Header{}
	if c.opt.UserAgent != "" {
		header.Set("User-Agent", c.opt.UserAgent)
	}
	if r.body != nil {
		header.Set("Content-Type", "application/json")
	}
	if c.opt.Demo {
		header.Set("x-simulated-trading", "1")
	}
	if r.signed {
		stamp := Stamp(now)
		header.Set("OK-ACCESS-KEY", c.opt.Key.Reveal())
		header.Set("OK-ACCESS-PASSPHRASE", c.opt.Passphrase.Reveal())
		header.Set("OK-ACCESS-TIMESTAMP", stamp)
		header.Set("OK-ACCESS-SIGN", Sign(c.opt.Secret.Reveal(), stamp, r.method(), path, body))
		if r.expires {
			header.Set("expTime", strconv.FormatInt(now.Add(c.opt.ExpireAfter).UnixMilli(), 10))
		}
		r.settled = c.settled(r)
	}
	return c.exchange(ctx, r, header, path, body, out)
}

// settled is when a request that is signed now will be too late for OKX.
func (c *Client) settled(r request) time.Time {
	valid := validFor
	if r.expires {
		valid = c.opt.ExpireAfter
	}
	return time.Now().Add(valid + wire.Tolerance)
}

// ValidFor implements exchange.Enduring.
func (c *Client) ValidFor(t exchange.Type) time.Duration {
	if t.Stop() {
		return validFor + wire.Tolerance
	}
	return c.opt.ExpireAfter + wire.Tolerance
}

// envelope is around every answer.
type envelope struct {
	Code    wire.Text       `json:"code"`
	Message string          `json:"msg"`
	Data    json.RawMessage `json:"data"`
}

// verdict is what stands of each order in a list of what was placed or cancelled.
type verdict struct {
	Code    wire.Text `json:"sCode"`
	Message string    `json:"sMsg"`
}

// exchange sends what is ready to be sent, and reads the data of a good answer.
func (c *Client) exchange(ctx context.Context, r request, header http.Header, path, body string, out any) error {
	answer, err := c.sender.Do(ctx, r.method(), c.opt.BaseURL+path, header, body)
	if f, ok := errors.AsType[*wire.BrokenError](err); ok {
		if f.Cut && answer.Status/100 != 2 {
			return c.refusal(r, answer.Status, "", "")
		}
		return r.failure(exchange.ErrUnavailable, f.Sent, "", f.Err)
	}
	var e envelope
	if err = json.Unmarshal(answer.Body, &e); err != nil && answer.Status/100 != 2 {
		return c.refusal(r, answer.Status, "", "") // a page of some proxy; the status has to do
	}
	switch {
	case err != nil:
	case e.Code == "1" || e.Code == "2":
		if err := c.against(r, answer.Status, e.Data); err != nil {
			return err
		}
		return r.failure(exchange.ErrUnavailable, true, "OKX's answer says no, and not why", nil)
	case answer.Status/100 != 2, e.Code != "" && e.Code != "0":
		return c.refusal(r, answer.Status, string(e.Code), e.Message)
	case e.Code == "":
		err = errors.New("it has no code")
	default:
		if r.body != nil {
			if err := c.against(r, answer.Status, e.Data); err != nil {
				return err
			}
		}
		err = json.Unmarshal(e.Data, out)
	}
	if err != nil { // It was done, but what came of it can't be read.
		return r.failure(exchange.ErrUnavailable, true, "OKX's answer can't be read", err)
	}
	return nil
}

// against is what stands against one of the orders of a request, nil for nothing. Of
// several the first that is more than that an order isn't there (any more).
func (c *Client) against(r request, status int, data json.RawMessage) (found error) {
	var list []verdict
	_ = json.Unmarshal(data, &list) // where there is no list of verdicts, nothing stands against it
	for _, v := range list {
		if v.Code == "" || v.Code == "0" {
			continue
		}
		err := c.refusal(r, status, string(v.Code), v.Message)
		if !errors.Is(err, exchange.ErrNotFound) {
			return err
		}
		if found == nil {
			found = err
		}
	}
	return found
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
