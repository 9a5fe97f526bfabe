package recovery

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"switchyard/hardware/statefile"
)

// spending is the file of one dongle's power cycles.
type spending struct {
	Cycles []time.Time `json:"cycles"`
}

func (r *Recovery) budgetPath(n int) string {
	return filepath.Join(r.opt.Dir, "dongle-"+strconv.Itoa(n)+".power")
}

// spent are the power cycles of a dongle that still count. What can't be read, or
// is of the future because the clock was put back, doesn't.
func (r *Recovery) spent(n int, now time.Time) []time.Time {
	var s spending
	_, _ = statefile.Read(r.budgetPath(n), &s)
	return slices.DeleteFunc(s.Cycles, func(t time.Time) bool { return t.After(now) || now.Sub(t) >= r.opt.BudgetTime })
}

// affordable tells whether a dongle may lose power now. Error: ErrUnavailable.
func (r *Recovery) affordable(n int) error {
	now := time.Now()
	spent := r.spent(n, now)
	if r.opt.Budget <= 0 {
		return unavailable("toggle.power.budget is 0: no dongle is power cycled")
	}
	if len(spent) < r.opt.Budget {
		return nil
	}
	free := spent[len(spent)-r.opt.Budget].Add(r.opt.BudgetTime).Sub(now).Round(time.Second)
	return unavailable("dongle %d has lost power %s within %s (toggle.power.budget): it may again in %s", n, times(len(spent)), r.opt.BudgetTime, free)
}

// spend notes a power cycle, before it is done. refund takes that back.
func (r *Recovery) spend(n int) (refund func(), err error) {
	now := time.Now()
	before := r.spent(n, now)
	s := spending{Cycles: append(slices.Clone(before), now.UTC())}
	if err := statefile.Write(r.budgetPath(n), s); err != nil {
		return nil, fmt.Errorf("noting that dongle %d is power cycled: %w", n, err)
	}
	return func() {
		// Where that can't be, it has one less than it should.
		_ = statefile.Write(r.budgetPath(n), spending{Cycles: before})
	}, nil
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}
