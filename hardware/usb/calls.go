package usb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// calls are the calls into the kernel that are under way.
type calls struct {
	mu      sync.Mutex
	closed  bool
	running map[Path]*call // by the devices that they are about
	others  int            // those that nobody waits for by a path
	idle    chan struct{}  // closed when there are none; nil: nobody waits for that
}

// call is one, or several in a row.
type call struct {
	about []Path
	until atomic.Pointer[time.Time] // when the present step has to be back
	done  chan struct{}             // closed when it is back
	err   error                     // of what was done; read it after done
	late  chan struct{}             // closed when it is stuck
}

// allow gives the next step that long, from now.
func (c *call) allow(d time.Duration) {
	until := time.Now().Add(d) // as it is: it counts though the clock is set
	c.until.Store(&until)
}

// do calls work in a goroutine and waits for it, however long it takes, as long as each
// of its steps is allowed the time (WriteLimit for the first). Work about one of the
// paths waits for other work about it. Once begun it isn't given up because ctx ends:
// work has to look at that where it may stop.
func (b *Bus) do(ctx context.Context, about []Path, work func(*call) error) error {
	c := &call{about: about, done: make(chan struct{}), late: make(chan struct{})}
	if err := b.calls.begin(ctx, c); err != nil {
		return err
	}
	c.allow(b.opts.WriteLimit)
	go func() {
		c.err = work(c)
		b.calls.end(c)
	}()
	timer := time.NewTimer(b.opts.WriteLimit)
	defer timer.Stop()
	for {
		select {
		case <-c.done:
			return c.err
		case <-timer.C:
		}
		left := time.Until(*c.until.Load())
		if left <= 0 {
			return b.calls.giveUp(c)
		}
		timer.Reset(left)
	}
}

// begin waits until nothing else is under way about the same devices.
func (s *calls) begin(ctx context.Context, c *call) error {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return ErrClosed
		}
		before := s.about(c.about)
		if before == nil {
			if s.running == nil {
				s.running = map[Path]*call{}
			}
			for _, p := range c.about {
				s.running[p] = c
			}
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		select {
		case <-before.late:
			return before.stuck()
		case <-before.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *calls) about(paths []Path) *call {
	for _, p := range paths {
		if c := s.running[p]; c != nil {
			return c
		}
	}
	return nil
}

func (s *calls) end(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range c.about {
		delete(s.running, p)
	}
	close(c.done)
	s.rest()
}

// giveUp marks a call as stuck, unless it comes back at this moment.
func (s *calls) giveUp(c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-c.done:
		return c.err
	default:
	}
	close(c.late)
	return c.stuck()
}

func (c *call) stuck() error {
	return fmt.Errorf("%w (%s): see the kernel's log (dmesg); if it stays so, the host has to be restarted", ErrStuck, list(c.about))
}

func list(paths []Path) string {
	var all []string
	for _, p := range paths {
		all = append(all, string(p))
	}
	return strings.Join(all, ", ")
}

func (s *calls) stuck(p Path) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.running[p]
	if c == nil {
		return false
	}
	select {
	case <-c.late:
		return true
	default:
		return false
	}
}

// spawn calls work in a goroutine that close waits for, and returns whether it did.
func (s *calls) spawn(work func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.others++
	go func() {
		work()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.others--
		s.rest()
	}()
	return true
}

// rest tells close when nothing is under way any more.
func (s *calls) rest() {
	if s.idle != nil && len(s.running) == 0 && s.others == 0 {
		close(s.idle)
		s.idle = nil
	}
}

// close begins nothing any more, and waits for what is under way.
func (s *calls) close(limit time.Duration) error {
	s.mu.Lock()
	s.closed = true
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.rest()
	s.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-idle:
		return nil
	case <-timer.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.running) == 0 {
		if s.others == 0 {
			return nil
		}
		return fmt.Errorf("reading the names of USB devices: %w", ErrStuck)
	}
	var left []Path
	for p := range s.running {
		left = append(left, p)
	}
	slices.Sort(left)
	return fmt.Errorf("left behind with %s: %w", list(left), ErrStuck)
}
