package hosts_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/hosts"
)

// at is a host with this address.
func at(name, ip string) hosts.Info {
	i := info(name)
	i.ServerIP = ip
	return i
}

// clock is Redis'.
func clock() time.Time { return now }

// Ensure a host is found by name, by address or by both, also one that is new,
// has moved, or has taken another's address since the directory looked last.
func TestDirectory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := hosts.NewDirectory(b.reg, clock)
	for _, step := range []struct {
		what     string
		register []hosts.Info
		name, ip string
		want     string // name; empty: unknown
	}{
		{"nobody", nil, "a", "", ""},
		{"nobody by address", nil, "", "198.51.100.1", ""},
		{"by name", []hosts.Info{at("a", "198.51.100.1")}, "a", "", "a"},
		{"by address", nil, "", "198.51.100.1", "a"},
		{"by both", nil, "a", "198.51.100.1", "a"},
		{"by a name and another's address", []hosts.Info{at("b", "198.51.100.2")}, "a", "198.51.100.2", ""},
		{"by an unknown name and a known address", nil, "c", "198.51.100.1", ""},
		{"new since", nil, "", "198.51.100.2", "b"},
		{"moved", []hosts.Info{at("a", "198.51.100.9")}, "", "198.51.100.9", "a"},
		{"no longer there", nil, "", "198.51.100.1", ""},
		{"its address taken by another", []hosts.Info{at("c", "198.51.100.1")}, "", "198.51.100.1", "c"},
		{"of two with one address the first by name", []hosts.Info{at("z", "198.51.100.7"), at("m", "198.51.100.7")}, "", "198.51.100.7", "m"},
	} {
		for _, i := range step.register {
			must(t, b.reg.Register(b.ctx, i))
		}
		// By the one that looks at the host itself, and by a directory whose
		// page is fresh.
		for how, find := range map[string]func(context.Context, string, string) (*hosts.Info, error){
			"FindNow": d.FindNow, "Find": hosts.NewDirectory(b.reg, clock).Find,
		} {
			got, err := find(b.ctx, step.name, step.ip)
			switch {
			case step.want == "" && !errors.Is(err, hosts.ErrUnknown):
				t.Errorf("%s by %s: %+v, %v", step.what, how, got, err)
			case step.want != "" && (err != nil || got.Name != step.want):
				t.Errorf("%s by %s: %+v, %v, want %s", step.what, how, got, err, step.want)
			}
		}
	}
}

// Ensure of several hosts with one address, as a renamed host leaves behind, the
// one that is online is found, else the one seen last, else the first by name;
// and that a page which was read before one went is no obstacle.
func TestDirectory_oneAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		seen map[string]time.Duration // before now
		left string
		want string
	}{
		{"one online", map[string]time.Duration{"a": time.Hour, "b": time.Second, "c": 2 * time.Hour}, "", "b"},
		{"the first online", map[string]time.Duration{"a": time.Second, "b": time.Hour}, "", "a"},
		{"none online", map[string]time.Duration{"a": 3 * time.Hour, "b": time.Hour, "c": 2 * time.Hour}, "", "b"},
		{"one has left", map[string]time.Duration{"a": time.Second, "b": 2 * time.Second}, "a", "b"},
		{"both online", map[string]time.Duration{"a": 3 * time.Second, "b": time.Second}, "", "a"},
		{"both seen at once", map[string]time.Duration{"b": time.Hour, "a": time.Hour}, "", "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			for name, ago := range tt.seen {
				i := at(name, "198.51.100.1")
				i.Seen = now.Add(-ago)
				must(t, b.reg.Register(b.ctx, i))
				if name == tt.left {
					must(t, b.reg.Leave(b.ctx, i))
				}
			}
			d := hosts.NewDirectory(b.reg, clock)
			for how, find := range map[string]func(context.Context, string, string) (*hosts.Info, error){"FindNow": d.FindNow, "Find": d.Find} {
				if got, err := find(b.ctx, "", "198.51.100.1"); err != nil || got.Name != tt.want {
					t.Errorf("%s: %+v, %v, want %s", how, got, err, tt.want)
				}
			}
		})
	}
	b := setup(t)
	must(t, b.reg.Register(b.ctx, at("a", "198.51.100.1")))
	d := hosts.NewDirectory(b.reg, clock)
	if _, err := d.Find(b.ctx, "", "198.51.100.1"); err != nil {
		t.Fatal(err)
	}
	must(t, b.reg.Leave(b.ctx, at("a", "198.51.100.1")))
	must(t, b.reg.Register(b.ctx, at("b", "198.51.100.1")))
	if got, err := d.FindNow(b.ctx, "", "198.51.100.1"); err != nil || got.Name != "b" {
		t.Errorf("right after it was renamed: %+v, %v", got, err)
	}
}

// Ensure what matters for being online is read as of now.
func TestDirectory_FindNow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := hosts.NewDirectory(b.reg, clock)
	i := at("a", "198.51.100.1")
	must(t, b.reg.Register(b.ctx, i))
	for range 3 {
		got, err := d.FindNow(b.ctx, "a", "")
		must(t, err)
		if !got.Seen.Equal(i.Seen) || !b.reg.Online(got, i.Seen) {
			t.Errorf("seen at %v, want %v", got.Seen, i.Seen)
		}
		i.Seen = i.Seen.Add(time.Second)
		must(t, b.reg.Register(b.ctx, i))
	}
	must(t, b.reg.Leave(b.ctx, i))
	if got, err := d.FindNow(b.ctx, "", "198.51.100.1"); err != nil || b.reg.Online(got, i.Seen) {
		t.Errorf("it has left: %+v, %v", got, err)
	}
}

// reads counts how often the registry is read.
type reads struct{ n atomic.Int64 }

var _ redis.Hook = (*reads)(nil)

func (r *reads) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *reads) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (r *reads) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "smembers" {
			r.n.Add(1)
		}
		return next(ctx, cmd)
	}
}

// Ensure the registry is read once a second at the most, however many ask.
func TestDirectory_readsSeldom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.reg.Register(b.ctx, at("a", "198.51.100.1")))
	count := &reads{}
	b.rdb.AddHook(count)
	d := hosts.NewDirectory(b.reg, clock)
	began := time.Now()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 100 {
				if got, err := d.Find(b.ctx, "a", ""); err != nil || got.Name != "a" {
					t.Errorf("%+v, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if most := int64(time.Since(began)/time.Second) + 1; count.n.Load() > most {
		t.Errorf("read %d times, want %d at the most", count.n.Load(), most)
	}
}

// Ensure a Redis that is away is told apart from a host that is not there, and
// who can't wait for the page gives up.
func TestDirectory_outage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.reg.Register(b.ctx, at("a", "198.51.100.1")))
	d := hosts.NewDirectory(b.reg, clock)
	if _, err := d.Find(b.ctx, "a", ""); err != nil {
		t.Fatal(err)
	}
	b.srv.Kill()
	for what, err := range map[string]error{
		"unknown to the page":  second(d.Find(b.ctx, "b", "")),
		"as of now":            second(d.FindNow(b.ctx, "a", "")),
		"of a fresh directory": second(hosts.NewDirectory(b.reg, clock).Find(b.ctx, "a", "")),
	} {
		if err == nil || errors.Is(err, hosts.ErrUnknown) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if _, err := hosts.NewDirectory(b.reg, clock).Find(ctx, "a", ""); err == nil {
		t.Error("it was found with a context that has ended")
	}
}
