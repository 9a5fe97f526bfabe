package jobs_test

import (
	"testing"
	"time"

	"switchyard/jobs"
)

// A task that was fetched and not claimed is taken over as soon as its lease
// shows that no living server knows of it: asynq's servers extend their leases
// of 30 s every 5 s. It isn't taken from one that does.
func TestSweepReadsLeases(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		lease   time.Duration // that is left
		rescued int
	}{
		{"fetched a moment ago", 29 * time.Second, 0},
		{"extended at the last beat", 24 * time.Second, 0},
		{"not extended three times", 14 * time.Second, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			w := b.store.NewSweeper(discard)
			b.awake(t, w)
			id := b.accept(t, toggle(16))
			b.fetch(t, id, tt.lease)
			if n := b.awake(t, w); n.Rescued != tt.rescued {
				t.Errorf("swept: %+v, want %d rescued", n, tt.rescued)
			}
			_, v := b.tryClaim(t, id, 1)
			if want := map[int]jobs.Verdict{0: jobs.Run, 1: jobs.Stale}[tt.rescued]; v != want {
				t.Errorf("the one who fetched it claims: %v, want %v", v, want)
			}
		})
	}
}
