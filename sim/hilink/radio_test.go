package hilink

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bench is a radio on a clock that the test turns. A way back takes ten
// seconds, so a second is a tenth of it.
type bench struct {
	*radio
	now time.Time
	log []string
}

func newBench(stickyBelow time.Duration) *bench {
	b := &bench{now: time.Unix(0, 0)}
	n := byte(0)
	b.radio = &radio{
		reattach: 10 * time.Second, stickyBelow: stickyBelow, data: true,
		mode: NetMode{"00", "2000004400000", "80800D5"},
		next: func() netip.Addr { n++; return netip.AddrFrom4([4]byte{203, 0, 113, n}) },
		moved: func(now time.Time, what string) {
			b.log = append(b.log, fmt.Sprintf("%ds %s", now.Unix(), what))
		},
	}
	b.attach(b.now)
	return b
}

// run lets time pass, and ticks whenever the radio asks for it, as the modem
// does.
func (b *bench) run(d time.Duration) {
	end := b.now.Add(d)
	for {
		due, ok := b.due()
		if !ok || due.After(end) {
			break
		}
		b.now = due
		b.tick(b.now)
	}
	b.now = end
}

func (b *bench) to(mode string) {
	m := b.mode
	m.Mode = mode
	b.setMode(b.now, m)
}

// Ensure what leads to a detachment, for how long, and which address returns.
func TestRadio(t *testing.T) {
	t.Parallel()
	const first = "0s attached 203.0.113.1"
	tests := []struct {
		name        string
		stickyBelow time.Duration
		do          func(*bench)
		want        []string
	}{
		{"nothing", 0, func(b *bench) { b.run(time.Hour) }, nil},
		{"another mode", 0, func(b *bench) { b.run(time.Second); b.to("03"); b.run(time.Minute) },
			[]string{"1s detached", "11s attached 203.0.113.2"}},
		{"the same mode", 0, func(b *bench) { b.to("00"); b.run(time.Minute) }, nil},
		{"mode unchanged", 0, func(b *bench) { b.to(unchangedMode); b.run(time.Minute) }, nil},
		{"the same mode, spelt otherwise", 0, func(b *bench) {
			b.setMode(b.now, NetMode{"00", "02000004400000", "80800d5"})
			b.run(time.Minute)
		}, nil},
		{"other bands", 0, func(b *bench) {
			b.setMode(b.now, NetMode{"00", "2000004400000", "4"})
			b.run(time.Minute)
		}, []string{"0s detached", "10s attached 203.0.113.2"}},
		{"mode there and back", 0, func(b *bench) { b.to("03"); b.run(4 * time.Second); b.to("00"); b.run(time.Minute) },
			[]string{"0s detached", "14s attached 203.0.113.2"}},
		{"the same mode while attaching", 0, func(b *bench) { b.to("03"); b.run(4 * time.Second); b.to("03"); b.run(time.Minute) },
			[]string{"0s detached", "10s attached 203.0.113.2"}},
		{"data off", 0, func(b *bench) { b.setData(b.now, false); b.run(time.Hour) }, []string{"0s detached"}},
		{"data off and on", 0, func(b *bench) {
			b.setData(b.now, false)
			b.run(6 * time.Second)
			b.setData(b.now, true)
			b.run(time.Minute)
		}, []string{"0s detached", "16s attached 203.0.113.2"}},
		{"data on while on", 0, func(b *bench) { b.setData(b.now, true); b.run(time.Minute) }, nil},
		{"data off while attaching", 0, func(b *bench) { b.to("03"); b.run(time.Second); b.setData(b.now, false); b.run(time.Hour) },
			[]string{"0s detached"}},
		{"data off, too short", 6 * time.Second, func(b *bench) {
			b.setData(b.now, false)
			b.run(5 * time.Second)
			b.setData(b.now, true)
			b.run(time.Minute)
		}, []string{"0s detached", "15s attached 203.0.113.1"}},
		{"data off, long enough", 6 * time.Second, func(b *bench) {
			b.setData(b.now, false)
			b.run(6 * time.Second)
			b.setData(b.now, true)
			b.run(time.Minute)
		}, []string{"0s detached", "16s attached 203.0.113.2"}},
		{"data off too short, with another mode", 6 * time.Second, func(b *bench) {
			b.setData(b.now, false)
			b.to("03")
			b.run(time.Second)
			b.setData(b.now, true)
			b.run(time.Minute)
		}, []string{"0s detached", "11s attached 203.0.113.2"}},
		{"sticky", 0, func(b *bench) {
			b.sticky = true
			b.to("03")
			b.run(time.Minute)
			b.sticky = false
			b.to("00")
			b.run(time.Minute)
		},
			[]string{"0s detached", "10s attached 203.0.113.1", "60s detached", "70s attached 203.0.113.2"}},
		{"barred while attached", 0, func(b *bench) { b.bar(b.now, true); b.run(time.Minute) }, nil},
		{"barred", 0, func(b *bench) {
			b.bar(b.now, true)
			b.to("03")
			b.run(time.Minute)
			b.bar(b.now, false)
			b.run(time.Minute)
		},
			[]string{"0s detached", "70s attached 203.0.113.2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(tt.stickyBelow)
			tt.do(b)
			if diff := cmp.Diff(append([]string{first}, tt.want...), b.log); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if last := b.log[len(b.log)-1]; b.attached != strings.Contains(last, "attached 203") || b.address().IsValid() != b.attached {
				t.Errorf("attached = %v with %v after %q", b.attached, b.address(), last)
			}
		})
	}
}

