package jobs

import (
	"context"
	"time"

	"switchyard/tasks"
)

const (
	// dropBatch is how many of the oldest jobs are looked at at once.
	dropBatch = 500
	// dropMost bounds what one sweep forgets of one type: more than a thousand
	// a second, as often as sweeps come.
	dropMost = 10_000
)

// dropOld forgets ended jobs of a type beyond the retention or the number
// kept. Old ones come first in the index, so it stops at the first one that is
// young enough; the unfinished among the old are passed over.
func (s *Store) dropOld(ctx context.Context, t tasks.Type) (dropped int, err error) {
	index := typeIndex(t)
	total, err := s.rdb.ZCard(ctx, index).Result()
	if err != nil {
		return 0, unavailable("counting jobs", err)
	}
	surplus := int(total) - s.opt.MaxPerType
	cut := s.Now().Add(-s.opt.Retention)
	for kept := 0; dropped < dropMost; {
		members, err := s.rdb.ZRange(ctx, index, int64(kept), int64(kept+dropBatch-1)).Result()
		if err != nil {
			return dropped, unavailable("reading the oldest jobs", err)
		}
		n, err := s.dropAmong(ctx, t, members, surplus-dropped-kept, cut)
		dropped += n.dropped
		kept += n.kept
		if err != nil || n.young || len(members) < dropBatch {
			return dropped, err
		}
	}
	return dropped, nil
}

// among is what became of a batch of the oldest jobs.
type among struct {
	dropped, kept int
	// young: behind the last of these, all are to be kept.
	young bool
}

// dropAmong forgets those members, the oldest first, that are beyond the
// number kept (the first surplus ones) or ended before cut.
func (s *Store) dropAmong(ctx context.Context, t tasks.Type, members []string, surplus int, cut time.Time) (n among, err error) {
	old := len(members)
	for i, m := range members {
		id, _ := parseMember(m)
		if at, ok := idTime(id); i >= surplus && ok && at.After(cut) {
			old, n.young = i, true
			break
		}
	}
	records, err := s.read(ctx, members[:old])
	if err != nil {
		return n, err
	}
	for i, r := range records {
		// One that can't be read is the script's to judge, which reads its
		// state alone.
		if j := r.job; j != nil && (!j.State.Final() || (i >= surplus && j.Completed.After(cut))) {
			n.kept++
			continue
		}
		gone, err := s.drop(ctx, t, members[i])
		switch {
		case err != nil:
			return n, err
		case gone:
			n.dropped++
		default:
			n.kept++
		}
	}
	return n, nil
}

// drop forgets one job, or what is left of it where its record is already gone;
// false: it has not ended.
func (s *Store) drop(ctx context.Context, t tasks.Type, member string) (bool, error) {
	id, h := parseMember(member)
	keys := []string{h.record(id), h.audience(id), typeIndex(t)}
	if h != "" {
		keys = append(keys, hostIndex(string(h)))
	}
	chats, _, err := s.Audience(ctx, &Job{ID: id, Host: string(h)})
	if err != nil && !wrongKind(err) {
		return false, err
	}
	for _, c := range chats {
		keys = append(keys, chatIndex(c))
	}
	n, err := dropScript.Run(ctx, s.rdb, keys, member).Int()
	if err != nil {
		return false, unavailable("forgetting job "+id, err)
	}
	return n == 1, nil
}
