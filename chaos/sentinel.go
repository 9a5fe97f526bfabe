package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/sim/redisserver"
)

// sentinelSuite takes the master away from a Redis that is watched by Sentinels:
// one master, two replicas, three Sentinels, as docs/redis.md says to set them
// up. Replication is asynchronous, so here the database may forget what it said
// yes to last; how much that was is counted and told, and is no failure. All
// other promises hold: what is still known ends, is told of, and what was
// refused doesn't run.
func sentinelSuite() []scenario {
	return []scenario{
		{name: "sentinel/kill", run: loseMaster(killMaster), watched: true, reattach: quickModem, bend: watchedRules},
		{name: "sentinel/hang", run: loseMaster(hangMaster), watched: true, reattach: quickModem, bend: watchedRules},
		{name: "sentinel/move", run: loseMaster(moveMaster), watched: true, reattach: quickModem, bend: watchedRules},
		{name: "sentinel/move-carelessly", run: loseMaster(moveMasterCarelessly), watched: true, reattach: quickModem, bend: watchedRules},
	}
}

const (
	// downAfter is how long a master is silent before the Sentinels act.
	downAfter = time.Second
	// quickModem makes many jobs: a dongle is toggled again and again.
	quickModem = 50 * time.Millisecond
	// moveLimit is what may pass until there is another master and all is whole.
	moveLimit = time.Minute
)

// watchedRules are the promises bent where the database may forget. A request
// takes longer than elsewhere by the look for the new master.
var watchedRules = rules{doubled: true, forgets: true, slowest: 3 * time.Second}

// setWatched starts the watched Redis of a stage.
func (s *stage) setWatched(ctx context.Context) error {
	var err error
	s.watched, err = redisserver.StartWatched(ctx, redisserver.WatchedOptions{
		Dir: filepath.Join(s.dir, "redis"), Fsync: "always", Replicas: 2, Sentinels: 3, DownAfter: downAfter,
		Args: []string{"--min-replicas-to-write", "1", "--min-replicas-max-lag", "10"},
	})
	if err != nil {
		return err
	}
	s.rdb = redis.NewFailoverClient(&redis.FailoverOptions{MasterName: s.watched.Name, SentinelAddrs: s.watched.Addrs()})
	return nil
}

// loseMaster has the master go again and again under load, and come back as a
// replica.
func loseMaster(lose func(context.Context, *stage, *redisserver.Server) (back func() error, err error)) func(context.Context, *stage) (string, error) {
	return func(ctx context.Context, s *stage) (string, error) {
		rounds := 4
		if s.opt.short {
			rounds = 2
		}
		stop := s.load(ctx, leastPause, mostPause)
		defer stop()
		var away []time.Duration
		for range rounds {
			if err := rest(ctx, s.between(time.Second, 3*time.Second)); err != nil {
				return "", err
			}
			old := s.watched.Master(ctx)
			if old == nil {
				return "", errors.New("no Sentinel tells who is the master")
			}
			lost := time.Now()
			back, err := lose(ctx, s, old)
			if err != nil {
				return "", err
			}
			if err := s.until(ctx, moveLimit, "another one is the master", func(ctx context.Context) (bool, error) {
				m := s.watched.Master(ctx)
				return m != nil && m != old, nil
			}); err != nil {
				return "", err
			}
			if err := s.until(ctx, moveLimit, "requests are taken again", func(ctx context.Context) (bool, error) {
				r := s.ask.toggle(ctx, firstModem, 0)
				return r.promised(), nil
			}); err != nil {
				return "", err
			}
			away = append(away, time.Since(lost))
			if err := rest(ctx, time.Second); err != nil {
				return "", err
			}
			if err := back(); err != nil {
				return "", err
			}
			if err := s.watched.AwaitWhole(ctx); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("the master went %d times under load; requests were taken again after %s at most", rounds,
			slices.Max(away).Round(10*time.Millisecond)), nil
	}
}

// killMaster ends it as a crash would.
func killMaster(ctx context.Context, s *stage, m *redisserver.Server) (func() error, error) {
	m.Kill()
	return func() error {
		return s.until(ctx, readyLimit, "the old master is back", func(ctx context.Context) (bool, error) {
			err := m.Restart(ctx)
			return err == nil, err
		})
	}, nil
}

// hangMaster freezes it, as a machine does that is out of memory: when it goes
// on, it takes itself for the master still.
func hangMaster(_ context.Context, _ *stage, m *redisserver.Server) (func() error, error) {
	return m.Resume, m.Hang()
}

// pauseWrites is how long the master takes no writes before a move: longer than
// the Sentinels need to make it a replica.
const pauseWrites = 10 * time.Second

// moveMaster is what an operator does before he works on the machine. Without
// the pause, what the old master takes until it hears of the new one is lost.
func moveMaster(ctx context.Context, s *stage, m *redisserver.Server) (func() error, error) {
	node := redis.NewClient(&redis.Options{Addr: m.Addr()})
	defer func() { _ = node.Close() }() // it has only asked
	c := redis.NewSentinelClient(&redis.Options{Addr: s.watched.Addrs()[0]})
	defer func() { _ = c.Close() }() // it has only asked
	return func() error { return nil }, s.until(ctx, moveLimit, "the Sentinels agree to move", func(ctx context.Context) (bool, error) {
		if err := node.Do(ctx, "CLIENT", "PAUSE", pauseWrites.Milliseconds(), "WRITE").Err(); err != nil {
			return false, err
		}
		err := c.Failover(ctx, s.watched.Name).Err()
		return err == nil, err
	})
}

// moveMasterCarelessly is the same without the pause.
func moveMasterCarelessly(ctx context.Context, s *stage, _ *redisserver.Server) (func() error, error) {
	c := redis.NewSentinelClient(&redis.Options{Addr: s.watched.Addrs()[0]})
	defer func() { _ = c.Close() }() // it has only asked
	return func() error { return nil }, s.until(ctx, moveLimit, "the Sentinels agree to move", func(ctx context.Context) (bool, error) {
		err := c.Failover(ctx, s.watched.Name).Err()
		return err == nil, err
	})
}
