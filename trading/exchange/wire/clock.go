package wire

import (
	"context"
	"sync"
	"time"
)

// trusted is how long a difference between the clocks is relied on.
const trusted = 30 * time.Minute

// Tolerance is by how much our idea of an exchange's clock may be off before the
// exchange says so.
const Tolerance = time.Second

// Clock knows by how much an exchange's clock differs from ours. It is ready as its
// zero value, and safe for concurrent use.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
	set    time.Time // zero: not known
}

// Now returns the exchange's time, after asking for it where the last answer is too
// old. Error: that of ask.
func (c *Clock) Now(ctx context.Context, ask func(context.Context) (time.Time, error)) (time.Time, error) {
	c.mu.Lock()
	offset, known := c.offset, !c.set.IsZero() && time.Since(c.set) < trusted
	c.mu.Unlock()
	if !known {
		if _, err := c.Set(ctx, ask); err != nil {
			return time.Time{}, err
		}
		c.mu.Lock()
		offset = c.offset
		c.mu.Unlock()
	}
	return time.Now().Add(offset), nil
}

// Set asks for the exchange's time and keeps the difference. The answer is taken to be
// from the middle of the request. Error: that of ask.
func (c *Clock) Set(ctx context.Context, ask func(context.Context) (time.Time, error)) (time.Time, error) {
	start := time.Now()
	there, err := ask(ctx)
	if err != nil {
		return time.Time{}, err
	}
	took := time.Since(start)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset, c.set = there.Sub(start.Add(took/2)), time.Now()
	return there, nil
}

// Until returns for how long from now an instant of the exchange's clock lies ahead.
func (c *Clock) Until(there time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Until(there.Add(-c.offset))
}

// Mistrust has the time asked for before it is next needed.
func (c *Clock) Mistrust() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set = time.Time{}
}
