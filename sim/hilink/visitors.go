package hilink

import (
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// maxSessions is how many a modem keeps; the one unused longest goes.
	maxSessions = 16
	// maxTokens is how many unused tokens one session keeps; the oldest go.
	maxTokens = 64

	sessionLength = 128
	tokenLength   = 32
)

// visitors are the sessions of a modem's web API and the tokens they were
// given. A token is good for one POST of its session. Guarded by Modem.mu.
type visitors struct {
	random   *rand.Rand
	idle     time.Duration // how long a session lasts that nobody uses
	sessions map[string]*visitor
	owner    map[string]string // session by token, of the unused ones
	ousted   map[string]bool   // sessions that a login of somebody else ended
}

type visitor struct {
	seen   time.Time
	tokens []string // unused, oldest first

	loggedIn            bool
	user, first, server string // of a login that waits for its proof
}

func newVisitors(random *rand.Rand, idle time.Duration) *visitors {
	v := &visitors{random: random, idle: idle}
	v.forget()
	return v
}

// forget ends all sessions.
func (v *visitors) forget() {
	v.sessions = make(map[string]*visitor)
	v.owner = make(map[string]string)
	v.ousted = make(map[string]bool)
}

// oust ends all sessions, because somebody logs in.
func (v *visitors) oust() {
	before := v.sessions
	v.forget()
	for id := range before {
		v.ousted[id] = true
	}
}

// known reports whether a session exists, and keeps it alive.
func (v *visitors) known(now time.Time, id string) bool {
	s, ok := v.sessions[id]
	if !ok {
		return false
	}
	if now.Sub(s.seen) >= v.idle {
		v.end(id)
		return false
	}
	s.seen = now
	return true
}

// open begins a session.
func (v *visitors) open(now time.Time) (id string) {
	if len(v.sessions) >= maxSessions {
		oldest := ""
		for id, s := range v.sessions {
			if oldest == "" || s.seen.Before(v.sessions[oldest].seen) {
				oldest = id
			}
		}
		v.end(oldest)
	}
	id = v.secret(sessionLength)
	v.sessions[id] = &visitor{seen: now}
	return id
}

func (v *visitors) end(id string) {
	if v.sessions[id] == nil {
		return
	}
	for _, token := range v.sessions[id].tokens {
		delete(v.owner, token)
	}
	delete(v.sessions, id)
}

// grant gives a token to a session that is known.
func (v *visitors) grant(id string) string {
	s := v.sessions[id]
	if len(s.tokens) >= maxTokens {
		delete(v.owner, s.tokens[0])
		s.tokens = slices.Delete(s.tokens, 0, 1)
	}
	token := v.secret(tokenLength)
	s.tokens = append(s.tokens, token)
	v.owner[token] = id
	return token
}

// spend uses a token up in a session that is known; 0 or the code of what is
// wrong with it. A token of another session stays unused.
func (v *visitors) spend(id, token string) int {
	owner, ok := v.owner[token]
	switch {
	case !ok:
		return errWrongToken
	case owner != id:
		return errWrongSessionToken
	}
	delete(v.owner, token)
	s := v.sessions[id]
	s.tokens = slices.DeleteFunc(s.tokens, func(t string) bool { return t == token })
	return 0
}

// secret is a session id or token of a modem: base64's letters.
func (v *visitors) secret(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[v.random.IntN(len(letters))]
	}
	return string(b)
}
