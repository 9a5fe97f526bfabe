package hosts_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/hosts"
)

// rotated notes a toggle and returns what the dongle's come to then.
func (b *bundle) rotated(t *testing.T, id string, at time.Time, old, next string) hosts.Rotations {
	t.Helper()
	must(t, b.reg.NoteRotation(b.ctx, "seoul-1", 16, hosts.Rotation{ID: id, At: at, Old: old, New: next}))
	st, err := b.reg.State(b.ctx, "seoul-1")
	must(t, err)
	return st.Rotated(16, at)
}

// Ensure an address counts as unique where the dongle had not had it before:
// neither as the one that a toggle brought nor as the one that it began with;
// and that a toggle that is noted twice counts once.
func TestRotations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, tt := range []struct {
		id, old, next   string
		toggles, unique int
	}{
		{"j_1", "203.0.113.1", "203.0.113.2", 1, 1},
		{"j_2", "203.0.113.2", "203.0.113.2", 2, 1}, // unchanged
		{"j_3", "203.0.113.2", "203.0.113.3", 3, 2},
		{"j_3", "203.0.113.2", "203.0.113.3", 3, 2}, // written once more, after an outage
		{"j_4", "203.0.113.3", "203.0.113.1", 4, 2}, // what it once began with
		{"j_5", "", "203.0.113.4", 5, 3},            // it had none
		{"j_6", "203.0.113.9", "203.0.113.2", 6, 3}, // long ago
		{"j_7", "203.0.113.2", "2001:db8::1", 7, 4},
	} {
		at := now.Add(time.Duration(i) * time.Minute)
		want := hosts.Rotations{Toggles: tt.toggles, Unique: tt.unique, Until: at}
		if diff := cmp.Diff(want, b.rotated(t, tt.id, at, tt.old, tt.next)); diff != "" {
			t.Errorf("after %s of %d (-want +got):\n%s", tt.id, i, diff)
		}
	}
	// Another dongle's are its own.
	must(t, b.reg.NoteRotation(b.ctx, "seoul-1", 17, hosts.Rotation{ID: "j_8", At: now, New: "203.0.113.2"}))
	st, err := b.reg.State(b.ctx, "seoul-1")
	must(t, err)
	sum := st.Rotated(16, now).Add(st.Rotated(17, now)).Add(st.Rotated(18, now))
	if share, ok := sum.Ratio(); sum.Toggles != 8 || sum.Unique != 5 || !ok || share != 0.625 {
		t.Errorf("the host's are %+v, %v", sum, share)
	}
	if _, ok := st.Rotated(18, now).Ratio(); ok {
		t.Error("a dongle without toggles has a share")
	}
}

// Ensure what is kept of a dongle is bounded in number and age: an address that
// has left the window is new again.
func TestRotations_window(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range hosts.RotationToggles {
		b.rotated(t, fmt.Sprint("j_", i), now, "", fmt.Sprint("address ", i))
	}
	size := func() int64 {
		n, err := b.rdb.Do(b.ctx, "HSTRLEN", "sw:v1:h:seoul-1:addresses", "16").Int64()
		must(t, err)
		return n
	}
	before := size()
	// The first one has just left, the second one leaves with this.
	if got := b.rotated(t, "j_x", now, "", "address 0"); got.Toggles != hosts.RotationToggles || got.Unique != hosts.RotationToggles {
		t.Errorf("with the address of the one that left: %+v", got)
	}
	if got := b.rotated(t, "j_y", now, "", "address 50"); got.Toggles != hosts.RotationToggles || got.Unique != hosts.RotationToggles-1 {
		t.Errorf("with an address of the window: %+v", got)
	}
	if after := size(); after > before+64 {
		t.Errorf("what is kept has grown from %d to %d bytes", before, after)
	}
	later := now.Add(hosts.RotationAge + time.Minute)
	st, err := b.reg.State(b.ctx, "seoul-1")
	must(t, err)
	if got := st.Rotated(16, later); got.Toggles != 0 {
		t.Errorf("two weeks later: %+v", got)
	}
	if got := b.rotated(t, "j_z", later, "", "address 50"); got.Toggles != 1 || got.Unique != 1 {
		t.Errorf("after a toggle two weeks later: %+v", got)
	}
}

// Ensure what can't be read is begun anew, and that a host that is removed takes
// it along.
func TestRotations_gone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.reg.Register(b.ctx, info("seoul-1")))
	must(t, b.rdb.HSet(b.ctx, "sw:v1:h:seoul-1:addresses", "16", "{").Err())
	if got := b.rotated(t, "j_1", now, "", "203.0.113.2"); got.Toggles != 1 {
		t.Errorf("after what could not be read: %+v", got)
	}
	must(t, b.reg.Remove(b.ctx, "seoul-1", now.Add(ttl)))
	must(t, b.reg.Forget(b.ctx, "seoul-1"))
	if keys, err := b.rdb.Keys(b.ctx, "sw:v1:h:seoul-1:*").Result(); err != nil || len(keys) > 0 {
		t.Errorf("left: %q, %v", keys, err)
	}
}

// Ensure dongles collide that are connected and show one address, and no others.
func TestCollisions(t *testing.T) {
	t.Parallel()
	shows := func(ip string, connected bool) hosts.Dongle {
		return hosts.Dongle{ExternalIP: ptr(ip), Connected: connected}
	}
	st := hosts.State{Dongles: map[int]hosts.Dongle{
		11: shows("203.0.113.1", true), 12: shows("203.0.113.2", true), 13: shows("203.0.113.1", true), 14: {Connected: true},
		15: shows("203.0.113.2", false), 16: shows("203.0.113.3", true), 17: shows("203.0.113.3", true), 18: shows("203.0.113.3", true),
		19: shows("203.0.113.1", true), // not of the host any more
	}}
	want := []hosts.Collision{{IP: "203.0.113.1", Subnets: []int{11, 13}}, {IP: "203.0.113.3", Subnets: []int{16, 17, 18}}}
	if diff := cmp.Diff(want, st.Collisions([]int{18, 17, 16, 15, 14, 13, 12, 11, 20})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := st.Collisions(nil); len(got) > 0 {
		t.Errorf("of no dongles: %v", got)
	}
}
