package hilink

import (
	"time"
)

// control is device/control. Of what it can do, this modem restarts.
func (m *Modem) control(now time.Time, d document) int {
	if len(d) != 1 || d[0].name != "Control" {
		return errFormat
	}
	if d[0].value != "1" {
		return errParameter
	}
	m.reboot(now)
	return 0
}

// Reboot restarts the modem: for Options.Boot it answers nothing, then it looks
// for its network, and attaches after Options.Reattach with another address.
// Mode and data switch stay, sessions, logins and their locks don't.
func (m *Modem) Reboot() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reboot(time.Now())
}

// reboot is Reboot with mu held.
func (m *Modem) reboot(now time.Time) {
	m.note(now, "reboot")
	m.visitors.forget()
	m.account.forget()
	m.radio.dark(now)
	m.booted = now.Add(m.opt.Boot)
	m.readings.on = m.booted
	m.redial()
}

// Rebooting reports whether the modem is away.
func (m *Modem) Rebooting() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rebooting()
}

func (m *Modem) rebooting() bool { return !m.booted.IsZero() }

// boot brings the modem back if it is due. Called with mu held.
func (m *Modem) boot(now time.Time) {
	if m.rebooting() && !now.Before(m.booted) {
		m.booted = time.Time{}
		m.radio.light(now)
		m.note(now, "booted")
	}
}

// due is when something happens by itself next. Called with mu held.
func (m *Modem) due() (time.Time, bool) {
	if m.rebooting() {
		return m.booted, true
	}
	return m.radio.due()
}
