package chatbot

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	// renewScript prolongs a lease that is still its holder's.
	// KEYS 1 lease  ARGV 1 holder  2 ms  RETURNS 1 | 0
	renewScript = redis.NewScript(`if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`)
	// yieldScript ends a lease that is still its holder's.
	// KEYS 1 lease  ARGV 1 holder  RETURNS 1 | 0
	yieldScript = redis.NewScript(`if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`)
)

// lease is the right to ask Telegram for updates.
type lease struct {
	rdb    redis.UniversalClient
	key    string
	holder string
	ttl    time.Duration
}

// take reports whether the lease is ours now.
func (l lease) take(ctx context.Context) (bool, error) {
	ok, err := l.rdb.SetNX(ctx, l.key, l.holder, l.ttl).Result()
	if err != nil {
		return false, fmt.Errorf("asking for the turn to listen to chats: %w", err)
	}
	return ok, nil
}

// keep renews the lease until ctx ends or it is lost: because another has it, or
// because Redis was away for so long that another may.
func (l lease) keep(ctx context.Context) {
	t := time.NewTicker(l.ttl / 3)
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		began := time.Now()
		n, err := renewScript.Run(ctx, l.rdb, []string{l.key}, l.holder, l.ttl.Milliseconds()).Int()
		switch {
		case err == nil && n == 0, err != nil && time.Since(last) >= l.ttl:
			return
		case err == nil:
			last = began
		}
	}
}

// yield has another take it at once.
func (l lease) yield(ctx context.Context) error {
	if err := yieldScript.Run(ctx, l.rdb, []string{l.key}, l.holder).Err(); err != nil {
		return fmt.Errorf("giving up the turn to listen to chats: %w", err)
	}
	return nil
}
