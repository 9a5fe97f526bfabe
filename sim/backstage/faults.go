package backstage

import (
	"slices"
	"sync"
)

// Faults are what is to go wrong.
type Faults[F any] struct {
	mu    sync.Mutex
	list  []*planned[F]
	freed chan struct{} // closed when the faults are cleared; nil until one asks
}

type planned[F any] struct {
	fault F
	times int
}

// Add has requests go wrong from now on: so many, or with 0 all until Clear.
func (f *Faults[F]) Add(fault F, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, &planned[F]{fault, times})
}

// Clear takes all back, and lets go of the requests that they hold.
func (f *Faults[F]) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
	if f.freed != nil {
		close(f.freed)
		f.freed = nil
	}
}

// Take returns a copy of the fault that a request meets, nil for none: the first
// that fits. fits may change the fault that it is shown. freed is closed when a
// request that the fault holds is to be let go of.
func (f *Faults[F]) Take(fits func(*F) bool) (met *F, freed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.freed == nil {
		f.freed = make(chan struct{})
	}
	i := slices.IndexFunc(f.list, func(p *planned[F]) bool { return fits(&p.fault) })
	if i < 0 {
		return nil, f.freed
	}
	p := f.list[i]
	if p.times == 1 {
		f.list = slices.Delete(f.list, i, i+1)
	} else if p.times > 1 {
		p.times--
	}
	fault := p.fault
	return &fault, f.freed
}
