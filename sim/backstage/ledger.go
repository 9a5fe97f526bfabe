package backstage

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Ledger has what was asked for, in the order it was noted.
type Ledger[C any] struct {
	mu      sync.Mutex
	all     []C
	changed chan struct{} // closed with the next entry; nil while nobody waits
}

// Note writes an entry down.
func (l *Ledger[C]) Note(c C) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, c)
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// All returns the entries so far.
func (l *Ledger[C]) All() []C {
	all, _ := l.now()
	return all
}

func (l *Ledger[C]) now() (all []C, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return slices.Clone(l.all), l.changed
}

// WaitFor waits until cond holds for the entries. The error is the cause of ctx.
func (l *Ledger[C]) WaitFor(ctx context.Context, cond func([]C) bool) error {
	for {
		all, changed := l.now()
		if cond(all) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for requests, after %d: %w", len(all), context.Cause(ctx))
		}
	}
}
