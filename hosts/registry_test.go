package hosts_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"switchyard/hosts"
	"switchyard/sim/redisserver"
	"switchyard/tasks"
)

// bundle is what one test works with: a registry on a redis-server of its own.
type bundle struct {
	ctx context.Context
	srv *redisserver.Server
	rdb *redis.Client
	reg *hosts.Registry
}

const ttl = 12 * time.Second

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "always"})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	rdb := redis.NewClient(&redis.Options{Addr: srv.Addr(), MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = rdb.Close() })
	return &bundle{ctx: ctx, srv: srv, rdb: rdb, reg: hosts.New(rdb, ttl)}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ptr[T any](v T) *T { return &v }

// now is a moment on Redis' clock.
var now = time.Date(2025, 12, 13, 13, 51, 1, 0, time.UTC)

// info is a host that was heard of just now.
func info(name string) hosts.Info {
	return hosts.Info{
		Name: name, ServerIP: "198.51.100.7", Dongles: []int{16, 17}, Version: "v1", Process: "p_1",
		Started: now.Add(-time.Hour), Seen: now, Physical: 14,
		Hub: &tasks.HubInfo{MainHub: "1-3", SubHubs: []string{"1-3.4"}, PortsPerHub: 4},
	}
}

func names(all []*hosts.Info) []string {
	var out []string
	for _, i := range all {
		out = append(out, i.Name)
	}
	return out
}

// Ensure a host is found as it registered, alone and in the list, and that a
// later registration replaces what it said before.
func TestRegister(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if all, err := b.reg.All(b.ctx); err != nil || len(all) != 0 {
		t.Errorf("before any: %v, %v", names(all), err)
	}
	sorted := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	for _, name := range slices.Backward(sorted) {
		must(t, b.reg.Register(b.ctx, info(name)))
	}
	want := info("b")
	got, err := b.reg.Get(b.ctx, "b")
	must(t, err)
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	all, err := b.reg.All(b.ctx)
	must(t, err)
	if diff := cmp.Diff(sorted, names(all)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&want, all[1]); diff != "" {
		t.Errorf("in the list (-want +got):\n%s", diff)
	}
	found, err := b.reg.Names(b.ctx)
	must(t, err)
	slices.Sort(found)
	if diff := cmp.Diff(sorted, found); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	want.Dongles, want.Hub, want.Seen = []int{11}, nil, now.Add(time.Second)
	must(t, b.reg.Register(b.ctx, want))
	got, err = b.reg.Get(b.ctx, "b")
	must(t, err)
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("registered again (-want +got):\n%s", diff)
	}
	if !got.Has(11) || got.Has(16) {
		t.Errorf("it has dongles %v", got.Dongles)
	}
}

// Ensure a host is online for as long as its last heartbeat is believed, and
// offline at once when it has said that it leaves.
func TestOnline(t *testing.T) {
	t.Parallel()
	b := setup(t)
	i := info("a")
	must(t, b.reg.Register(b.ctx, i))
	for _, tt := range []struct {
		later time.Duration
		want  bool
	}{{-time.Second, true}, {0, true}, {ttl - time.Millisecond, true}, {ttl, false}, {time.Hour, false}} {
		got, err := b.reg.Get(b.ctx, "a")
		must(t, err)
		if on := b.reg.Online(got, now.Add(tt.later)); on != tt.want {
			t.Errorf("%v after its heartbeat it is online: %v", tt.later, on)
		}
	}
	// The next heartbeat brings it back.
	i.Seen = now.Add(time.Hour)
	must(t, b.reg.Register(b.ctx, i))
	got, err := b.reg.Get(b.ctx, "a")
	must(t, err)
	if !b.reg.Online(got, i.Seen) {
		t.Error("it said that it is alive and is not online")
	}
	must(t, b.reg.Leave(b.ctx, i))
	got, err = b.reg.Get(b.ctx, "a")
	must(t, err)
	if b.reg.Online(got, i.Seen) {
		t.Error("it has left and is online")
	}
	// It stays known, with all that it said.
	i.Left = true
	if diff := cmp.Diff(&i, got); diff != "" {
		t.Errorf("after it left (-want +got):\n%s", diff)
	}
}

