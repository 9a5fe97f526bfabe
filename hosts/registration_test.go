package hosts_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/hosts"
)

// of is a host of this machine and process, seen that long after now.
func of(machine, process string, later time.Duration) hosts.Info {
	i := info("a")
	i.Machine, i.Process, i.Seen = machine, process, now.Add(later)
	i.ServerIP = map[string]string{"m1": "198.51.100.1", "m2": "198.51.100.2"}[machine]
	return i
}

// taken holds an error to say who has the name, since when and what to do.
func taken(t *testing.T, err error, ip string, since time.Time) {
	t.Helper()
	var e *hosts.TakenError
	if !errors.Is(err, hosts.ErrTaken) || !errors.As(err, &e) {
		t.Fatalf("error %v, want ErrTaken", err)
	}
	if e.Host != "a" || e.ServerIP != ip || !e.Since.Equal(since) {
		t.Errorf("it says %+v, want host a of %s since %s", e, ip, since)
	}
	for _, part := range []string{ip, since.UTC().Format(time.RFC3339), "host.name"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %s", err, part)
		}
	}
}

// is holds who the host is.
func (b *bundle) is(t *testing.T, want hosts.Info) {
	t.Helper()
	got, err := b.reg.Get(b.ctx, "a")
	must(t, err)
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("the host (-want +got):\n%s", diff)
	}
}

func (b *bundle) claims(t *testing.T, i hosts.Info, inherits bool) {
	t.Helper()
	got, err := b.reg.Claim(b.ctx, i)
	must(t, err)
	if got != inherits {
		t.Errorf("it inherits: %v, want %v", got, inherits)
	}
	b.is(t, i)
}

// Ensure a name is one machine's while that is online: another is refused, with
// words of who has it, and changes nothing.
func TestClaim(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.claims(t, of("m1", "p1", 0), true)
	must(t, b.reg.Register(b.ctx, of("m1", "p1", 3*time.Second)))
	_, err := b.reg.Claim(b.ctx, of("m2", "p2", ttl))
	taken(t, err, "198.51.100.1", now)
	b.is(t, of("m1", "p1", 3*time.Second))

	// Its own machine's next process takes it at any time, and the machine has
	// had it since it first did.
	b.claims(t, of("m1", "p3", 4*time.Second), true)
	_, err = b.reg.Claim(b.ctx, of("m2", "p2", 5*time.Second))
	taken(t, err, "198.51.100.1", now)

	// Offline, it is free.
	b.claims(t, of("m2", "p2", 4*time.Second+ttl), false)
	_, err = b.reg.Claim(b.ctx, of("m1", "p4", 5*time.Second+ttl))
	taken(t, err, "198.51.100.2", now.Add(4*time.Second+ttl))
	must(t, b.reg.Leave(b.ctx, of("m2", "p2", 4*time.Second+ttl)))
	b.claims(t, of("m1", "p4", 5*time.Second+ttl), false)
}

// Ensure a machine that was replaced while it was away hears of it by its next
// heartbeat, whether its successor is still there or not, and can neither speak
// nor leave in the name of that; and that so does a process that was replaced
// on a machine with the same id.
func TestReplaced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := of("m1", "p1", 0), of("m2", "p2", ttl)
	b.claims(t, first, true)
	b.claims(t, second, false)
	for _, later := range []time.Duration{ttl + time.Second, time.Hour} {
		taken(t, b.reg.Register(b.ctx, of("m1", "p1", later)), "198.51.100.2", now.Add(ttl))
		must(t, b.reg.Leave(b.ctx, of("m1", "p1", later)))
		b.is(t, second)
	}
	third := of("m2", "p3", ttl+time.Second)
	b.claims(t, third, true)
	taken(t, b.reg.Register(b.ctx, of("m2", "p2", ttl+2*time.Second)), "198.51.100.2", now.Add(ttl))
	must(t, b.reg.Leave(b.ctx, second))
	b.is(t, third)
}

