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
