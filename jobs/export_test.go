package jobs

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"
)

// EnqueueScripts returns the hashes of the scripts with which asynq's client
// enqueues and schedules.
func EnqueueScripts(t *testing.T) (now, later string) {
	t.Helper()
	m := newTaskMaker()
	defer m.close()
	send := func(opts ...asynq.Option) string {
		var c caught
		_, err := m.client.EnqueueContext(context.WithValue(t.Context(), caughtKey{}, &c), asynq.NewTask("x", nil), opts...)
		if err != nil {
			t.Fatal(err)
		}
		return c.sha
	}
	return send(), send(asynq.ProcessIn(time.Hour))
}

// AwaitWithdrawals waits until no job is about to be withdrawn.
func (s *Store) AwaitWithdrawals(ctx context.Context) error {
	done := make(chan struct{})
	go func() { s.withdrawals.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Moulds returns how many shapes of tasks the store casts by itself, and how
// many it has to ask asynq's client for each time.
func (s *Store) Moulds() (cast, asked int) {
	s.tasks.moulds.mu.Lock()
	defer s.tasks.moulds.mu.Unlock()
	for _, m := range s.tasks.moulds.all {
		if m == nil {
			asked++
		} else {
			cast++
		}
	}
	return cast, asked
}
