package jobs

import (
	"context"
	"errors"
	"time"
)

// waitReread is the pause after which a waiter whose record could not be read
// looks again.
const waitReread = 200 * time.Millisecond

// Wait returns the job once it has ended, or as it is when ctx ends or the
// store's process stops waiting (stop is closed; nil: never). It is woken by
// events, and reads the record when it starts and whenever events may have
// been missed. Errors: ErrUnknown, ErrUnavailable if the record could never be
// read.
func (s *Store) Wait(ctx context.Context, id string, stop <-chan struct{}) (*Job, error) {
	w := s.hub.Watch(id)
	defer w.Close()
	last, err := s.Get(ctx, id)
	if errors.Is(err, ErrUnknown) || (err == nil && last.State.Final()) {
		return last, err
	}
	for {
		var again <-chan time.Time
		if err != nil {
			again = time.After(waitReread)
		}
		select {
		case <-ctx.Done():
			return last, onlyIfNever(last, err)
		case <-stop:
			return last, onlyIfNever(last, err)
		case <-again:
		case n := <-w.C:
			if !n.Resync && !n.Job.Final() {
				if last != nil {
					last.State, last.Progress = State(n.Job.State), n.Job.Progress
				}
				continue
			}
		}
		var j *Job
		if j, err = s.Get(ctx, id); err == nil {
			if last = j; j.State.Final() {
				return j, nil
			}
		} else if errors.Is(err, ErrUnknown) {
			return nil, err
		}
	}
}

func onlyIfNever(last *Job, err error) error {
	if last != nil {
		return nil
	}
	return err
}
