package main

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// cost is what many calls of one kind came to, by round.
type cost struct {
	rate []float64 // a second
	// process and redis are the CPU time that one call took. On a machine that
	// others use, too, they vary less than the rate.
	process, redis []time.Duration
}

// measure notes the figures of n calls that run makes and process pid serves.
// rdb is nil where there is no Redis.
func (c *cost) measure(ctx context.Context, rdb *redis.Client, pid, n int, run func() (time.Duration, error)) error {
	used, load, err := c.now(ctx, rdb, pid)
	if err != nil {
		return err
	}
	took, err := run()
	if err != nil {
		return err
	}
	usedAfter, loadAfter, err := c.now(ctx, rdb, pid)
	if err != nil {
		return err
	}
	c.rate = append(c.rate, rate(n, took))
	c.process = append(c.process, (usedAfter-used)/time.Duration(n))
	c.redis = append(c.redis, time.Duration((loadAfter.cpu-load.cpu)*float64(time.Second))/time.Duration(n))
	return nil
}

func (*cost) now(ctx context.Context, rdb *redis.Client, pid int) (used time.Duration, load redisLoad, err error) {
	if used, err = cpuTime(pid); err != nil || rdb == nil {
		return used, load, err
	}
	load, err = readLoad(ctx, rdb)
	return used, load, err
}
