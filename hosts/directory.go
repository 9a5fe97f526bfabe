package hosts

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// directoryAge is how old what a Directory answers may be.
const directoryAge = time.Second

// Directory finds hosts by name and address for a process that is asked for
// them all the time: however many ask, it reads the registry once a second at
// the most, and not at all while nobody asks. It is safe for concurrent use.
type Directory struct {
	registry *Registry
	now      func() time.Time
	latest   atomic.Pointer[page]
	reading  chan struct{} // holds one: whoever reads the registry
}

// page is the hosts as they once were.
type page struct {
	read         time.Time
	byName, byIP map[string]*Info
}

// NewDirectory returns a directory that has read nothing yet; now is Redis'
// clock.
func NewDirectory(r *Registry, now func() time.Time) *Directory {
	return &Directory{registry: r, now: now, reading: make(chan struct{}, 1)}
}

// Forget has the directory read anew before it finds anything, after a host was
// removed.
func (d *Directory) Forget() { d.latest.Store(nil) }

// Find returns the host with this name and this public address, one of which
// may be empty, as it was a second or two ago. One that isn't found is looked
// for once more, in the registry as it is. Of several hosts with one address, as
// when one was given another name, the one that is online is found; of those
// that are not, the one seen last; of several online, the first by name. Error:
// ErrUnknown.
func (d *Directory) Find(ctx context.Context, name, serverIP string) (*Info, error) {
	p, err := d.page(ctx)
	if err != nil {
		return nil, err
	}
	if i := p.find(name, serverIP); i != nil {
		return i, nil
	}
	if p, err = d.read(ctx); err != nil {
		return nil, err
	}
	if i := p.find(name, serverIP); i != nil {
		return i, nil
	}
	return nil, fmt.Errorf("%w: %s %s", ErrUnknown, name, serverIP)
}

// FindNow is Find as of now, as it matters for whether the host is online.
func (d *Directory) FindNow(ctx context.Context, name, serverIP string) (*Info, error) {
	then, err := d.Find(ctx, name, serverIP)
	if err != nil {
		return nil, err
	}
	now, err := d.registry.Get(ctx, then.Name)
	if err == nil && now.ServerIP == then.ServerIP && (name != "" || d.registry.Online(now, d.now())) {
		return now, nil
	}
	if err != nil && !errors.Is(err, ErrUnknown) {
		return nil, err
	}
	p, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	if i := p.find(name, serverIP); i != nil {
		return i, nil
	}
	return nil, fmt.Errorf("%w: %s %s", ErrUnknown, name, serverIP)
}

func (p *page) find(name, serverIP string) *Info {
	if name == "" {
		return p.byIP[serverIP]
	}
	if i := p.byName[name]; i != nil && (serverIP == "" || i.ServerIP == serverIP) {
		return i
	}
	return nil
}

// page returns a page that is young enough. One caller reads a new one; the
// others go on with the last meanwhile, unless that is older by far.
func (d *Directory) page(ctx context.Context) (*page, error) {
	p := d.latest.Load()
	switch {
	case p != nil && time.Since(p.read) < directoryAge:
		return p, nil
	case p != nil && time.Since(p.read) < 2*directoryAge:
		select {
		case d.reading <- struct{}{}:
		default:
			return p, nil
		}
	default:
		select {
		case d.reading <- struct{}{}:
		case <-ctx.Done():
			return nil, unavailable("reading hosts", context.Cause(ctx))
		}
	}
	defer func() { <-d.reading }()
	if p := d.latest.Load(); p != nil && time.Since(p.read) < directoryAge {
		return p, nil // somebody else has read it
	}
	return d.read(ctx)
}

// read makes a page of the registry as it is.
func (d *Directory) read(ctx context.Context) (*page, error) {
	p := &page{read: time.Now(), byName: map[string]*Info{}, byIP: map[string]*Info{}}
	all, err := d.registry.All(ctx)
	if err != nil {
		return nil, err
	}
	now := d.now()
	for _, i := range all {
		p.byName[i.Name] = i
		if other := p.byIP[i.ServerIP]; other == nil || d.prefers(i, other, now) {
			p.byIP[i.ServerIP] = i
		}
	}
	d.latest.Store(p)
	return p, nil
}

// prefers reports whether the address of both hosts is rather that of i than
// that of other, which is before it by name.
func (d *Directory) prefers(i, other *Info, now time.Time) bool {
	online := d.registry.Online(i, now)
	if online || d.registry.Online(other, now) {
		return online && !d.registry.Online(other, now)
	}
	return i.Seen.After(other.Seen)
}
