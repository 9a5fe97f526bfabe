package executions

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"switchyard/jobs"
)

// Of Redis: the last number, and the jobs by their numbers.
const (
	lastKey    = jobs.Prefix + "executions:last"
	numbersKey = jobs.Prefix + "executions:numbers"
)

// ErrUnknown: there is no such execution (any more).
var ErrUnknown = errors.New("there is no such execution")

// ErrUnavailable: Redis can't be reached.
var ErrUnavailable = errors.New("the numbers of executions are out of reach")

// Numbers gives executions their numbers.
type Numbers struct {
	rdb  redis.UniversalClient
	keep int64
}

// NewNumbers keeps the newest keep of them, as many as there are records of jobs.
func NewNumbers(rdb redis.UniversalClient, keep int) *Numbers {
	return &Numbers{rdb: rdb, keep: int64(keep)}
}

// next gives a job the next number, and forgets the oldest beyond those that are kept.
// KEYS 1 last number, 2 jobs by number; ARGV 1 job, 2 how many are kept. RETURNS the
// number.
var next = redis.NewScript(`
local n = redis.call('INCR', KEYS[1])
redis.call('ZADD', KEYS[2], n, ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[2]))
return n`)

// Next is the number of a job that is about to be accepted. Where it isn't accepted
// after all, the number is skipped. Error: ErrUnavailable.
func (n *Numbers) Next(ctx context.Context, job string) (int64, error) {
	x, err := next.Run(ctx, n.rdb, []string{lastKey, numbersKey}, job, n.keep).Int64()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return x, nil
}

// Job is the id of the job with a number. Errors: ErrUnknown, ErrUnavailable.
func (n *Numbers) Job(ctx context.Context, number int64) (string, error) {
	at := strconv.FormatInt(number, 10)
	found, err := n.rdb.ZRangeByScore(ctx, numbersKey, &redis.ZRangeBy{Min: at, Max: at, Count: 1}).Result()
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	case len(found) == 0:
		return "", ErrUnknown
	}
	return found[0], nil
}
