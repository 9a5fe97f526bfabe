package hilink

import (
	"context"
	"errors"
	"regexp"
)

const (
	sesTokInfo = "/api/webserver/SesTokInfo"
	longToken  = "/api/webserver/token"
)

// open asks for a session where there is none and, where wanted, for a token.
// A session that the modem still knows is kept; then only the token is new.
//
// Firmware differs in who hands them out: SesTokInfo both at once; else a web
// page the session, and webserver/token or the page itself the token. What a
// modem lacks is not asked for again.
func (c *Client) open(ctx context.Context, wantToken bool) error {
	var first error
	for _, way := range []func(context.Context) error{c.openBySesTokInfo, c.openByToken, c.openByPage, c.openByToken} {
		err := way(ctx)
		switch {
		case errors.Is(err, errAbsent):
			if first == nil {
				first = errors.Unwrap(err)
			}
		case err != nil:
			return err
		case c.session.cookie != "" && (!wantToken || len(c.session.tokens) > 0):
			return nil
		}
	}
	switch {
	case len(c.session.tokens) > 0, c.session.cookie != "" && !wantToken:
		return nil // without a session: whether one is needed the request will show
	case c.session.cookie == "" && first != nil:
		return first
	case wantToken:
		return errors.New("the modem gives out no tokens")
	}
	return nil
}

// absentError is a way that this firmware doesn't have, and how it said so.
type absentError struct{ error }

var errAbsent = errors.New("not on this modem")

func (e absentError) Unwrap() error        { return e.error }
func (e absentError) Is(target error) bool { return target == errAbsent }

// ask reads an address that firmware may not have.
func (c *Client) ask(ctx context.Context, path string) (answer, error) {
	if c.absent[path] {
		return answer{}, absentError{&Error{Code: codeNotSupported}}
	}
	a, err := c.exchange(ctx, request{path: path}, "")
	if refusal, ok := errors.AsType[*Error](err); ok && refusal.NotSupported() {
		c.absent[path] = true
		return answer{}, absentError{err}
	}
	return a, err
}

func (c *Client) openBySesTokInfo(ctx context.Context) error {
	a, err := c.ask(ctx, sesTokInfo)
	if err == nil {
		c.session.adopt(a.field("SesInfo"), a.field("TokInfo"))
	}
	return err
}

// openByPage reads the start page, which gives a session to who has none.
func (c *Client) openByPage(ctx context.Context) error {
	var last error
	for _, path := range []string{"/html/index.html", "/"} {
		err := c.page(ctx, path)
		switch {
		case errors.Is(err, ErrNotHiLink):
			last = absentError{err} // some firmware has only one of the two
		case err != nil:
			return err
		case c.session.cookie != "":
			return nil
		}
	}
	return last
}

// openByToken asks for a token of the session that there is.
func (c *Client) openByToken(ctx context.Context) error {
	if c.session.cookie == "" {
		return nil
	}
	a, err := c.ask(ctx, longToken)
	if err == nil {
		c.session.add([]string{postToken(a.field("token"))})
	}
	return err
}

// postToken is the part of webserver/token's answer that a POST carries: of 64
// characters the last 32.
func postToken(token string) string {
	if len(token) == 2*tokenLength {
		return token[tokenLength:]
	}
	return token
}

// metaToken is where a page of the modem holds a token.
var metaToken = regexp.MustCompile(`(?i)<meta\s+name=["']csrf_token["']\s+content=["']([^"'<>]*)["']`)

// pageTokens finds the tokens in a page: usually two.
func pageTokens(page []byte) []string {
	var tokens []string
	for _, m := range metaToken.FindAllSubmatch(page, maxTokens) {
		tokens = append(tokens, plain(string(m[1])))
	}
	return tokens
}
