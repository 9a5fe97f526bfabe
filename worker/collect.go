package worker

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"switchyard/hosts"
)

// Reading the dongles means asking their modems, and asking the internet what
// address each has. Pushes, the clock of a host that nobody has push, and whoever
// finds that nothing is known of it all want that. So one reads for all: by turns,
// and who finds when it is his turn that another has just read is content with
// that.

// collections are what has been read of the dongles. The zero value is ready.
type collections struct {
	once sync.Once
	turn chan struct{} // holds one: whoever reads

	// writing is held while something that has come to be known of a dongle is
	// written down, so that it is written in the order in which it was learnt.
	// It goes before mu.
	writing sync.Mutex

	mu    sync.Mutex
	began time.Time // when the last whole reading did, on Redis' clock
	known map[int]hosts.Dongle
	ends  map[int]int // toggles that have ended, by subnet
}

// take waits for the turn; call leave when done.
func (c *collections) take(ctx context.Context) (leave func(), err error) {
	c.once.Do(func() { c.turn = make(chan struct{}, 1) })
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case c.turn <- struct{}{}:
		return func() { <-c.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// last is when the last whole reading began. One that lies ahead was before the
// clock was set back, and is none.
func (c *collections) last(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.began.After(now) {
		return time.Time{}
	}
	return c.began
}

func (c *collections) ended(began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began = began
}

func (c *collections) learn(subnet int, d hosts.Dongle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[int]hosts.Dongle{}
	}
	c.known[subnet] = d
}

// end notes that a toggle of the dongle has ended.
func (c *collections) end(subnet int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ends == nil {
		c.ends = map[int]int{}
	}
	c.ends[subnet]++
}

// toggled is how many toggles of each dongle have ended.
func (c *collections) toggled() map[int]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.ends)
}

func (c *collections) all() map[int]hosts.Dongle {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.known)
}

// toggled writes down what the end of a toggle tells of its dongle.
func (h *HostJobs) toggled(ctx context.Context, subnet int, d hosts.Dongle) error {
	h.collections.writing.Lock()
	defer h.collections.writing.Unlock()
	h.collections.end(subnet)
	return h.know(ctx, subnet, d)
}

// read writes down what was read of a dongle, unless one of its toggles has ended
// since so many had: the reading may be of the dongle as it was in the middle of
// that, without a network, and the toggle knows better.
func (h *HostJobs) read(ctx context.Context, subnet, toggles int, d hosts.Dongle) error {
	h.collections.writing.Lock()
	defer h.collections.writing.Unlock()
	if h.collections.toggled()[subnet] != toggles {
		return nil
	}
	return h.know(ctx, subnet, d)
}

// know writes down what has come to be known of a dongle. Called with
// collections.writing held.
func (h *HostJobs) know(ctx context.Context, subnet int, d hosts.Dongle) error {
	h.collections.learn(subnet, d)
	return h.Registry.SetDongle(ctx, h.Host.Name, subnet, d)
}

// Collect is the handler of tasks.Collect.
func (h *HostJobs) Collect(ctx context.Context, _ *Run) Outcome {
	read, err := h.collectSince(ctx, h.Now().Truncate(time.Minute))
	if err == nil && !read {
		err = h.tellAgain(ctx)
	}
	if err != nil {
		return GiveUp(err, nil)
	}
	return Done(nil)
}

// tellAgain writes down what is known of the dongles where nothing is written:
// somebody asks since Redis has forgotten it.
func (h *HostJobs) tellAgain(ctx context.Context) error {
	st, err := h.Registry.State(ctx, h.Host.Name)
	if err != nil {
		return err
	}
	var errs []error
	for n, d := range h.collections.all() {
		if _, written := st.Dongles[n]; !written {
			errs = append(errs, h.Registry.SetDongle(ctx, h.Host.Name, n, d))
		}
	}
	return errors.Join(errs...)
}

// CollectWithin sees to it that every dongle was read within the last age, by
// whomever, and returns how long that will hold. What could not be written is the
// error; a modem that doesn't answer is none.
func (h *HostJobs) CollectWithin(ctx context.Context, age time.Duration) (time.Duration, error) {
	_, err := h.collectSince(ctx, h.Now().Add(time.Millisecond-age))
	now := h.Now()
	last := h.collections.last(now)
	if last.IsZero() {
		return age, err
	}
	return max(last.Add(age).Sub(now), 0), err
}

// collectSince reads every dongle, unless that was begun at since or later: then
// read is false.
func (h *HostJobs) collectSince(ctx context.Context, since time.Time) (read bool, err error) {
	leave, err := h.collections.take(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	began := h.Now()
	if last := h.collections.last(began); !last.IsZero() && !last.Before(since) {
		return false, nil
	}
	err = h.collect(ctx)
	if ctx.Err() == nil {
		h.collections.ended(began)
	}
	return true, err
}

// collect reads every dongle into the registry. What a modem hasn't said within
// CollectLimit is unknown; one that is cut short otherwise concludes nothing.
func (h *HostJobs) collect(ctx context.Context) error {
	limited := ctx
	if h.CollectLimit > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, h.CollectLimit)
		defer cancel()
	}
	var errs []error
	before := h.collections.toggled()
	h.Host.Collect(limited, func(subnet int, d hosts.Dongle) {
		if ctx.Err() != nil {
			return // cut short: says nothing about the dongle
		}
		d.Collected = h.Now()
		if err := h.read(ctx, subnet, before[subnet], d); err != nil {
			errs = append(errs, err)
		}
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(errs...)
}
