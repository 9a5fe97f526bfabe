package telegram

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"switchyard/jobs"
)

// Moves remembers, for all processes, which groups have become supergroups: those
// have another id, and Telegram refuses the one before.
type Moves struct {
	// Client of Redis.
	Client redis.Cmdable
}

const movedKey = jobs.Prefix + "telegram:moved:"

// mostMoves is how often a chat is followed. A group moves once.
const mostMoves = 3

// Of is where the chat is now: itself, where it hasn't moved.
func (m Moves) Of(ctx context.Context, chat string) (string, error) {
	for range mostMoves {
		to, err := m.Client.Get(ctx, movedKey+chat).Result()
		if errors.Is(err, redis.Nil) {
			return chat, nil
		}
		if err != nil {
			return "", fmt.Errorf("asking where chat %s has moved: %w", chat, err)
		}
		chat = to
	}
	return chat, nil
}

// Note notes that a chat has moved.
func (m Moves) Note(ctx context.Context, chat string, to int64) error {
	if err := m.Client.Set(ctx, movedKey+chat, strconv.FormatInt(to, 10), 0).Err(); err != nil {
		return fmt.Errorf("noting where chat %s has moved: %w", chat, err)
	}
	return nil
}
