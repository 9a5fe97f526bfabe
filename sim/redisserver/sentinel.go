package redisserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Sentinel is what a Sentinel watches, and how.
type Sentinel struct {
	// Master is the name, Addr where it is at first.
	Master, Addr string
	// Quorum is how many Sentinels have to take it for dead.
	Quorum int
	// DownAfter is how long it may be silent.
	DownAfter time.Duration
	// Lines are further ones of its configuration.
	Lines []string
}

// args writes the Sentinel's file, which it keeps its state in from then on.
func (s *Sentinel) args(dir, host, port string) ([]string, error) {
	path := filepath.Join(dir, "sentinel.conf")
	if _, err := os.Stat(path); err == nil {
		return []string{path, "--sentinel"}, nil
	}
	at, atPort, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return nil, err
	}
	lines := append([]string{
		"port " + port, "bind " + host, "dir " + dir, "logfile " + filepath.Join(dir, "sentinel.log"),
		fmt.Sprintf("sentinel monitor %s %s %s %d", s.Master, at, atPort, s.Quorum),
		fmt.Sprintf("sentinel down-after-milliseconds %s %d", s.Master, s.DownAfter.Milliseconds()),
		fmt.Sprintf("sentinel failover-timeout %s %d", s.Master, max(10*s.DownAfter, 5*time.Second).Milliseconds()),
	}, s.Lines...)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	return []string{path, "--sentinel"}, nil
}

// Watched is a master with its replicas and the Sentinels that watch them, each
// a process of its own.
type Watched struct {
	// Name of the master with the Sentinels.
	Name string
	// Nodes are the databases; the first was the master at the start.
	Nodes     []*Server
	Sentinels []*Server
}

// WatchedOptions of a Watched.
type WatchedOptions struct {
	// Dir holds a directory for each process.
	Dir string
	// Fsync is each database's appendfsync.
	Fsync               string
	Replicas, Sentinels int
	DownAfter           time.Duration
	// Args are further arguments of each database.
	Args []string
}

// watchedPoll is how often StartWatched looks whether all know each other.
const watchedPoll = 20 * time.Millisecond

// StartWatched starts a master, replicas and Sentinels, and returns when all
// know each other. More than half of the Sentinels are the quorum.
func StartWatched(ctx context.Context, opt WatchedOptions) (*Watched, error) {
	w := &Watched{Name: "switchyard"}
	if err := w.start(ctx, opt); err != nil {
		w.Kill()
		return nil, err
	}
	return w, nil
}

func (w *Watched) start(ctx context.Context, opt WatchedOptions) error {
	run := func(name string, o Options) (*Server, error) {
		o.Dir = filepath.Join(opt.Dir, name)
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, err
		}
		return Start(ctx, o)
	}
	for i := range 1 + opt.Replicas {
		o := Options{Fsync: opt.Fsync, Args: opt.Args}
		if i > 0 {
			o.ReplicaOf = w.Nodes[0].Addr()
		}
		s, err := run(fmt.Sprintf("node-%d", i), o)
		if err != nil {
			return err
		}
		w.Nodes = append(w.Nodes, s)
	}
	for i := range opt.Sentinels {
		s, err := run(fmt.Sprintf("sentinel-%d", i), Options{Sentinel: &Sentinel{
			Master: w.Name, Addr: w.Nodes[0].Addr(), Quorum: opt.Sentinels/2 + 1, DownAfter: opt.DownAfter,
		}})
		if err != nil {
			return err
		}
		w.Sentinels = append(w.Sentinels, s)
		if err := hurry(ctx, s, opt.DownAfter); err != nil {
			return err
		}
	}
	return w.AwaitWhole(ctx)
}

// hurry has a Sentinel look as often as fits how soon it takes a master for
// dead: what it does every 10 s by itself would be most of a test.
func hurry(ctx context.Context, s *Server, downAfter time.Duration) error {
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1})
	defer c.Close()
	ms := max(downAfter/4, 100*time.Millisecond).Milliseconds()
	err := c.Do(ctx, "SENTINEL", "DEBUG", "info-period", ms, "publish-period", ms, "ping-period", ms).Err()
	if err != nil {
		return fmt.Errorf("setting the periods of the Sentinel at %s: %w", s.Addr(), err)
	}
	return nil
}

// Addrs are where the Sentinels are.
func (w *Watched) Addrs() []string {
	out := make([]string, len(w.Sentinels))
	for i, s := range w.Sentinels {
		out[i] = s.Addr()
	}
	return out
}

// AwaitWhole waits until every Sentinel knows the others and every replica, all
// of them in order and in step with their master.
func (w *Watched) AwaitWhole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*startTimeout)
	defer cancel()
	t := time.NewTicker(watchedPoll)
	defer t.Stop()
	for {
		err := w.whole(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("the Sentinels don't see a whole: %w", errors.Join(context.Cause(ctx), err))
		}
	}
}

func (w *Watched) whole(ctx context.Context) error {
	for _, s := range w.Sentinels {
		c := redis.NewSentinelClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1})
		state, err := c.Master(ctx, w.Name).Result()
		replicas, err2 := c.Replicas(ctx, w.Name).Result()
		err = errors.Join(err, err2, c.Close())
		if err != nil {
			return err
		}
		if state["flags"] != "master" || state["num-other-sentinels"] != fmt.Sprint(len(w.Sentinels)-1) || len(replicas) != len(w.Nodes)-1 {
			return fmt.Errorf("%s sees flags %s, %s other Sentinels, %d replicas", s.Addr(), state["flags"], state["num-other-sentinels"], len(replicas))
		}
		for _, r := range replicas {
			if r["flags"] != "slave" || r["master-link-status"] != "ok" {
				return fmt.Errorf("%s sees replica %s with flags %s, link %s", s.Addr(), r["name"], r["flags"], r["master-link-status"])
			}
		}
	}
	return nil
}

// Master is the database that the Sentinels take for the master now, or nil if
// they don't tell.
func (w *Watched) Master(ctx context.Context) *Server {
	for _, s := range w.Sentinels {
		c := redis.NewSentinelClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1})
		at, err := c.GetMasterAddrByName(ctx, w.Name).Result()
		_ = c.Close() // it has only asked
		if err != nil || len(at) != 2 {
			continue
		}
		for _, n := range w.Nodes {
			if n.Addr() == net.JoinHostPort(at[0], at[1]) {
				return n
			}
		}
	}
	return nil
}

// Kill ends all of them.
func (w *Watched) Kill() {
	for _, s := range append(append([]*Server(nil), w.Sentinels...), w.Nodes...) {
		s.Kill()
	}
}