// Ensure the state of a host's dongles is kept apart from other hosts', survives
// its leaving, its coming back and a crash of Redis, and is last written wins.
func TestStateSurvives(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.reg.Register(b.ctx, info("a")))
	first := hosts.Dongle{
		ExternalIP: ptr("175.223.26.202"), Connected: true, Traffic: tasks.Traffic{Upload: 1 << 60, Download: 7}, Collected: now,
		Signal: &tasks.Signal{RSRP: ptr(tasks.Decibel(-105)), SINR: ptr(tasks.Decibel(-2.5)), Band: ptr("3")},
	}
	gone := hosts.Dongle{Collected: now}
	must(t, b.reg.SetDongle(b.ctx, "a", 16, gone))
	must(t, b.reg.SetDongle(b.ctx, "a", 16, first))
	must(t, b.reg.SetDongle(b.ctx, "a", 17, gone))
	must(t, b.reg.SetDongle(b.ctx, "other", 16, gone))
	must(t, b.reg.SetLastToggle(b.ctx, "a", 16, now.Add(-time.Hour)))
	must(t, b.reg.SetLastToggle(b.ctx, "a", 16, now.Add(-time.Minute)))
	want := hosts.State{
		Dongles:    map[int]hosts.Dongle{16: first, 17: gone},
		LastToggle: map[int]time.Time{16: now.Add(-time.Minute)},
	}
	check := func(when string, r *hosts.Registry) {
		t.Helper()
		got, err := r.State(b.ctx, "a")
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	check("at first", b.reg)
	must(t, b.reg.Leave(b.ctx, info("a")))
	check("after it left", b.reg)
	b.srv.Kill()
	must(t, b.srv.Restart(b.ctx))
	rdb := redis.NewClient(&redis.Options{Addr: b.srv.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	other := hosts.New(rdb, ttl)
	check("after a crash of Redis", other)
	must(t, other.Register(b.ctx, info("a")))
	check("after it came back", other)
}

// Ensure a host that never registered is told apart from a Redis that is away,
// and has no state.
func TestUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.reg.Register(b.ctx, info("a")))
	if _, err := b.reg.Get(b.ctx, "b"); !errors.Is(err, hosts.ErrUnknown) || !strings.Contains(err.Error(), "b") {
		t.Errorf("unknown host: %v", err)
	}
	st, err := b.reg.State(b.ctx, "b")
	if err != nil || len(st.Dongles)+len(st.LastToggle) != 0 {
		t.Errorf("state of an unknown host: %+v, %v", st, err)
	}
	b.srv.Kill()
	for what, err := range map[string]error{
		"register":        b.reg.Register(b.ctx, info("a")),
		"leave":           b.reg.Leave(b.ctx, info("a")),
		"set dongle":      b.reg.SetDongle(b.ctx, "a", 16, hosts.Dongle{}),
		"set last toggle": b.reg.SetLastToggle(b.ctx, "a", 16, now),
		"get":             second(b.reg.Get(b.ctx, "a")),
		"all":             second(b.reg.All(b.ctx)),
		"names":           second(b.reg.Names(b.ctx)),
		"state":           second(b.reg.State(b.ctx, "a")),
	} {
		if err == nil || errors.Is(err, hosts.ErrUnknown) {
			t.Errorf("%s without Redis: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Ensure what can't be read is an error that says what it is, and a name
// without a host behind it, or that can't be a host's, is passed over.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.reg.Register(b.ctx, info("a")))
	must(t, b.rdb.SAdd(b.ctx, "sw:v1:hosts", "ghost", "a:job:j_1").Err())
	must(t, b.rdb.Set(b.ctx, "sw:v1:h:a:job:j_1:info", "{}", 0).Err())
	all, err := b.reg.All(b.ctx)
	if diff := cmp.Diff([]string{"a"}, names(all)); err != nil || diff != "" {
		t.Errorf("with a name alone: %v, %v", names(all), err)
	}
	for _, tt := range []struct{ hash, field, value, want string }{
		{"dongles", "16", "{", "dongle 16"},
		{"dongles", "x", "{}", "dongle x"},
		{"toggles", "16", "soon", "last toggle of dongle 16"},
		{"toggles", "x", "1", "last toggle of dongle x"},
	} {
		key := "sw:v1:h:a:" + tt.hash
		must(t, b.rdb.HSet(b.ctx, key, tt.field, tt.value).Err())
		if _, err := b.reg.State(b.ctx, "a"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s %s: %v", tt.hash, tt.field, tt.value, err)
		}
		must(t, b.rdb.Del(b.ctx, key).Err())
	}
	must(t, b.rdb.Set(b.ctx, "sw:v1:h:a:info", "{", 0).Err())
	if _, err := b.reg.Get(b.ctx, "a"); err == nil || !strings.Contains(err.Error(), "host a") {
		t.Errorf("get: %v", err)
	}
	all, err = b.reg.All(b.ctx)
	if err != nil || len(all) != 1 || all[0].Name != "a" || all[0].Fault == nil || b.reg.Online(all[0], now) {
		t.Errorf("all: %+v, %v, want a alone, offline, with what is wrong", all, err)
	}
}

// Ensure whatever a host writes under its own prefix keeps nobody from finding
// the others and reading their state, nor passes it off as another; and that it
// can be removed.
func TestOneHostsJunkIsItsOwn(t *testing.T) {
	t.Parallel()
	for name, junk := range map[string]func(b *bundle) error{
		"no entry that can be read": func(b *bundle) error { return b.rdb.Set(b.ctx, "sw:v1:h:junk:info", "{", 0).Err() },
		"another's name": func(b *bundle) error {
			return b.rdb.Set(b.ctx, "sw:v1:h:junk:info", `{"name":"good","server_ip":"203.0.113.9"}`, 0).Err()
		},
		"no dongle that can be read": func(b *bundle) error { return b.rdb.HSet(b.ctx, "sw:v1:h:junk:dongles", "16", "{").Err() },
		"dongles of another kind":    func(b *bundle) error { return b.rdb.Set(b.ctx, "sw:v1:h:junk:dongles", "x", 0).Err() },
		"toggles of another kind":    func(b *bundle) error { return b.rdb.Set(b.ctx, "sw:v1:h:junk:toggles", "x", 0).Err() },
		"registration of another kind": func(b *bundle) error {
			return errors.Join(b.rdb.Del(b.ctx, "sw:v1:h:junk:registration").Err(), b.rdb.Set(b.ctx, "sw:v1:h:junk:registration", "x", 0).Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			good, bad := info("good"), info("junk")
			bad.ServerIP = "198.51.100.8"
			must(t, b.reg.Register(b.ctx, good))
			must(t, b.reg.Register(b.ctx, bad))
			must(t, b.reg.SetDongle(b.ctx, "good", 16, hosts.Dongle{Connected: true}))
			must(t, junk(b))
			d := hosts.NewDirectory(b.reg, clock)
			got, err := d.FindNow(b.ctx, "good", "")
			must(t, err)
			if diff := cmp.Diff(&good, got); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			all, err := b.reg.All(b.ctx)
			if diff := cmp.Diff([]string{"good", "junk"}, names(all)); err != nil || diff != "" {
				t.Errorf("all: %v, %v", names(all), err)
			}
			states, err := b.reg.States(b.ctx, []string{"junk", "good"})
			must(t, err)
			if st := states[1]; !st.Dongles[16].Connected || st.Fault != nil {
				t.Errorf("the state of the other is %+v", st)
			}

			later := now.Add(time.Hour)
			must(t, b.reg.Remove(b.ctx, "junk", later))
			removed, err := b.reg.Removed(b.ctx, later)
			if err != nil || !slices.Equal(removed, []string{"junk"}) {
				t.Errorf("removed: %v, %v", removed, err)
			}
			must(t, b.reg.Forget(b.ctx, "junk"))
			if found, err := b.reg.Names(b.ctx); err != nil || !slices.Equal(found, []string{"good"}) {
				t.Errorf("names: %v, %v", found, err)
			}
			// Nor does it hold up those who look after removed hosts by coming back.
			must(t, junk(b))
			if _, err := b.reg.Removed(b.ctx, later); err != nil {
				t.Errorf("removed, afterwards: %v", err)
			}
		})
	}
}