// Ensure the states on the way back come in the order that a modem shows.
func TestRadio_status(t *testing.T) {
	t.Parallel()
	course := func(b *bench) (out []string) {
		for range 12 {
			cell := "cell"
			if !b.onCell(b.now) {
				cell = "none"
			}
			out = append(out, fmt.Sprint(b.status(b.now), " ", cell))
			b.run(time.Second)
		}
		return out
	}
	times := func(n int, s string) []string { return strings.Split(strings.Repeat(s+"\n", n)[:n*(len(s)+1)-1], "\n") }
	join := func(parts ...[]string) (out []string) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}

	b := newBench(0)
	b.to("03")
	want := join(times(1, "903 none"), times(3, "902 none"), times(6, "900 cell"), times(2, "901 cell"))
	if diff := cmp.Diff(want, course(b)); diff != "" {
		t.Errorf("net mode (-want +got):\n%s", diff)
	}

	b = newBench(0)
	b.setData(b.now, false)
	if diff := cmp.Diff(join(times(1, "903 cell"), times(11, "902 cell")), course(b)); diff != "" {
		t.Errorf("data off (-want +got):\n%s", diff)
	}
	b.setData(b.now, true)
	if diff := cmp.Diff(join(times(10, "900 cell"), times(2, "901 cell")), course(b)); diff != "" {
		t.Errorf("data on (-want +got):\n%s", diff)
	}

	b = newBench(0)
	b.bar(b.now, true)
	b.to("03")
	b.run(time.Hour)
	if got := b.status(b.now); got != connecting {
		t.Errorf("barred: %d, want it to go on dialling", got)
	}
}

// Ensure the default addresses differ from one attachment to the next, and
// between all dongles of a host at any time.
func TestAddresses(t *testing.T) {
	t.Parallel()
	owner := map[netip.Addr]int{}
	for subnet := 11; subnet <= 30; subnet++ {
		next, again := addresses(subnet, 7), addresses(subnet, 7)
		seen := map[netip.Addr]bool{}
		var before netip.Addr
		for range 100 {
			a := next()
			if a == before || !netip.MustParsePrefix("203.0.113.0/24").Contains(a) || a.As4()[3] == 0 || a.As4()[3] == 255 {
				t.Fatalf("dongle %d: %v after %v", subnet, a, before)
			}
			if b := again(); a != b {
				t.Fatalf("dongle %d: %v and %v for the same seed", subnet, a, b)
			}
			if o, taken := owner[a]; taken && o != subnet {
				t.Fatalf("dongles %d and %d share %v", subnet, o, a)
			}
			owner[a], seen[a], before = subnet, true, a
		}
		if len(seen) != 12 {
			t.Errorf("dongle %d has %d addresses", subnet, len(seen))
		}
	}
	for _, odd := range []int{0, -5, 10, 31, 255} {
		if a := addresses(odd, 1<<63)(); !a.IsValid() {
			t.Errorf("dongle %d has none", odd)
		}
	}
}
