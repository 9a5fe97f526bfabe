package jobs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Phase of a job that others are told of.
type Phase string

// The phases. Of two debts of one millisecond the start sorts first.
const (
	PhaseStart  Phase = "begin"
	PhaseResult Phase = "end"
)

// Debt is word that others have to be told of a phase of one run of a job. It
// stays until it is settled, however often it is read.
type Debt struct {
	JobID, Host string
	Phase       Phase
	// Run is that of the job; 0: this is no debt. Should debts ever be written in
	// another way, then under another key.
	Run int
	// entry is how it stands in the set.
	entry string
}

// Debts returns the oldest of them, at most n, after the first skip. One that
// can't be read is among them, with Run 0. Error: ErrUnavailable.
func (s *Store) Debts(ctx context.Context, skip, n int64) ([]Debt, error) {
	res, err := s.rdb.ZRange(ctx, owedKey, skip, skip+n-1).Result()
	if err != nil {
		return nil, unavailable("reading what is owed", err)
	}
	out := make([]Debt, len(res))
	for i, e := range res {
		out[i] = parseDebt(e)
	}
	return out, nil
}

// Settle strikes a debt off, once all that follows from it is accepted. Error:
// ErrUnavailable.
func (s *Store) Settle(ctx context.Context, d Debt) error {
	if err := s.rdb.ZRem(ctx, owedKey, d.entry).Err(); err != nil {
		return unavailable("settling what job "+d.JobID+" owes", err)
	}
	return nil
}

// String is the debt as it stands in the set: job|host|phase|run.
func (d Debt) String() string { return d.entry }

func parseDebt(entry string) Debt {
	d := Debt{entry: entry}
	p := strings.Split(entry, "|")
	if len(p) != 4 {
		return d
	}
	if run, err := strconv.Atoi(p[3]); err == nil && run > 0 {
		d.JobID, d.Host, d.Phase, d.Run = p[0], p[1], Phase(p[2]), run
	}
	return d
}

// debtEntry is how a debt of job j stands in the set.
func debtEntry(j *Job, phase Phase) string {
	return debtPrefix(j.ID, j.Host, phase) + strconv.Itoa(j.Run)
}

// debtPrefix is an entry without its run, for claim.lua, which adds it.
func debtPrefix(id, host string, phase Phase) string {
	return fmt.Sprintf("%s|%s|%s|", id, host, phase)
}
