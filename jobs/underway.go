package jobs

import (
	"context"
	"strings"
	"time"

	"switchyard/tasks"
)

// UnderWay returns the unfinished jobs of a host that hold these join keys.
// Error: ErrUnavailable.
func (s *Store) UnderWay(ctx context.Context, host string, joinKeys []string) (map[string]*Job, error) {
	all, err := s.UnderWayOn(ctx, map[string][]string{host: joinKeys})
	return all[host], err
}

// UnderWayOn is UnderWay for several hosts, by name. Error: ErrUnavailable.
func (s *Store) UnderWayOn(ctx context.Context, joinKeys map[string][]string) (map[string]map[string]*Job, error) {
	type place struct{ host, key string }
	var places []place
	var keys []string
	for host, all := range joinKeys {
		for _, k := range all {
			places = append(places, place{host, k})
			keys = append(keys, home(host).join(k))
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	ids, err := s.rdb.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, unavailable("reading what is under way on "+hostsOf(joinKeys), err)
	}
	var members []string
	var held []place
	for i, v := range ids {
		if id, ok := v.(string); ok {
			members = append(members, home(places[i].host).member(id))
			held = append(held, places[i])
		}
	}
	found, err := s.read(ctx, members)
	if err != nil {
		return nil, err
	}
	out := make(map[string]map[string]*Job, len(joinKeys))
	for host := range joinKeys {
		out[host] = map[string]*Job{}
	}
	for i, f := range found {
		if f.job != nil && !f.job.State.Final() {
			out[held[i].host][held[i].key] = f.job
		}
	}
	return out, nil
}

// TogglesSince tells since when the toggles of a host's dongles run that do, by
// subnet. One that waits for its worker, again perhaps, is none of them. Error:
// ErrUnavailable.
func (s *Store) TogglesSince(ctx context.Context, host string, subnets []int) (map[int]time.Time, error) {
	keys := make([]string, len(subnets))
	for i, n := range subnets {
		keys[i] = tasks.ToggleKey(n)
	}
	underWay, err := s.UnderWay(ctx, host, keys)
	if err != nil {
		return nil, err
	}
	started := map[int]time.Time{}
	for _, j := range underWay {
		if j.State == Running {
			started[j.Subnet] = j.Started
		}
	}
	return started, nil
}

func hostsOf(joinKeys map[string][]string) string {
	var names []string
	for h := range joinKeys {
		names = append(names, h)
	}
	return "host " + strings.Join(names, ", ")
}
