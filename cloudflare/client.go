package cloudflare

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/firewall"
	"github.com/cloudflare/cloudflare-go/v7/option"

	"switchyard/configs"
	"switchyard/tasks"
)

// address is where Cloudflare's API is.
const address = "https://api.cloudflare.com/client/v4"

// maxAnswer is how much of an answer is read: a page of rules is a tenth of it.
const maxAnswer = 4 << 20

// Client does jobs at Cloudflare. Make one with New, and Close it.
type Client struct {
	rules   *firewall.AccessRuleService
	http    *http.Client
	token   configs.Secret
	scopes  []scope
	note    string
	timeout time.Duration
}

// Hooks take part in what a Client does.
type Hooks struct {
	// Before is asked directly before every request; its error ends the call and
	// is returned as it is.
	Before func(ctx context.Context) error
	// Progress is told how far the job is: before something is changed, and after
	// it was. Optional.
	Progress func(ctx context.Context, so tasks.CFResult)
}

// New returns a client as configured; without a token it refuses every job with
// ErrNotConfigured. userAgent tells Cloudflare who asks.
func New(c configs.Cloudflare, userAgent string) *Client {
	transport := &http.Transport{}
	if usual, ok := http.DefaultTransport.(*http.Transport); ok { // as it is, unless a program has another one
		transport = usual.Clone()
	}
	transport.MaxIdleConnsPerHost = transport.MaxIdleConns
	x := &Client{
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		note: c.Note, timeout: c.Timeout.Std(), token: c.Token,
	}
	if c.AccountID != "" {
		x.scopes = append(x.scopes, scope{kindAccount, c.AccountID})
	}
	for _, id := range c.ZoneIDs {
		x.scopes = append(x.scopes, scope{kindZone, id})
	}
	base := c.BaseURL
	if base == "" {
		base = address
	}
	x.rules = firewall.NewAccessRuleService(
		option.WithBaseURL(strings.TrimSuffix(base, "/")+"/"), option.WithHTTPClient(x.http), option.WithMaxRetries(0),
		option.WithAPIToken(c.Token.Reveal()), option.WithHeader("User-Agent", userAgent),
	)
	return x
}

// Configured reports whether there is something that the client can do.
func (c *Client) Configured() bool { return !c.token.IsZero() && len(c.scopes) > 0 }

// Close lets go of the connections. Requests under way are not waited for.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Verify asks for rules in every scope, which shows whether the token may read
// them. It changes nothing.
func (c *Client) Verify(ctx context.Context) error {
	if !c.Configured() {
		return ErrNotConfigured
	}
	var errs []error
	for _, s := range c.scopes {
		if _, err := c.page(ctx, s, Hooks{}, query{perPage: 1}); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 && len(c.scopes) > 1 {
		return &ScopesError{Scopes: len(c.scopes), Errs: errs}
	}
	return errors.Join(errs...)
}

// call makes one request, by f, within the timeout. Errors: what Before said, the
// cause of ctx, or an *Error.
func (c *Client) call(ctx context.Context, h Hooks, f func(context.Context, option.RequestOption) error) error {
	if h.Before != nil {
		if err := h.Before(ctx); err != nil {
			return err
		}
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err := f(limited, option.WithMiddleware(c.exchange))
	var e *Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &e):
		return e
	}
	return unreached(err, c.timeout)
}

// exchange has an answer read as a whole, and be one of Cloudflare's, before the
// library sees it: its own errors show neither codes nor headers, and much else.
func (c *Client) exchange(req *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	res, err := next(req)
	if err != nil {
		return nil, unreached(err, c.timeout)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	_ = res.Body.Close() // all that matters of it was read
	if err != nil {
		return nil, unreached(err, c.timeout)
	}
	var said struct {
		Success bool `json:"success"`
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if res.StatusCode >= http.StatusMultipleChoices || kind != "application/json" || json.Unmarshal(body, &said) != nil || !said.Success {
		return nil, refused(res, body, c.token.Reveal())
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}
