package netaddr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// asClient, as the first argument, has this test binary act as a DHCP client that
// is given the address to set.
const asClient = "act-as-a-dhcp-client"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == asClient {
		if err := setAddress(os.Args[2], os.Args[3]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// fake is a kernel in memory that is its own watch. It keeps what it was told to
// do.
type fake struct {
	mu    sync.Mutex
	all   []link
	did   []string
	fails error // of every change
	lost  bool  // the address is taken away as soon as it was set
	told  chan struct{}
	err   error
}

var (
	_ kernel  = (*fake)(nil)
	_ changes = (*fake)(nil)
)

func newFake(all ...link) *fake { return &fake{all: all, told: make(chan struct{}, 1)} }

func (k *fake) close()                   {}
func (k *fake) Close()                   {}
func (k *fake) Err() error               { return k.err }
func (k *fake) Changes() <-chan struct{} { return k.told }

func (k *fake) links() ([]link, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.all), nil
}

func (k *fake) change(what string, index int, f func(*link)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails != nil {
		return k.fails
	}
	k.did = append(k.did, what)
	for i := range k.all {
		if k.all[i].index == index {
			f(&k.all[i])
		}
	}
	select {
	case k.told <- struct{}{}:
	default:
	}
	return nil
}

func (k *fake) setUp(index int) error {
	return k.change("up "+strconv.Itoa(index), index, func(l *link) { l.up = true })
}

func (k *fake) add(index int, addr netip.Prefix) error {
	return k.change("add "+addr.String(), index, func(l *link) {
		if !k.lost {
			l.addrs = append(slices.Clone(l.addrs), addr)
		}
	})
}

// brings has somebody else give the interface an address after a while.
func (k *fake) brings(after time.Duration, index int, addr string) {
	time.AfterFunc(after, func() {
		_ = k.change("came "+addr, index, func(l *link) { l.addrs = append(slices.Clone(l.addrs), netip.MustParsePrefix(addr)) })
	})
}

func (k *fake) assigner(t *testing.T, opt Options) *Assigner {
	t.Helper()
	a := New(opt)
	a.open = func() (kernel, error) { return k, nil }
	a.watch = func() (changes, error) { return k, nil }
	a.run = t.TempDir()
	return a
}

// dongle is the interface of dongle 11.
func dongle(up bool, addrs ...string) link {
	l := link{index: 5, name: "dg11", up: up}
	for _, a := range addrs {
		l.addrs = append(l.addrs, netip.MustParsePrefix(a))
	}
	return l
}

const (
	right = "192.168.11.100/24"
	wait  = 10 * time.Second
)

// Ensure each state of an interface is made right by what it takes and nothing
// else, in no more time than it takes, or is told of.
func TestEnsure(t *testing.T) {
	t.Parallel()
	uplink := link{index: 2, name: "eno1", up: true, addrs: []netip.Prefix{netip.MustParsePrefix("198.51.100.7/24")}}
	static := Options{Static: true}
	for name, tt := range map[string]struct {
		opt     Options
		link    link
		others  []link
		managed bool
		comes   string // after 3 s
		fails   error
		lost    bool
		did     []string
		took    time.Duration
		err     error
		says    string
	}{
		"right":                        {opt: static, link: dongle(true, right), fails: errors.New("no command")},
		"right among others":           {opt: static, link: dongle(true, "192.168.11.7/24", "10.0.0.1/8", "192.168.11.100/32")},
		"down with its address":        {opt: static, link: dongle(false, right), did: []string{"up 5"}},
		"down":                         {opt: static, link: dongle(false), did: []string{"up 5", "add " + right}},
		"nobody asks":                  {opt: static, link: dongle(true), did: []string{"add " + right}},
		"nobody is to ask":             {opt: Options{Client: ClientNone, Static: true}, link: dongle(true), managed: true, did: []string{"add " + right}},
		"managed":                      {opt: static, link: dongle(true), managed: true, comes: right, did: []string{"came " + right}, took: 3 * time.Second},
		"managed in vain":              {opt: static, link: dongle(true), managed: true, did: []string{"add " + right}, took: wait},
		"managed, another host":        {opt: static, link: dongle(true), managed: true, comes: "192.168.11.101/24", did: []string{"came 192.168.11.101/24", "add " + right}, took: wait},
		"managed, given up":            {opt: static, link: dongle(true, "169.254.3.4/16"), managed: true, did: []string{"add " + right}, took: wait},
		"managed, reset":               {opt: static, link: dongle(true), managed: true, comes: "192.168.8.100/24", did: []string{"came 192.168.8.100/24"}, took: wait, err: ErrSubnet, says: "dg11 got 192.168.8.100 in place of 192.168.11.100: the modem has another subnet: it was reset to 192.168.8.0/24; set its own address back to 192.168.11.1 on its page at http://192.168.8.1"},
		"nobody asks, reset":           {opt: static, link: dongle(true, "192.168.8.100/24"), err: ErrSubnet, says: "192.168.8.0/24"},
		"not static":                   {link: dongle(true), took: wait, err: ErrNoAddress, says: "nobody asked for one, and none came within 10s"},
		"not static, and it comes":     {link: dongle(true), comes: right, did: []string{"came " + right}, took: 3 * time.Second},
		"not static, managed in vain":  {link: dongle(true), managed: true, took: wait, err: ErrNoAddress, says: "systemd-networkd brought none within 10s: see why, or have 192.168.11.100/24 set (host.address.static)"},
		"not static, managed, reset":   {link: dongle(true, "192.168.8.100/24"), managed: true, took: wait, err: ErrSubnet},
		"held by another":              {opt: static, link: dongle(true), others: []link{{index: 6, name: "dg12", up: true, addrs: []netip.Prefix{netip.MustParsePrefix(right)}}}, says: "dg11 can't have 192.168.11.100, which dg12 holds"},
		"gone":                         {opt: static, err: ErrNoInterface, says: "interface dg11"},
		"not permitted to bring it up": {opt: static, link: dongle(false), fails: ErrNotPermitted, err: ErrNotPermitted, says: "bringing interface dg11 up"},
		"not permitted to set it":      {opt: static, link: dongle(true), fails: ErrNotPermitted, err: ErrNotPermitted, says: "giving interface dg11 the address"},
		"taken away":                   {opt: static, link: dongle(true), lost: true, did: []string{"add " + right}, says: "network manager"},
		"program missing":              {opt: Options{Client: ClientCommand, Command: []string{"/nonexistent/dhcp", "{interface}"}}, link: dongle(true), err: ErrNoAddress, says: "/nonexistent/dhcp dg11: "},
		"program missing, static":      {opt: Options{Client: ClientCommand, Command: []string{"/nonexistent/dhcp", "{interface}"}, Static: true}, link: dongle(true), did: []string{"add " + right}},
		"no program":                   {opt: Options{Client: ClientCommand}, link: dongle(true), err: ErrNoAddress, says: "set host.address.command"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := newFake(append([]link{uplink}, tt.others...)...)
				if tt.link.name != "" {
					k.all = append(k.all, tt.link)
				}
				k.fails, k.lost = tt.fails, tt.lost
				a := k.assigner(t, tt.opt)
				if tt.managed {
					networkd(t, a.run, "configuring")
				}
				if tt.comes != "" {
					k.brings(3*time.Second, 5, tt.comes)
				}
				began := time.Now()
				err := a.Ensure(t.Context(), "dg11", 11)
				took := time.Since(began)
				if fails := tt.err != nil || tt.says != ""; fails != (err != nil) || tt.err != nil && !errors.Is(err, tt.err) || err != nil && !strings.Contains(err.Error(), tt.says) {
					t.Errorf("returned %v, want %v that says %q", err, tt.err, tt.says)
				}
				if !slices.Equal(k.did, tt.did) || took != tt.took {
					t.Errorf("did %q in %s, want %q in %s", k.did, took, tt.did, tt.took)
				}
			})
		})
	}
}

