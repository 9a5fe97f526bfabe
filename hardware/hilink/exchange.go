package hilink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// exchange sends one request of the API and reads its answer. What the answer
// says of session and tokens is kept.
func (c *Client) exchange(ctx context.Context, r request, token string) (answer, error) {
	header, text, err := c.send(ctx, r, token)
	if err != nil {
		return answer{}, err
	}
	a, err := decode(text)
	if errors.Is(err, ErrNotHiLink) {
		return answer{}, err
	}
	if r.fresh && err == nil {
		c.session.tokens = nil
	}
	c.session.absorb(header, r.body != nil)
	return a, err
}

// page reads a web page of the modem: its session and the tokens in it are
// kept.
func (c *Client) page(ctx context.Context, path string) error {
	header, text, err := c.send(ctx, request{path: path}, "")
	if err != nil {
		return err
	}
	c.session.absorb(header, false)
	c.session.add(pageTokens(text))
	return nil
}

// send makes one HTTP request and reads what comes back.
func (c *Client) send(parent context.Context, r request, token string) (http.Header, []byte, error) {
	ctx, cancel := context.WithTimeoutCause(parent, c.timeout, ErrTimeout)
	defer cancel()
	stop := context.AfterFunc(c.life, cancel)
	defer stop()

	method, body := http.MethodGet, io.Reader(http.NoBody)
	if r.body != nil {
		method, body = http.MethodPost, bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+r.path, body)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", "*/*")
	if c.session.cookie != "" {
		req.Header.Set("Cookie", sessionCookie+"="+c.session.cookie)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
		// Not through Set, so that it is spelt as the modem's own pages do.
		req.Header[tokenHeader] = []string{token}
	}

	// The transport itself, not an http.Client: no redirects, no cookie jar.
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, nil, c.lost(ctx, parent, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		// A modem answers everything with 200, errors too.
		return nil, nil, fmt.Errorf("%w: HTTP status %d", ErrNotHiLink, resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, c.lost(ctx, parent, err)
	}
	if len(text) > maxAnswer {
		return nil, nil, fmt.Errorf("%w: more than %d bytes", ErrNotHiLink, maxAnswer)
	}
	return resp.Header, text, nil
}

// lost says why there is no answer: the client was closed, the caller gave
// up, the modem was too slow, or whatever the network says.
func (c *Client) lost(ctx, parent context.Context, err error) error {
	switch {
	case c.life.Err() != nil:
		return ErrClosed
	case parent.Err() != nil:
		return parent.Err()
	case errors.Is(context.Cause(ctx), ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		// The second is the dialer's own clock, a moment ahead of ours.
		return fmt.Errorf("%w (%v)", ErrTimeout, c.timeout)
	default:
		return err
	}
}
