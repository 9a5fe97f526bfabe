package hilink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxLedger is how many entries are kept; the oldest go first.
const maxLedger = 10_000

// Entry is something that happened to the modem.
type Entry struct {
	At time.Time
	// What is one of
	//
	//	net-mode 03                        an accepted write; no change, too
	//	net-mode 03 bands 3FFFFFFF 80800D5 one with other bands than were set
	//	dataswitch 0                       an accepted write
	//	detached                           the modem left the network
	//	attached 203.0.113.17              it came into it, with this address
	//	login admin                        somebody logged in
	//	reboot                             it went away
	//	booted                             it came back
	//	family e8372h-153                  it got other firmware
	What string
}

// String is the entry with the time of day.
func (e Entry) String() string { return e.At.Format("15:04:05.000 ") + e.What }

// note adds an entry. Called with mu held.
func (m *Modem) note(now time.Time, what string) {
	if len(m.ledger) >= maxLedger {
		m.ledger = slices.Delete(m.ledger, 0, maxLedger/10)
	}
	m.ledger = append(m.ledger, Entry{At: now, What: what})
	m.wake()
}

// wake lets everybody look again who waits for a change. Called with mu held.
func (m *Modem) wake() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// Ledger returns what has happened so far, the last ten thousand at most.
func (m *Modem) Ledger() []Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.ledger)
}

// WaitFor waits until cond holds of the ledger. It asks at once, and again after
// each change of it, of the faults and of Hanging; cond may call the modem. The error is ctx's, with what the ledger
// holds at the time, or that the modem was closed.
func (m *Modem) WaitFor(ctx context.Context, cond func([]Entry) bool) error {
	for {
		m.mu.Lock()
		entries, changed := slices.Clone(m.ledger), m.changed
		m.mu.Unlock()
		if cond(entries) {
			return nil
		}
		select {
		case <-changed:
		case <-m.done:
			return errors.New("simulated modem: closed")
		case <-ctx.Done():
			return fmt.Errorf("simulated modem: %w; ledger: %v", context.Cause(ctx), entries)
		}
	}
}
