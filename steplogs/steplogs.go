// Package steplogs keeps the logs of deployments' steps in Redis: the end of what each has
// written, by the deployment's job and the number of the step (Store). A worker writes
// them while a step runs, the api reads them.
//
// They stand apart from the jobs' records, whose every change is told to all who watch.
// Those of a host's deployments stand under the host's own prefix, so that Redis' access
// control can keep a proxy host to its own. Nobody deletes them: each is forgotten by
// itself, some time after the record of its job.
package steplogs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/jobs"
)

// ErrUnknown: there is no log of this step, or not any more.
var ErrUnknown = errors.New("there is no log of this step")

// ErrUnavailable: Redis can't be reached.
var ErrUnavailable = errors.New("the logs of steps are out of reach")

// beyond is how long a log outlives the end of its record: a deployment may take a day.
const beyond = 48 * time.Hour

// Store is safe for concurrent use.
type Store struct {
	rdb  redis.UniversalClient
	keep time.Duration
}

// New returns a store that keeps logs for as long as jobs are kept, and a little more.
func New(rdb redis.UniversalClient, retention time.Duration) *Store {
	return &Store{rdb: rdb, keep: retention + beyond}
}

// key of a log; host is that of the job, empty where it has none.
func key(host, job string, step int) string {
	home := jobs.Prefix
	if host != "" {
		home += "h:" + host + ":"
	}
	return home + "steplog:" + job + ":" + strconv.Itoa(step)
}

// Save keeps a log in place of what was kept of it. Error: ErrUnavailable.
func (s *Store) Save(ctx context.Context, host, job string, step int, text string) error {
	if err := s.rdb.Set(ctx, key(host, job, step), text, s.keep).Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// Read returns a log. Errors: ErrUnknown, ErrUnavailable.
func (s *Store) Read(ctx context.Context, host, job string, step int) (string, error) {
	text, err := s.rdb.Get(ctx, key(host, job, step)).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return "", ErrUnknown
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return text, nil
}
