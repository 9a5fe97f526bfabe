package jobs

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// Process is one worker process as others know it: alive while it says so.
type Process struct {
	// ID is unique to this start of the process.
	ID    string
	store *Store
	homes []home
	n     atomic.Int64

	mu     sync.Mutex
	owners map[string]bool // in use
}

// NewProcess returns the process that executes jobs of no host (own is true)
// and of the given hosts. It is alive from its first Beat on.
func (s *Store) NewProcess(own bool, hosts ...string) *Process {
	p := &Process{ID: "p" + NewID(s.Now())[1:], store: s, owners: map[string]bool{}}
	if own {
		p.homes = append(p.homes, "")
	}
	for _, h := range hosts {
		p.homes = append(p.homes, home(h))
	}
	return p
}

// NewOwner returns the name under which one handler claims one attempt. It is in
// use until it is retired.
func (p *Process) NewOwner() string {
	owner := p.ID + "#" + strconv.FormatInt(p.n.Add(1), 10)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owners[owner] = true
	return owner
}

// Retire says that the handler is through, and all it had to say was said.
func (p *Process) Retire(owner string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.owners, owner)
}

func (p *Process) uses(owner string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.owners[owner]
}

// CancelChannels carry the ids of running jobs that were cancelled.
func (p *Process) CancelChannels() []string {
	out := make([]string, len(p.homes))
	for i, h := range p.homes {
		out[i] = h.cancels()
	}
	return out
}

// Beat says that the process is alive, for the store's ProcessTTL. Error:
// ErrUnavailable.
func (p *Process) Beat(ctx context.Context) error {
	until := float64(p.store.Now().Add(p.store.opt.ProcessTTL).UnixMilli())
	_, err := p.store.rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, h := range p.homes {
			pipe.ZAdd(ctx, h.processes(), redis.Z{Score: until, Member: p.ID})
		}
		return nil
	})
	if err != nil {
		return unavailable("saying that the process is alive", err)
	}
	return nil
}

// Leave says that the process is gone, after all its handlers have ended.
// Error: ErrUnavailable.
func (p *Process) Leave(ctx context.Context) error {
	_, err := p.store.rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, h := range p.homes {
			pipe.ZRem(ctx, h.processes(), p.ID)
		}
		return nil
	})
	if err != nil {
		return unavailable("saying that the process is gone", err)
	}
	return nil
}

// BuryPredecessors removes every other process of a host. Only for a caller
// that holds the host's lock, which proves that they are gone; it proves nothing
// of a process on another machine that had the host's name. Error:
// ErrUnavailable.
func (p *Process) BuryPredecessors(ctx context.Context, host string) error {
	k := home(host).processes()
	all, err := p.store.rdb.ZRange(ctx, k, 0, -1).Result()
	if err != nil {
		return unavailable("reading the processes of host "+host, err)
	}
	for _, id := range all {
		if id == p.ID {
			continue
		}
		if err := p.store.rdb.ZRem(ctx, k, id).Err(); err != nil {
			return unavailable("removing process "+id, err)
		}
	}
	return nil
}

// CancelsAsked returns those of the given running jobs that were cancelled: a
// look that makes good a lost message. Error: ErrUnavailable.
func (s *Store) CancelsAsked(ctx context.Context, running []*Job) ([]string, error) {
	if len(running) == 0 {
		return nil, nil
	}
	cmds := make([]*redis.StringCmd, len(running))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, j := range running {
			cmds[i] = p.HGet(ctx, j.home().record(j.ID), "cancel")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, unavailable("looking for cancelled jobs", err)
	}
	var out []string
	for i, c := range cmds {
		if c.Val() != "" {
			out = append(out, running[i].ID)
		}
	}
	return out, nil
}
