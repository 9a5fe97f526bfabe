package hilink

import (
	"slices"
	"time"
)

// Request is something that the modem's web server was asked.
type Request struct {
	Method string
	Path   string // below /api/; a page's begins with a slash
	Code   int    // that it was refused with, 0: it wasn't
}

// Requests returns what the modem was asked and answered so far, the last ten
// thousand at most.
func (m *Modem) Requests() []Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.requests)
}

// asked notes a request. Called with mu held.
func (m *Modem) asked(r Request) {
	if len(m.requests) >= maxLedger {
		m.requests = slices.Delete(m.requests, 0, maxLedger/10)
	}
	m.requests = append(m.requests, r)
}

// Refusal makes the modem refuse what it would otherwise look at: the session
// and the token have been found good.
type Refusal struct {
	Method string `json:"method"` // GET or POST
	Path   string `json:"path"`   // net/net-mode
	Code   int    `json:"code"`   // 112003
	// Times is how often. 0: until it is replaced.
	Times int `json:"times"`
}

// Refuse replaces the refusal for this method and path. One with the code 0
// takes it away.
func (m *Modem) Refuse(r Refusal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refusals = slices.DeleteFunc(m.refusals, func(o Refusal) bool { return o.Method == r.Method && o.Path == r.Path })
	if r.Code != 0 {
		m.refusals = append(m.refusals, r)
	}
}

// refuse is the code that a request is refused with; 0: it is looked at. A
// session that is said to be bad is one from then on.
func (m *Modem) refuse(r request) int {
	i := slices.IndexFunc(m.refusals, func(o Refusal) bool { return o.Method == r.method && o.Path == r.path })
	if i < 0 {
		return 0
	}
	code := m.refusals[i].Code
	if m.refusals[i].Times > 0 {
		if m.refusals[i].Times--; m.refusals[i].Times == 0 {
			m.refusals = slices.Delete(m.refusals, i, i+1)
		}
	}
	if code == errWrongSession || code == errWrongSessionToken {
		m.visitors.end(r.session)
	}
	return code
}

// ExpireSessions ends all sessions, as five minutes of silence do.
func (m *Modem) ExpireSessions() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.visitors.forget()
	m.wake()
}

// Lock makes the modem refuse logins for so long.
func (m *Modem) Lock(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.account.locked = time.Now().Add(d)
}
