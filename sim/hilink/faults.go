package hilink

import (
	"net/http"
	"time"
)

// Faults are the ways a modem misbehaves. The zero value is a healthy one.
type Faults struct {
	// StickyAddress brings the modem back with the address it had.
	StickyAddress bool `json:"sticky_address"`
	// NoAddress keeps it from attaching. One that is attached stays so until it
	// detaches; when cleared it attaches after Options.Reattach.
	NoAddress bool `json:"no_address"`
	// Hang takes requests and doesn't answer. When cleared, those that wait are
	// cut off.
	Hang bool `json:"hang"`
	// HTML answers everything with the web page of another device.
	HTML bool `json:"html"`
	// RefuseNetMode is the code that every net mode write is refused with
	// (112003). 0: none is.
	RefuseNetMode int `json:"refuse_net_mode"`
	// RefuseWhileDialling refuses net mode writes with 112001 while the modem
	// is on its way into the network.
	RefuseWhileDialling bool `json:"refuse_while_dialling"`
	// LoseToken answers POSTs without the next token.
	LoseToken bool `json:"lose_token"`
	// ExpireSession makes the modem forget every session, once, when set. It
	// isn't kept: Faults never shows it.
	ExpireSession bool `json:"expire_session"`
	// DieMidSwitch makes each write of net mode or data switch that is accepted
	// the modem's last before it reboots: it never answers it.
	DieMidSwitch bool `json:"die_mid_switch"`
	// Slow is how long each request waits before it takes effect and is
	// answered.
	Slow time.Duration `json:"slow"`
}

// SetFaults replaces the modem's faults.
func (m *Modem) SetFaults(f Faults) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f.ExpireSession {
		m.visitors.forget()
		f.ExpireSession = false
	}
	m.faults = f
	m.radio.sticky = f.StickyAddress
	m.radio.bar(time.Now(), f.NoAddress)
	m.redial()
	m.wake()
}

// Faults returns what was set last.
func (m *Modem) Faults() Faults {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.faults
}

// suffer does to a request what a fault does before it is looked at: it waits.
// It reports whether the request is to be answered at all.
func (m *Modem) suffer(r *http.Request) bool {
	m.mu.Lock()
	faults, away := m.faults, m.rebooting()
	m.mu.Unlock()
	if away {
		return false
	}
	if faults.Slow > 0 {
		timer := time.NewTimer(faults.Slow)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return false
		case <-m.done:
			return false
		}
	}
	if !faults.Hang {
		return true
	}
	m.hang(r)
	return false
}

// hang keeps a request until the fault is over, its client goes or the modem
// closes.
func (m *Modem) hang(r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hanging++
	m.wake()
	defer func() {
		m.hanging--
		m.wake()
	}()
	for m.faults.Hang {
		changed := m.changed
		m.mu.Unlock()
		gone := false
		select {
		case <-changed:
		case <-r.Context().Done():
			gone = true
		case <-m.done:
			gone = true
		}
		m.mu.Lock()
		if gone {
			return
		}
	}
}

// Hanging is how many requests the fault Hang keeps waiting. WaitFor notices
// its changes too.
func (m *Modem) Hanging() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hanging
}
