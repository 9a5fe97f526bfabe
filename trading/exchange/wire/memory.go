package wire

import (
	"sync"
	"time"

	"switchyard/trading/exchange"
)

// modeFor is how long the position mode is believed: it is hardly ever changed. An
// order that doesn't fit has it read anew.
const modeFor = time.Minute

// Memory keeps what an exchange has said of symbols and of the account. It is safe for
// concurrent use; make one with NewMemory.
type Memory struct {
	rulesFor time.Duration
	mu       sync.Mutex
	rules    map[string]remembered
	hedged   bool
	asked    time.Time // for the mode
}

type remembered struct {
	exchange.Rules
	read time.Time
}

// NewMemory returns an empty one, that keeps rules for so long.
func NewMemory(rulesFor time.Duration) *Memory {
	return &Memory{rulesFor: rulesFor, rules: map[string]remembered{}}
}

// Rules returns those of a symbol, unless they are too old.
func (m *Memory) Rules(symbol string) (exchange.Rules, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.rules[symbol]
	return r.Rules, ok && time.Since(r.read) < m.rulesFor
}

// Kept returns those of a symbol, however old they are.
func (m *Memory) Kept(symbol string) (exchange.Rules, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.rules[symbol]
	return r.Rules, ok
}

// Keep takes rules in.
func (m *Memory) Keep(r exchange.Rules) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rules[r.Symbol] = remembered{r, time.Now()}
}

// Forget has the rules of a symbol read anew when they are next asked for.
func (m *Memory) Forget(symbol string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rules, symbol)
}

// Hedged returns the position mode, unless it is too old.
func (m *Memory) Hedged() (hedged, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hedged, !m.asked.IsZero() && time.Since(m.asked) < modeFor
}

// KeepMode takes the position mode in, as it was when it was asked for.
func (m *Memory) KeepMode(hedged bool, asked time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hedged, m.asked = hedged, asked
}

// ForgetMode has the position mode read anew.
func (m *Memory) ForgetMode() { m.KeepMode(false, time.Time{}) }
