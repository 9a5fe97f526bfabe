package guest

import (
	"slices"
	"sync"
	"time"
)

// eventLog is what happened in the machine.
type eventLog struct {
	mu      sync.Mutex
	all     []Event
	changed chan struct{} // closed and replaced with each event
}

func newLog() *eventLog { return &eventLog{changed: make(chan struct{})} }

func (l *eventLog) add(subnet int, what string) { l.addAt(time.Now(), subnet, what) }

func (l *eventLog) addAt(at time.Time, subnet int, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, Event{N: len(l.all) + 1, At: at, Subnet: subnet, What: what})
	close(l.changed)
	l.changed = make(chan struct{})
}

// since returns the events after the nth, and waits for one where there are
// none.
func (l *eventLog) since(n int, wait time.Duration) []Event {
	limit := time.NewTimer(wait)
	defer limit.Stop()
	for {
		l.mu.Lock()
		found, changed := slices.Clone(l.all[min(max(n, 0), len(l.all)):]), l.changed
		l.mu.Unlock()
		if len(found) > 0 {
			return found
		}
		select {
		case <-changed:
		case <-limit.C:
			return nil
		}
	}
}
