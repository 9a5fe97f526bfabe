package convoy

import "time"

// Waiting is how many calls wait for a lane.
func (h *Hook) Waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.waiting)
}

// Away is how many lanes are in use.
func (h *Hook) Away() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.away
}

// SetPatience is for a hook that isn't in use yet.
func (h *Hook) SetPatience(d time.Duration) { h.patience = d }
