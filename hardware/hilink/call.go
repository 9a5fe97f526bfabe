package hilink

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// request is one call of the API: a GET, or with a body a POST.
type request struct {
	op   string // what it does, for errors: "read signal"
	path string // "/api/device/signal"
	body []byte
	// fresh: the tokens that its OK brings replace the queue, as after a login.
	fresh bool
}

// name tells the calls of one modem apart: many can be read without a login
// and not written.
func (r request) name() string {
	if r.body == nil {
		return "GET " + r.path
	}
	return "POST " + r.path
}

// call carries out one request. What can be done about a refusal is done, and
// the request made again; each remedy is tried once.
func (c *Client) call(ctx context.Context, r request) (answer, error) {
	if err := c.enter(ctx); err != nil {
		return answer{}, fmt.Errorf("%s: %w", r.op, err)
	}
	defer c.leave()
	a, err := c.persist(ctx, r)
	if err == nil {
		return a, nil
	}
	if refusal, ok := errors.AsType[*Error](err); ok {
		return answer{}, refusal.in(r.op)
	}
	return answer{}, fmt.Errorf("%s: %w", r.op, err)
}

// persist makes a request until it is answered, or refused for what has no
// remedy or was remedied before.
func (c *Client) persist(ctx context.Context, r request) (answer, error) {
	tried := map[remedy]bool{}
	for {
		a, err := c.try(ctx, r)
		what := c.remedy(r, err)
		if what == nothing || tried[what] {
			return a, err
		}
		tried[what] = true
		if what == repeat {
			if err := pause(ctx, c.life, c.retryDelay); err != nil {
				return answer{}, err
			}
		}
	}
}

// remedy drops what err says is worthless, and says what can be done before
// the request is made again.
func (c *Client) remedy(r request, err error) remedy {
	c.session.forget(err)
	if errors.Is(err, ErrNotHiLink) {
		// Perhaps another device sits there now, with other habits.
		clear(c.guarded)
		clear(c.absent)
		return nothing
	}
	refusal, ok := errors.AsType[*Error](err)
	if !ok {
		return nothing
	}
	what := refusal.remedy()
	if what == renew && refusal.Code != codeWrongToken {
		// A session ends for many reasons. One is other firmware.
		clear(c.absent)
	}
	if what == login {
		c.guarded[r.name()] = true
		c.session.loggedIn = false
		// A login that is refused for want of a login is no case for another.
		if c.account.password == "" || refusal.Op != "" {
			return nothing
		}
	}
	return what
}

// try makes the request with a session, a login where this call is known to
// want one, and for a POST a token.
func (c *Client) try(ctx context.Context, r request) (answer, error) {
	if c.session.cookie == "" {
		if err := c.open(ctx, r.body != nil); err != nil {
			return answer{}, err
		}
	}
	if c.guarded[r.name()] && !c.session.loggedIn && c.account.password != "" {
		if err := c.login(ctx); err != nil {
			return answer{}, err
		}
	}
	if r.body == nil {
		return c.exchange(ctx, r, "")
	}
	token, err := c.token(ctx)
	if err != nil {
		return answer{}, err
	}
	return c.exchange(ctx, r, token)
}

// token takes the next token of the queue, or asks the modem for one.
func (c *Client) token(ctx context.Context) (string, error) {
	if len(c.session.tokens) == 0 {
		if err := c.open(ctx, true); err != nil {
			return "", err
		}
	}
	token, _ := c.session.pop()
	return token, nil
}

// pause waits for d; shorter, and with an error, where the caller or the client
// ends.
func pause(ctx, life context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-life.Done():
		return ErrClosed
	}
}
