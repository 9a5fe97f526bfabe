package jobs

import (
	"context"
	"errors"
	"strings"
)

// LetGoOfStrays looks for jobs that stand as run by this process and that none
// of its handlers runs. Redis has then forgotten their outcome: it was written
// to a Redis that died before it was on disk, or to a master whose place was
// taken by a replica that had not heard of it. Nobody else would ever take them
// up, for this process is alive. They get their next attempt, or have failed if
// they must not be done twice. It reads all unfinished jobs, so it is for after
// an outage. Error: ErrUnavailable.
func (p *Process) LetGoOfStrays(ctx context.Context) (n int, err error) {
	for _, h := range p.homes {
		to, err := p.store.rdb.ZCard(ctx, h.open()).Result()
		if err != nil {
			return n, unavailable("looking for strays", err)
		}
		// From the end: those that leave meanwhile move nobody out of sight.
		for ; to > 0; to -= sweepBatch {
			ids, err := p.store.rdb.ZRange(ctx, h.open(), max(0, to-sweepBatch), to-1).Result()
			if err != nil {
				return n, unavailable("looking for strays", err)
			}
			members := make([]string, len(ids))
			for i, id := range ids {
				members[i] = h.member(id)
			}
			found, err := p.store.read(ctx, members)
			if err != nil {
				return n, err
			}
			for _, f := range found {
				j := f.job
				// Asked after the read: a handler has its name before it claims.
				if j == nil || j.State != Running || !strings.HasPrefix(j.Holder, p.ID+"#") || p.uses(j.Holder) {
					continue
				}
				err := (&Claim{Job: j, store: p.store, owner: j.Holder}).Abandon(ctx)
				switch {
				case err == nil:
					n++
				case !errors.Is(err, ErrLost): // else its outcome came meanwhile
					return n, err
				}
			}
		}
	}
	return n, nil
}
