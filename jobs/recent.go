package jobs

import (
	"sync"
	"time"
)

const (
	// recentAge is for how long what was seen to isn't seen to again.
	recentAge = 10 * time.Minute
	// recentMost bounds the memory; whatever is forgotten is only done again.
	recentMost = 10_000
)

// recent remembers what this process has told Redis a moment ago that need not
// be said with every job: that there is a queue, how long an index is kept. A
// Redis that has lost its data hears it again soon.
type recent struct {
	mu sync.Mutex
	at map[string]time.Time
}

// done reports whether it was noted within recentAge.
func (r *recent) done(what string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.at[what]
	return ok && time.Since(at) < recentAge
}

// note says that it has been done.
func (r *recent) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil || len(r.at) >= recentMost {
		r.at = make(map[string]time.Time)
	}
	r.at[what] = time.Now()
}
