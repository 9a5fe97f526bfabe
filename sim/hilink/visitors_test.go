package hilink

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// Ensure sessions end when idle, when there are too many and when forgotten,
// and take their tokens with them.
func TestVisitors(t *testing.T) {
	t.Parallel()
	v := newVisitors(rand.New(rand.NewPCG(1, 2)), DefaultSessionIdle)
	now := time.Unix(0, 0)
	id := v.open(now)
	token := v.grant(id)
	if len(id) != sessionLength || len(token) != tokenLength {
		t.Errorf("session %q, token %q", id, token)
	}
	now = now.Add(DefaultSessionIdle - 1)
	if !v.known(now, id) {
		t.Error("a session ended before its time")
	}
	now = now.Add(DefaultSessionIdle)
	if v.known(now, id) || len(v.owner) != 0 {
		t.Errorf("an idle session lives, with %d tokens", len(v.owner))
	}

	id = v.open(now)
	for range maxSessions {
		now = now.Add(1)
		v.grant(v.open(now))
		now = now.Add(1)
		if !v.known(now, id) {
			t.Error("a session was ended that was used last")
		}
	}
	if len(v.sessions) != maxSessions || !v.known(now, id) || len(v.owner) != maxSessions-1 {
		t.Errorf("%d sessions, %d tokens", len(v.sessions), len(v.owner))
	}

	for range maxTokens + 5 {
		token = v.grant(id)
	}
	if n := len(v.sessions[id].tokens); n != maxTokens {
		t.Errorf("%d tokens", n)
	}
	if code := v.spend(id, token); code != 0 {
		t.Errorf("the newest token: %d", code)
	}
	v.forget()
	if v.known(now, id) || len(v.owner) != 0 {
		t.Error("a forgotten session lives")
	}
}

// Ensure the ledger keeps the newest entries and stays bounded.
func TestLedger_bounded(t *testing.T) {
	t.Parallel()
	m := New(Options{})
	for i := range 2*maxLedger + 1 {
		m.mu.Lock()
		m.note(time.Unix(int64(i), 0), fmt.Sprint(i))
		m.mu.Unlock()
	}
	l := m.Ledger()
	if len(l) > maxLedger || len(l) < maxLedger/2 || l[len(l)-1].What != fmt.Sprint(2*maxLedger) {
		t.Errorf("%d entries up to %v", len(l), l[len(l)-1])
	}
	if got := (Entry{time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), "detached"}).String(); got != "03:04:05.006 detached" {
		t.Errorf("%q", got)
	}
}
