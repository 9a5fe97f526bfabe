package usb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// Event is a change that the kernel tells of.
type Event struct {
	// Lost: others were missed, and nothing else is known. Read anew.
	Lost bool
	// Action is the kernel's word: add, remove, change, bind, unbind, move, …
	Action string
	// Subsystem is usb or net.
	Subsystem string
	// Path is the device that it is about, or whose interface it is about; "": not
	// one of USB.
	Path Path
	// Whole: it is about the device itself, not one of its interfaces.
	Whole bool
	// Interface is the network interface's name; only for net.
	Interface string
}

// socket is where the kernel's messages come in.
type socket interface {
	// receive waits for the next; ENOBUFS: some were lost.
	receive() ([]byte, error)
	// close ends a receive that waits.
	close() error
}

// Waits before a socket that broke is opened again.
const (
	firstReopen = 100 * time.Millisecond
	lastReopen  = 30 * time.Second
)

// eventsWaiting is how many events may wait for whoever takes them.
const eventsWaiting = 64

// Watch tells of changes until ctx ends or the Bus is closed, and then closes the
// channel. Watch first, then read the Tree, and nothing is missed. An Event with Lost
// set says that others may have been: read anew. Take them promptly; what comes
// meanwhile waits in the kernel, and is lost when that is full.
// Errors: errors.ErrUnsupported, ErrClosed, and what kept the kernel from being
// listened to.
func (b *Bus) Watch(ctx context.Context) (<-chan Event, error) {
	s, err := b.uevents()
	if err != nil {
		return nil, err
	}
	out := make(chan Event, eventsWaiting)
	ok := b.calls.spawn(func() {
		defer close(out)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(b.ctx, cancel)()
		b.watch(ctx, s, out)
	})
	if !ok {
		return nil, errors.Join(ErrClosed, s.close())
	}
	return out, nil
}

// watch passes on what comes, from one socket after the other.
func (b *Bus) watch(ctx context.Context, s socket, out chan<- Event) {
	wait := firstReopen
	for {
		heard := listen(ctx, s, out)
		if ctx.Err() != nil {
			return
		}
		if heard {
			wait = firstReopen
		}
		for {
			b.pause(ctx, wait)
			if ctx.Err() != nil {
				return
			}
			wait = min(2*wait, lastReopen)
			var err error
			if s, err = b.uevents(); err == nil {
				break
			}
		}
		if !send(ctx, out, Event{Lost: true}) {
			s.close() //nolint:errcheck // nothing is lost that somebody waits for
			return
		}
	}
}

// listen passes on what comes from one socket until it breaks or ctx ends, closes it,
// and tells whether anything came.
func listen(ctx context.Context, s socket, out chan<- Event) (heard bool) {
	stop := context.AfterFunc(ctx, func() {
		s.close() //nolint:errcheck // it is to end receive
	})
	defer func() {
		if stop() {
			s.close() //nolint:errcheck // it has failed already
		}
	}()
	for {
		message, err := s.receive()
		var e Event
		switch {
		case errors.Is(err, syscall.ENOBUFS):
			e = Event{Lost: true}
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return heard
		default:
			var ok bool
			if e, ok = parseUevent(message); !ok {
				continue
			}
		}
		heard = true
		if !send(ctx, out, e) {
			return heard
		}
	}
}

func send(ctx context.Context, out chan<- Event, e Event) bool {
	select {
	case out <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// parseUevent reads a message of the kernel: "add@/devices/…", and then pairs, each
// ended by a zero. false: it is not about USB or the network, or not the kernel's.
func parseUevent(message []byte) (Event, bool) {
	head, rest, ok := bytes.Cut(message, []byte{0})
	if !ok || !bytes.Contains(head, []byte("@/")) {
		return Event{}, false
	}
	pairs := map[string]string{}
	for pair := range bytes.SplitSeq(rest, []byte{0}) {
		if k, v, ok := bytes.Cut(pair, []byte("=")); ok {
			pairs[string(k)] = string(v)
		}
	}
	e := Event{Action: pairs["ACTION"], Subsystem: pairs["SUBSYSTEM"]}
	if string(head) != fmt.Sprintf("%s@%s", e.Action, pairs["DEVPATH"]) {
		return Event{}, false
	}
	e.Path, e.Whole = pathOf(pairs["DEVPATH"])
	switch e.Subsystem {
	case "usb":
		return e, e.Path != ""
	case "net":
		e.Interface, e.Whole = pairs["INTERFACE"], false
		return e, e.Interface != ""
	}
	return Event{}, false
}
