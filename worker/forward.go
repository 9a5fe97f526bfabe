package worker

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// asynq looks by two scripts for delayed tasks that are due, all the time and
// for each queue, and there hardly ever are any. So the doorbell asks whether
// there is anything at all, which is one cheap command, and answers itself where
// there is nothing. The same look spares a fetch that nobody has rung for.

// lookHolds is how long one look counts for asynq's scripts, which it runs one
// right after the other.
const lookHolds = 10 * time.Millisecond

// isForward reports whether it is asynq's script that moves due tasks from a
// delayed set to the pending list, whose keys these are.
func isForward(first, second string) bool {
	return strings.HasSuffix(second, ":pending") && (strings.HasSuffix(first, ":scheduled") || strings.HasSuffix(first, ":retry"))
}

// forward answers asynq's call to forward the due tasks of a queue. Those that
// were moved ring, since asynq itself put them there.
func (d *doorbell) forward(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook, pending string) error {
	c, ok := cmd.(*redis.Cmd)
	if ok && d.noneDelayed(ctx, pending) {
		c.SetVal(int64(0))
		return nil
	}
	err := next(ctx, cmd)
	if ok && err == nil {
		if n, numErr := c.Int(); numErr == nil && n > 0 {
			d.bell(pending).wake()
		}
	}
	return err
}

// noneDelayed reports whether it is certain that the queue has no delayed
// tasks.
func (d *doorbell) noneDelayed(ctx context.Context, pending string) bool {
	if d.client == nil {
		return false
	}
	if empty, ago := d.lastLook(pending); ago < lookHolds {
		return empty
	}
	queue := strings.TrimSuffix(pending, ":pending")
	n, err := d.client.Exists(ctx, pending, queue+":scheduled", queue+":retry").Result()
	empty := err == nil && n == 0
	b := d.bell(pending)
	d.mu.Lock()
	defer d.mu.Unlock()
	b.looked, b.empty = time.Now(), empty
	return empty
}

// nonePending reports whether it is certain that a queue that nobody has rung
// for is empty.
func (d *doorbell) nonePending(ctx context.Context, pending string) bool {
	if d.client == nil {
		return false
	}
	if empty, ago := d.lastLook(pending); empty && ago < d.hold {
		return true
	}
	n, err := d.client.Exists(ctx, pending).Result()
	return err == nil && n == 0
}

func (d *doorbell) lastLook(pending string) (empty bool, ago time.Duration) {
	b := d.bell(pending)
	d.mu.Lock()
	defer d.mu.Unlock()
	return b.empty, time.Since(b.looked)
}
