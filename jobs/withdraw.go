package jobs

import (
	"context"
	"errors"
	"time"
)

const (
	// withdrawPause is how often Redis is tried for a withdrawal. It comes first
	// when Redis is back: workers then claim nothing for a moment.
	withdrawPause = 20 * time.Millisecond
	// withdrawLimit is when it is given up.
	withdrawLimit = 10 * time.Minute
)

// withdrawLater sees to it that a job is not run whose request was answered
// with 503 although Redis may have taken it: Redis died before it said so, and
// nobody could ask. As soon as Redis is back the job is ended, unless it was
// never taken, or a worker was faster.
func (s *Store) withdrawLater(j *Job, idempotency string) {
	s.withdrawals.Go(func() {
		ctx, cancel := context.WithTimeout(s.life, withdrawLimit)
		defer cancel()
		for {
			err := s.withdraw(ctx, j, idempotency)
			if !errors.Is(err, ErrUnavailable) {
				return // done, or it runs: its record tells
			}
			if !pause(ctx, withdrawPause) {
				return
			}
		}
	})
}

func (s *Store) withdraw(ctx context.Context, j *Job, idempotency string) error {
	rec := j.home().record(j.ID)
	idem := rec
	if idempotency != "" {
		idem = idemKey(idempotency)
	}
	res, err := withdrawScript.Run(ctx, s.rdb, []string{rec, idem}, j.ID).Text()
	if err != nil {
		return unavailable("withdrawing job "+j.ID, err)
	}
	if res != "ok" {
		return nil
	}
	return s.finish(ctx, j, "", withdrawnEnd)
}

// withdrawnEnd is how a withdrawn job ends.
var withdrawnEnd = End{State: Cancelled, Error: "withdrawn: its request was refused, as Redis was out of reach"}
