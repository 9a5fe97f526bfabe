package jobs

import (
	"context"

	"switchyard/tasks"
)

// dropBatch bounds what one sweep drops of one type.
const dropBatch = 500

// dropOld forgets ended jobs of a type beyond the retention or the number
// kept. Old ones come first in the index, so it stops at the first one that is
// young enough; the unfinished among the old are passed over.
func (s *Store) dropOld(ctx context.Context, t tasks.Type) (int, error) {
	index := typeIndex(t)
	total, err := s.rdb.ZCard(ctx, index).Result()
	if err != nil {
		return 0, unavailable("counting jobs", err)
	}
	surplus := int(total) - s.opt.MaxPerType
	members, err := s.rdb.ZRange(ctx, index, 0, dropBatch-1).Result()
	if err != nil {
		return 0, unavailable("reading the oldest jobs", err)
	}
	cut := s.Now().Add(-s.opt.Retention)
	old := members[:0:0]
	for i, m := range members {
		id, _ := parseMember(m)
		if at, ok := idTime(id); i >= surplus && ok && at.After(cut) {
			break
		}
		old = append(old, m)
	}
	jobs, err := s.read(ctx, old)
	if err != nil {
		return 0, err
	}
	n := 0
	for i, j := range jobs {
		if j != nil && (!j.State.Final() || (i >= surplus && j.Completed.After(cut))) {
			continue
		}
		if err := s.drop(ctx, t, old[i]); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// drop forgets one job, or what is left of it where its record is already gone.
func (s *Store) drop(ctx context.Context, t tasks.Type, member string) error {
	id, h := parseMember(member)
	keys := []string{h.record(id), h.audience(id), typeIndex(t)}
	if h != "" {
		keys = append(keys, hostIndex(string(h)))
	}
	chats, _, err := s.Audience(ctx, &Job{ID: id, Host: string(h)})
	if err != nil {
		return err
	}
	for _, c := range chats {
		keys = append(keys, chatIndex(c))
	}
	if err := dropScript.Run(ctx, s.rdb, keys, member).Err(); err != nil {
		return unavailable("forgetting job "+id, err)
	}
	return nil
}
