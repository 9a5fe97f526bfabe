package netevent

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a source that says what it is told to.
type fake struct {
	says chan error
}

var _ source = (*fake)(nil)

func (f *fake) receive() error {
	err, more := <-f.says
	if !more {
		return errors.New("closed")
	}
	return err
}

func (f *fake) close() { close(f.says) }

const quiet = 50 * time.Millisecond

// told counts what there is to receive until nothing has been for long.
func told(w *Watcher) (n int) {
	for {
		t := time.NewTimer(time.Hour)
		select {
		case _, more := <-w.Changes():
			t.Stop()
			if !more {
				return n
			}
			n++
		case <-t.C:
			return n
		}
	}
}

// Ensure a burst is told once, and later ones again.
func TestWatcher_burst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{says: make(chan error)}
		w := watch(f, quiet)
		defer w.Close()
		for range 3 {
			for range 9 {
				f.says <- nil
				synctest.Wait()
				time.Sleep(quiet / 2)
			}
			if n := told(w); n != 1 {
				t.Errorf("a burst was told %d times", n)
			}
		}
	})
}

// Ensure changes without an end are told all the same, now and then.
func TestWatcher_endless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{says: make(chan error)}
		w := watch(f, quiet)
		defer w.Close()
		began := time.Now()
		for time.Since(began) < 4*burst*quiet {
			f.says <- nil
			time.Sleep(quiet / 2)
			select {
			case <-w.Changes():
				if took := time.Since(began); took < burst*quiet || took > 2*burst*quiet {
					t.Errorf("told after %s", took)
				}
				return
			default:
			}
		}
		t.Error("not told")
	})
}

// Ensure a slow reader delays nobody and is told of what came meanwhile; and that
// without a pause to wait for, a change is told at once.
func TestWatcher_slowReader(t *testing.T) {
	t.Parallel()
	for _, quiet := range []time.Duration{0, quiet} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{says: make(chan error)}
			w := watch(f, quiet)
			defer w.Close()
			f.says <- nil
			time.Sleep(quiet)
			synctest.Wait()
			for range 100 {
				f.says <- nil // nobody reads
				time.Sleep(2 * quiet)
			}
			<-w.Changes()
			f.says <- nil
			if n := told(w); n != 1 {
				t.Errorf("after the last change, told %d times", n)
			}
		})
	}
}

// Ensure that messages which were lost are told as a change, after which the
// watch goes on; and that any other error ends it, and is told.
func TestWatcher_errors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{says: make(chan error)}
		w := watch(f, quiet)
		for range 2 {
			f.says <- errLost
			if n := told(w); n != 1 || w.Err() != nil {
				t.Errorf("told %d times, %v", n, w.Err())
			}
		}
		broken := errors.New("broken")
		f.says <- broken
		if _, more := <-w.Changes(); more || !errors.Is(w.Err(), broken) {
			t.Errorf("more %t, %v", more, w.Err())
		}
		w.Close()
	})
}

// Ensure a watch that is closed ends without an error, and tells what it still
// knows.
func TestWatcher_closed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{says: make(chan error)}
		w := watch(f, quiet)
		f.says <- nil
		w.Close()
		if n := told(w); n != 1 || w.Err() != nil {
			t.Errorf("told %d times, %v", n, w.Err())
		}
	})
}
