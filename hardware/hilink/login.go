package hilink

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The ways in which firmware wants a password, as state-login numbers them.
const (
	typePlain      = 0 // base64
	typePlainAfter = 3 // base64 too
	typeHashed     = 4
)

// lockedAtLeast is how long a locked modem is left alone that doesn't say how
// long its lock lasts.
const lockedAtLeast = time.Minute

// account is who logs in, and what is known of the way there. Guarded by the
// client's gate.
type account struct {
	user, password string
	// refused is the modem's word on user and password. They don't change, so
	// it isn't asked twice: it would lock.
	refused *Error
	// lock is why no login is tried before until.
	lock  *Error
	until time.Time
}

// closed is the error of a login that needn't be tried; nil where it may be.
func (a *account) closed(now time.Time) error {
	if a.refused != nil {
		return a.refused
	}
	if a.lock != nil && now.Before(a.until) {
		e := *a.lock
		e.Wait = a.until.Sub(now)
		return &e
	}
	return nil
}

// login logs the session in, in the way that the modem asks for. Its refusals
// have the Op "log in".
func (c *Client) login(ctx context.Context) error {
	const op = "log in"
	if err := c.account.closed(c.now()); err != nil {
		return err
	}
	err := c.logIn(ctx)
	if refusal, ok := errors.AsType[*Error](err); ok && refusal.Code == codeLoggedIn {
		// Perhaps this very session, before we lost its thread. A logout that is
		// refused says that it is somebody else's.
		out := c.logOut(ctx)
		if _, refused := errors.AsType[*Error](out); !refused {
			err = out
		}
		if out == nil {
			err = c.logIn(ctx)
		}
	}
	refusal, ok := errors.AsType[*Error](err)
	switch {
	case err == nil:
		c.session.loggedIn = true
		return nil
	case !ok:
		return fmt.Errorf("%s: %w", op, err)
	}
	refusal = refusal.in(op)
	switch {
	case refusal.wrongPassword():
		c.account.refused = refusal
	case refusal.locked():
		if refusal.Wait == 0 {
			refusal.Wait = c.remaining(ctx)
		}
		c.account.lock, c.account.until = refusal, c.now().Add(refusal.Wait)
	}
	return refusal
}

// logIn asks the modem how to log in, and does.
func (c *Client) logIn(ctx context.Context) error {
	a, err := c.ask(ctx, "/api/user/hilink_login")
	switch {
	case errors.Is(err, errAbsent):
	case err != nil:
		return err
	case a.field("hilink_login") == "0":
		return nil // whatever it refuses, a login isn't what it wants
	}
	state, err := c.ask(ctx, "/api/user/state-login")
	if err != nil && !errors.Is(err, errAbsent) {
		return err
	}
	if wait, locked := lockOf(state); locked {
		return &Error{Code: codeLocked, Wait: wait}
	}
	if state.number("extern_password_type") == 1 {
		return c.logInByChallenge(ctx)
	}
	switch kind := state.number("password_type"); kind {
	case -1, typePlain, typePlainAfter:
		kind = max(kind, typePlain)
		return c.logInByPassword(ctx, kind, func(string) string {
			return base64.StdEncoding.EncodeToString([]byte(c.account.password))
		})
	case typeHashed:
		return c.logInByPassword(ctx, kind, func(token string) string {
			return hashed(c.account.user, c.account.password, token)
		})
	default:
		return fmt.Errorf("the modem wants a password of type %d, which nobody knows", kind)
	}
}

func (c *Client) logInByPassword(ctx context.Context, kind int, form func(token string) string) error {
	token, err := c.token(ctx)
	if err != nil {
		return err
	}
	a, err := c.exchange(ctx, request{path: "/api/user/login", fresh: true, body: encode(
		field{"Username", c.account.user},
		field{"Password", form(token)},
		field{"password_type", strconv.Itoa(kind)},
	)}, token)
	if err != nil {
		return err
	}
	return a.ok()
}

func (c *Client) logInByChallenge(ctx context.Context) error {
	nonce := make([]byte, 32)
	_, _ = rand.Read(nonce) // never fails
	first := hex.EncodeToString(nonce)
	a, err := c.post(ctx, "/api/user/challenge_login",
		field{"username", c.account.user}, field{"firstnonce", first}, field{"mode", "1"})
	if err != nil {
		return err
	}
	ch := challenge{first: first, server: a.field("servernonce"), salt: a.field("salt"), iterations: a.number("iterations")}
	if !strings.HasPrefix(ch.server, first) || ch.server == first {
		return errors.New("the modem's challenge isn't an answer to ours")
	}
	proof, signature, err := ch.proof(c.account.password)
	if err != nil {
		return err
	}
	a, err = c.post(ctx, "/api/user/authentication_login",
		field{"clientproof", proof}, field{"finalnonce", ch.server})
	if err != nil {
		return err
	}
	if !hmac.Equal([]byte(strings.ToLower(a.field("serversignature"))), []byte(signature)) {
		return errors.New("the modem took a password that it can't prove to know")
	}
	return nil
}

func (c *Client) logOut(ctx context.Context) error {
	a, err := c.post(ctx, "/api/user/logout", field{"Logout", "1"})
	c.session.loggedIn = false
	if err != nil {
		return err
	}
	return a.ok()
}

// post makes a request whose answer renews the queue of tokens.
func (c *Client) post(ctx context.Context, path string, fields ...field) (answer, error) {
	token, err := c.token(ctx)
	if err != nil {
		return answer{}, err
	}
	return c.exchange(ctx, request{path: path, fresh: true, body: encode(fields...)}, token)
}

// remaining asks how long the modem's lock lasts.
func (c *Client) remaining(ctx context.Context) time.Duration {
	state, err := c.ask(ctx, "/api/user/state-login")
	if err != nil {
		return lockedAtLeast
	}
	wait, _ := lockOf(state)
	return max(wait, lockedAtLeast)
}

// lockOf reads from state-login whether logins are locked, and for how long.
// The modem counts in minutes.
func lockOf(state answer) (time.Duration, bool) {
	minutes := state.number("remainwaittime")
	if minutes > 0 {
		return time.Duration(min(minutes, 24*60)) * time.Minute, true
	}
	return lockedAtLeast, state.field("lockstatus") == "1"
}

// Logout ends the session's login, so that a person can log in on the modem's
// web page. Where there is none it does nothing.
func (c *Client) Logout(ctx context.Context) error {
	const op = "log out"
	if err := c.enter(ctx); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	defer c.leave()
	if !c.session.loggedIn {
		return nil
	}
	err := c.logOut(ctx)
	if refusal, ok := errors.AsType[*Error](err); ok {
		c.session.forget(err)
		return refusal.in(op)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}