// networkd says that systemd-networkd has the interface in this state.
func networkd(t *testing.T, run, state string) {
	t.Helper()
	write(t, filepath.Join(run, "systemd", "netif", "links", "5"), "# private\nADMIN_STATE="+state+"\nOPER_STATE=degraded\n")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Ensure those who look after an interface are known by what they leave in /run,
// and that those who don't aren't waited for.
func TestManager(t *testing.T) {
	t.Parallel()
	here := strconv.Itoa(os.Getpid())
	for name, tt := range map[string]struct{ path, text, want string }{
		"nobody":                    {"other", "", ""},
		"networkd":                  {"systemd/netif/links/5", "ADMIN_STATE=configured\n", "systemd-networkd"},
		"networkd, not yet":         {"systemd/netif/links/5", "ADMIN_STATE=pending\n", "systemd-networkd"},
		"networkd leaves it alone":  {"systemd/netif/links/5", "ADMIN_STATE=unmanaged\n", ""},
		"networkd, another one":     {"systemd/netif/links/6", "ADMIN_STATE=configured\n", ""},
		"networkd says nothing":     {"systemd/netif/links/5", "OPER_STATE=off\n", ""},
		"NetworkManager":            {"NetworkManager/devices/5", "[device]\nmanaged=true\n", "NetworkManager"},
		"NetworkManager leaves it":  {"NetworkManager/devices/5", "[device]\nmanaged=false\n", ""},
		"dhcpcd for all":            {"dhcpcd/pid", here + "\n", "dhcpcd"},
		"dhcpcd for one":            {"dhcpcd/dg11-4.pid", here, "dhcpcd"},
		"dhcpcd for another":        {"dhcpcd/dg12-4.pid", here, ""},
		"dhclient":                  {"dhclient.dg11.pid", here, "dhclient"},
		"dhclient that has ended":   {"dhclient.dg11.pid", "4194304999", ""},
		"dhclient, nothing written": {"dhclient.dg11.pid", "", ""},
		"udhcpc":                    {"udhcpc.dg11.pid", here, "udhcpc"},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, tt.path), tt.text)
		if got := manager(dir, dongle(true)); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// Ensure a wait ends with its context, with the reason for that, and changes
// nothing any more.
func TestEnsure_cancelled(t *testing.T) {
	t.Parallel()
	stopped := errors.New("stopped")
	synctest.Test(t, func(t *testing.T) {
		k := newFake(dongle(true))
		a := k.assigner(t, Options{Static: true})
		networkd(t, a.run, "configuring")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(stopped) })
		if err := a.Ensure(ctx, "dg11", 11); !errors.Is(err, stopped) || len(k.did) > 0 {
			t.Errorf("%v after %q", err, k.did)
		}
	})
}

