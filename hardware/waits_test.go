package hardware_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/hardware"
	"switchyard/tasks"
)

// Ensure the record of a step tells what it waits for while it does, how long each
// wait took, one that comes again as one, and that none is told of another step.
func TestToggle_waits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, unplugged)
		p.repairs[3] = keeps
		l, j := p.ladder(), &journal{}
		l.Repairs[3] = func(ctx context.Context, d *hardware.Dongle) error {
			for _, w := range []struct {
				name string
				d    time.Duration
			}{{"device", 2 * time.Second}, {"address", 3 * time.Second}, {"device", time.Second}, {"device", time.Second}} {
				hardware.NoteWait(ctx, w.name)
				<-time.After(w.d)
			}
			return p.repair(3)(ctx, d)
		}
		hardware.NoteWait(t.Context(), "nobody listens")
		if _, err := l.Toggle(t.Context(), p.dongle(t, p.modem()), j.hooks()); err != nil {
			t.Fatal(err)
		}
		want := []tasks.ToggleWait{{Name: "device", DurationMS: 4000}, {Name: "address", DurationMS: 3000}, {Name: "connectivity"}}
		if diff := cmp.Diff(want, j.last().Steps[0].Waits); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		var told []string
		for _, said := range j.said {
			for _, s := range said.Steps {
				told = append(told, fmt.Sprint(s.Outcome, s.Waits))
			}
		}
		wanted := []string{
			"running[]", "running[{device 0}]", "running[{device 2000} {address 0}]", "running[{device 2000} {address 3000}]",
			"running[{device 4000} {address 3000} {connectivity 0}]", "ok[{device 4000} {address 3000} {connectivity 0}]",
		}
		if diff := cmp.Diff(wanted, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}