// Ensure a process that was away for longer than it is believed alive goes on
// when nobody took its place.
func TestBackAfterAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.claims(t, of("m1", "p1", 0), true)
	must(t, b.reg.Register(b.ctx, of("m1", "p1", time.Hour)))
	b.is(t, of("m1", "p1", time.Hour))
	must(t, b.rdb.FlushAll(b.ctx).Err()) // as when Redis lost its data
	must(t, b.reg.Register(b.ctx, of("m1", "p1", 2*time.Hour)))
	b.is(t, of("m1", "p1", 2*time.Hour))
}

// Ensure only a known host that is offline is removed, for good and with all
// that was known of it, and that each step may be repeated.
func TestRemove(t *testing.T) {
	t.Parallel()
	b := setup(t)
	removed := func(at time.Time, want ...string) {
		t.Helper()
		got, err := b.reg.Removed(b.ctx, at)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("removed hosts (-want +got):\n%s", diff)
		}
	}
	if err := b.reg.Remove(b.ctx, "a", now); !errors.Is(err, hosts.ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
	b.claims(t, of("m1", "p1", 0), true)
	must(t, b.reg.Register(b.ctx, info("other")))
	must(t, b.reg.SetDongle(b.ctx, "a", 16, hosts.Dongle{Collected: now}))
	must(t, b.reg.SetLastToggle(b.ctx, "a", 16, now))
	if err := b.reg.Remove(b.ctx, "a", now.Add(ttl-time.Millisecond)); !errors.Is(err, hosts.ErrOnline) {
		t.Errorf("online: %v", err)
	}
	removed(now)
	gone := now.Add(ttl)
	for range 2 { // as after a crash
		must(t, b.reg.Remove(b.ctx, "a", gone))
		removed(gone, "a")
	}
	for range 2 {
		must(t, b.reg.Forget(b.ctx, "a"))
	}
	if _, err := b.reg.Get(b.ctx, "a"); !errors.Is(err, hosts.ErrUnknown) {
		t.Errorf("a removed host: %v", err)
	}
	if err := b.reg.Remove(b.ctx, "a", gone); !errors.Is(err, hosts.ErrUnknown) {
		t.Errorf("removed again: %v", err)
	}
	if left := b.rdb.Keys(b.ctx, "sw:v1:h:a:*").Val(); len(left) != 0 {
		t.Errorf("left %q", left)
	}
	if left := b.rdb.SMembers(b.ctx, "sw:v1:hosts").Val(); len(left) != 1 || left[0] != "other" {
		t.Errorf("hosts left: %q", left)
	}
	removed(gone.Add(time.Hour), "a")
	removed(gone.Add(time.Hour + time.Millisecond))
	removed(gone) // struck off
}

// Ensure a host that comes back while it is being removed stays, and is no
// longer looked after.
func TestRemoveOfAHostThatComesBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.claims(t, of("m1", "p1", 0), true)
	must(t, b.reg.Remove(b.ctx, "a", now.Add(ttl)))
	back := of("m1", "p1", ttl+time.Second)
	must(t, b.reg.Register(b.ctx, back))
	if err := b.reg.Forget(b.ctx, "a"); !errors.Is(err, hosts.ErrOnline) {
		t.Errorf("forgetting it: %v", err)
	}
	b.is(t, back)
	if got, err := b.reg.Removed(b.ctx, now.Add(ttl)); err != nil || len(got) != 0 {
		t.Errorf("looked after: %q, %v", got, err)
	}
	if n := b.rdb.ZCard(b.ctx, "sw:v1:hosts:removed").Val(); n != 0 {
		t.Errorf("%d entries left", n)
	}
	// A removed one that registers anew is one like any other.
	must(t, b.reg.Remove(b.ctx, "a", now.Add(time.Hour)))
	must(t, b.reg.Forget(b.ctx, "a"))
	b.claims(t, of("m2", "p2", 2*time.Hour), true)
	if got, err := b.reg.Removed(b.ctx, now.Add(2*time.Hour)); err != nil || len(got) != 0 {
		t.Errorf("looked after: %q, %v", got, err)
	}
}