// Ensure an interface that goes while its address is waited for is told at once,
// and so is a watch that breaks.
func TestEnsure_goes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newFake(dongle(true))
		a := k.assigner(t, Options{Static: true})
		networkd(t, a.run, "configuring")
		time.AfterFunc(time.Second, func() { _ = k.change("gone", 5, func(l *link) { l.name = "renamed" }) })
		began := time.Now()
		if err := a.Ensure(t.Context(), "dg11", 11); !errors.Is(err, ErrNoInterface) || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		k := newFake(dongle(true))
		k.err = errors.New("broken")
		a := k.assigner(t, Options{Static: true})
		networkd(t, a.run, "configuring")
		time.AfterFunc(time.Second, func() { close(k.told) })
		if err := a.Ensure(t.Context(), "dg11", 11); !errors.Is(err, k.err) {
			t.Errorf("returned %v", err)
		}
	})
}

// Ensure an interface that took over the name of the one whose address is waited
// for, as names change hands when modems come back, is not given that address.
func TestEnsure_changesHands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newFake(dongle(true))
		a := k.assigner(t, Options{Static: true})
		networkd(t, a.run, "configuring")
		time.AfterFunc(3*time.Second, func() {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.all[0].index = 6
			k.told <- struct{}{}
		})
		began := time.Now()
		err := a.Ensure(t.Context(), "dg11", 11)
		if took := time.Since(began); !errors.Is(err, ErrNoInterface) || took != 3*time.Second || len(k.did) != 0 {
			t.Errorf("%v after %s, did %q", err, took, k.did)
		}
	})
}

// Ensure a command that fails is logged with what it said, where the address is
// set all the same.
func TestEnsure_commandIsTold(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	k := newFake(dongle(true))
	a := k.assigner(t, Options{
		Client: ClientCommand, Command: []string{"sh", "-c", "echo no lease on $0; exit 3", "{interface}"}, Static: true,
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err := a.Ensure(t.Context(), "dg11", 11); err != nil || !slices.Equal(k.did, []string{"add " + right}) {
		t.Errorf("%v after %q", err, k.did)
	}
	for _, want := range []string{"no lease on dg11", "exit status 3", "interface=dg11"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log doesn't say %q: %s", want, &log)
		}
	}
}

// Ensure what keeps the kernel from being asked is told.
func TestEnsure_noKernel(t *testing.T) {
	t.Parallel()
	a := New(Options{})
	a.open = func() (kernel, error) { return nil, errors.ErrUnsupported }
	if err := a.Ensure(t.Context(), "dg11", 11); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("returned %v", err)
	}
}
