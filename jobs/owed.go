package jobs

import (
	"context"
	"strings"
)

// Phase of a job that others are told of.
type Phase string

// The phases. Of two debts of one millisecond the start sorts first.
const (
	PhaseStart  Phase = "begin"
	PhaseResult Phase = "end"
)

// Debt is word that others have to be told of a job's phase. It stays until it
// is settled, however often it is read.
type Debt struct {
	JobID, Host string
	Phase       Phase
}

// Debts returns the oldest of them, at most n. Error: ErrUnavailable.
func (s *Store) Debts(ctx context.Context, n int64) ([]Debt, error) {
	res, err := s.rdb.ZRange(ctx, owedKey, 0, n-1).Result()
	if err != nil {
		return nil, unavailable("reading what is owed", err)
	}
	out := make([]Debt, 0, len(res))
	for _, e := range res {
		p := strings.Split(e, "|")
		if len(p) != 3 {
			// Nothing of ours: whoever may add to the set can't hold up the rest.
			if err := s.rdb.ZRem(ctx, owedKey, e).Err(); err != nil {
				return nil, unavailable("striking off what is no debt", err)
			}
			continue
		}
		out = append(out, Debt{JobID: p[0], Host: p[1], Phase: Phase(p[2])})
	}
	return out, nil
}

// Settle strikes a debt off, once all that follows from it is accepted. Error:
// ErrUnavailable.
func (s *Store) Settle(ctx context.Context, d Debt) error {
	if err := s.rdb.ZRem(ctx, owedKey, d.entry()).Err(); err != nil {
		return unavailable("settling what job "+d.JobID+" owes", err)
	}
	return nil
}

func (d *Debt) entry() string { return d.JobID + "|" + d.Host + "|" + string(d.Phase) }
