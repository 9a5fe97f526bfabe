package netevent

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Options are those of a Watcher. The zero ones will do.
type Options struct {
	// Quiet is how long nothing has to happen before a burst of changes is told,
	// and a tenth of how long it may go on untold. 0: every change is told.
	Quiet time.Duration
	// Buffer is what the socket holds, in bytes. 0: what the system gives.
	Buffer int
}

// burst times Options.Quiet is the longest that a change is held back.
const burst = 10

// source brings word of changes.
type source interface {
	// receive returns when something has changed, or with an error; errLost:
	// there was more than could be kept.
	receive() error
	// close has receive return with an error.
	close()
}

var errLost = errors.New("there were more changes than the socket could hold")

// Watcher tells of changes until it is closed. Make it with Watch.
type Watcher struct {
	src     source
	changes chan struct{}
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	err    error
}

// Watch begins to watch the network that the calling thread is in. Error:
// errors.ErrUnsupported where there is nothing to ask.
func Watch(opt Options) (*Watcher, error) {
	src, err := open(opt.Buffer)
	if err != nil {
		return nil, err
	}
	return watch(src, opt.Quiet), nil
}

func watch(src source, quiet time.Duration) *Watcher {
	w := &Watcher{src: src, changes: make(chan struct{}, 1)}
	if quiet == 0 {
		w.running.Go(func() {
			defer close(w.changes)
			w.read(w.changes)
		})
		return w
	}
	each := make(chan struct{}, 1)
	w.running.Go(func() {
		defer close(each)
		w.read(each)
	})
	w.running.Go(func() {
		defer close(w.changes)
		settle(each, w.changes, quiet)
	})
	return w
}

// Changes has something to receive when something has changed. It is closed when
// the watching has ended: Err tells why.
func (w *Watcher) Changes() <-chan struct{} { return w.changes }

// Err is what ended the watching, nil if nothing did but Close.
func (w *Watcher) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Close ends the watching and waits for it to end.
func (w *Watcher) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.src.close()
	w.running.Wait()
}

func (w *Watcher) read(changes chan<- struct{}) {
	var err error
	for err == nil || errors.Is(err, errLost) {
		if err = w.src.receive(); err == nil || errors.Is(err, errLost) {
			tell(changes)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.err = fmt.Errorf("watching the network: %w", err)
	}
}

// tell leaves word, unless there is some already.
func tell(changes chan<- struct{}) {
	select {
	case changes <- struct{}{}:
	default:
	}
}

// settle passes bursts on as one each, until in is closed.
func settle(in <-chan struct{}, out chan<- struct{}, quiet time.Duration) {
	for range in {
		longest := time.NewTimer(burst * quiet)
		for over := false; !over; {
			pause := time.NewTimer(quiet)
			select {
			case _, more := <-in:
				over = !more
			case <-pause.C:
				over = true
			case <-longest.C:
				over = true
			}
			pause.Stop()
		}
		longest.Stop()
		tell(out)
	}
}
