package hilink_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/hardware/hilink"
	sim "switchyard/sim/hilink"
)

const password = "sesame-1"

// modem is a simulated stick and a client of it, both ended with the test.
type modem struct {
	*sim.Modem
	client *hilink.Client
	ctx    context.Context
}

func newModem(t *testing.T, opt sim.Options, copt hilink.Options) modem {
	t.Helper()
	opt.Reattach, opt.Subnet = 30*time.Millisecond, 11
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	m := modem{Modem: sim.New(opt), ctx: ctx}
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	m.client = m.another(t, copt)
	return m
}

// another is a second client of the modem.
func (m modem) another(t *testing.T, opt hilink.Options) *hilink.Client {
	t.Helper()
	if opt.RetryDelay == 0 {
		opt.RetryDelay = time.Millisecond
	}
	c, err := hilink.New(m.URL(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// asked is what the modem was asked, with the code of what was refused.
func (m modem) asked() (out []string) {
	for _, r := range m.Requests() {
		s := r.Method + " " + r.Path
		if r.Code != 0 {
			s += fmt.Sprint(" ", r.Code)
		}
		out = append(out, s)
	}
	return out
}

func (m modem) times(request string) (n int) {
	for _, r := range m.asked() {
		if r == request || strings.HasPrefix(r, request+" ") {
			n++
		}
	}
	return n
}

func wantAsked(t *testing.T, m modem, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, m.asked()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// Ensure every call works on every firmware, wherever its sessions and tokens
// come from and however it wants its password, and that no request in all of it
// was refused but for want of a login.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, family := range []sim.Family{sim.E8372h320, sim.E8372h153} {
		for _, handout := range []sim.Handout{sim.HandoutSesTokInfo, sim.HandoutLong, sim.HandoutPage} {
			for _, scheme := range []sim.Scheme{"none", sim.Plain, sim.PlainAfter, sim.Hashed, sim.SCRAM} {
				t.Run(fmt.Sprint(family, "/", handout, "/", scheme), func(t *testing.T) {
					t.Parallel()
					opt := sim.Options{Family: family, Handout: handout, Login: scheme, Password: password}
					if scheme == "none" {
						opt.Login, opt.Password = "", ""
					}
					conform(t, newModem(t, opt, hilink.Options{Password: opt.Password}))
				})
			}
		}
	}
}

func conform(t *testing.T, m modem) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	mode, err := m.client.NetMode(m.ctx)
	must(err)
	if want := (hilink.NetMode{Mode: "00", NetworkBand: "2000004400000", LTEBand: "80800D5"}); mode != want {
		t.Errorf("mode %+v", mode)
	}
	lte := mode
	lte.Mode = "03"
	for _, next := range []hilink.NetMode{lte, mode} {
		must(m.client.SetNetMode(m.ctx, next))
	}
	for _, on := range []bool{false, true} {
		must(m.client.SetDataSwitch(m.ctx, on))
		got, err := m.client.DataSwitch(m.ctx)
		must(err)
		if got != on {
			t.Errorf("switched %v, is %v", on, got)
		}
	}
	must(m.WaitFor(m.ctx, func([]sim.Entry) bool { return m.Attached() }))
	s, err := m.client.Signal(m.ctx)
	must(err)
	for name, v := range map[string]*string{"band": s.Band, "cell": s.CellID, "pci": s.PCI, "plmn": s.PLMN} {
		if v == nil {
			t.Errorf("no %s in %+v", name, s)
		}
	}
	if s.RSRP == nil || s.RSRQ == nil || s.RSSI == nil || s.SINR == nil || *s.PLMN != "45005" {
		t.Errorf("signal %+v", s)
	}
	st, err := m.client.Status(m.ctx)
	must(err)
	if !st.Connected() {
		t.Errorf("status %v", st)
	}
	tr, err := m.client.Traffic(m.ctx)
	must(err)
	if tr.Upload == 0 || tr.Download == 0 {
		t.Errorf("traffic %+v", tr)
	}
	ip, err := m.client.WANAddress(m.ctx)
	must(err)
	if ip != m.Address() || !ip.IsValid() {
		t.Errorf("address %v, want %v", ip, m.Address())
	}
	n, err := m.client.Network(m.ctx)
	must(err)
	if n.PLMN == nil || *n.PLMN != "45005" || *n.RAT != 7 {
		t.Errorf("network %+v", n)
	}
	i, err := m.client.Info(m.ctx)
	must(err)
	if i.Device == nil || !strings.HasPrefix(*i.Device, "E8372h-") || i.Uptime == nil {
		t.Errorf("information %+v", i)
	}
	must(m.client.Logout(m.ctx))
	for _, r := range m.Requests() {
		looking := r.Path == "webserver/SesTokInfo" || r.Path == "webserver/token"
		if r.Code != 0 && r.Code != 100003 && !(looking && (r.Code == 100002)) {
			t.Errorf("refused: %+v", r)
		}
	}
	if t.Failed() {
		t.Logf("requests: %s", strings.Join(m.asked(), "\n"))
	}
}

// Ensure a call that a modem refuses for want of a login is made again after
// one, that the login is made once a session, and that a new session logs in
// before it asks.
func TestLogin(t *testing.T) {
	t.Parallel()
	m := newModem(t, sim.Options{Password: password}, hilink.Options{Password: password})
	for range 2 {
		if _, err := m.client.Signal(m.ctx); err != nil {
			t.Fatal(err)
		}
	}
	scram := []string{"GET user/hilink_login", "GET user/state-login", "POST user/challenge_login", "POST user/authentication_login"}
	want := slices.Concat(
		[]string{"GET webserver/SesTokInfo", "GET device/signal 100003"}, scram, []string{"GET device/signal", "GET device/signal"})
	wantAsked(t, m, want...)
	m.ExpireSessions()
	if _, err := m.client.Signal(m.ctx); err != nil {
		t.Fatal(err)
	}
	want = slices.Concat(want, []string{"GET device/signal 125002", "GET webserver/SesTokInfo"}, scram, []string{"GET device/signal"})
	wantAsked(t, m, want...)
	if err := m.client.Logout(m.ctx); err != nil {
		t.Fatal(err)
	}
	wantAsked(t, m, append(want, "POST user/logout")...)
}

// Ensure without a password what wants a login says so, and the rest works.
func TestLogin_noPassword(t *testing.T) {
	t.Parallel()
	m := newModem(t, sim.Options{Password: password}, hilink.Options{})
	if _, err := m.client.Signal(m.ctx); !errors.Is(err, hilink.ErrLoginRequired) {
		t.Errorf("signal: %v", err)
	}
	if st, err := m.client.Status(m.ctx); err != nil || !st.Connected() {
		t.Errorf("%v, %v", st, err)
	}
	i, err := m.client.Info(m.ctx)
	if err != nil || i.Device == nil || *i.Device != "E8372h-320" || i.IMEI != nil {
		t.Errorf("%+v, %v", i, err)
	}
	wantAsked(t, m, "GET webserver/SesTokInfo", "GET device/signal 100003", "GET monitoring/status",
		"GET device/information 100003", "GET device/basic_information")
}

// Ensure a wrong password is asked exactly once, whoever calls and however
// often, and that what needs no login goes on.
func TestLogin_wrongPassword(t *testing.T) {
	t.Parallel()
	for scheme, path := range map[sim.Scheme]string{
		sim.Plain: "user/login", sim.Hashed: "user/login", sim.SCRAM: "user/authentication_login",
	} {
		m := newModem(t, sim.Options{Password: password, Login: scheme}, hilink.Options{Password: "guess", User: "admin"})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := m.client.Signal(m.ctx)
				refusal, ok := errors.AsType[*hilink.Error](err)
				if !ok || !errors.Is(err, hilink.ErrWrongPassword) || refusal.Code != 108006 || refusal.Op != "read signal: log in" {
					t.Errorf("%s: %v", scheme, err)
				}
				if strings.Contains(fmt.Sprintf("%v %+v", err, err), "guess") {
					t.Errorf("the error shows the password: %v", err)
				}
				if _, err := m.client.Status(m.ctx); err != nil {
					t.Errorf("%s: status: %v", scheme, err)
				}
			})
		}
		wg.Wait()
		m.ExpireSessions()
		if err := m.client.SetDataSwitch(m.ctx, true); !errors.Is(err, hilink.ErrWrongPassword) {
			t.Errorf("%s: a write: %v", scheme, err)
		}
		if n := m.times("POST " + path); n != 1 {
			t.Errorf("%s: the password was asked %d times", scheme, n)
		}
	}
}

// Ensure a locked modem isn't asked, and how long it is locked is said.
func TestLogin_locked(t *testing.T) {
	t.Parallel()
	m := newModem(t, sim.Options{Password: password}, hilink.Options{Password: password})
	m.Lock(3 * time.Minute)
	for range 3 {
		_, err := m.client.Signal(m.ctx)
		refusal, ok := errors.AsType[*hilink.Error](err)
		if !ok || !errors.Is(err, hilink.ErrLocked) || refusal.Wait <= 2*time.Minute || refusal.Wait > 3*time.Minute {
			t.Fatalf("%v", err)
		}
		if !strings.Contains(err.Error(), "try again in ") {
			t.Errorf("%v", err)
		}
	}
	if m.times("POST user/challenge_login") != 0 || m.times("GET user/state-login") != 1 {
		t.Errorf("requests %q", m.asked())
	}
}

// Ensure a lock that a login runs into is said as well, and for how long.
func TestLogin_lockedByOurs(t *testing.T) {
	t.Parallel()
	m := newModem(t, sim.Options{Password: password, Login: sim.Plain, LockTime: 2 * time.Minute}, hilink.Options{})
	for i := range 5 {
		c := m.another(t, hilink.Options{Password: fmt.Sprint("guess", i)})
		_, err := c.Signal(m.ctx)
		want := hilink.ErrWrongPassword
		if i == 4 {
			want = hilink.ErrLocked
		}
		refusal, ok := errors.AsType[*hilink.Error](err)
		if !ok || !errors.Is(err, want) {
			t.Fatalf("try %d: %v", i+1, err)
		}
		if i == 4 && (refusal.Wait <= 0 || refusal.Wait > 2*time.Minute) {
			t.Errorf("wait %v", refusal.Wait)
		}
		if i < 4 && refusal.Tries != i+1 {
			t.Errorf("try %d: the modem counted %d", i+1, refusal.Tries)
		}
	}
}

// Ensure a modem that says we are logged in already is logged out and in, once.
func TestLogin_already(t *testing.T) {
	t.Parallel()
	m := newModem(t, sim.Options{Password: password}, hilink.Options{Password: password})
	m.Refuse(sim.Refusal{Method: "POST", Path: "user/challenge_login", Code: 108003, Times: 1})
	if _, err := m.client.Signal(m.ctx); err != nil {
		t.Fatal(err)
	}
	if m.times("POST user/logout") != 1 || m.times("POST user/challenge_login") != 2 {
		t.Errorf("requests %q", m.asked())
	}
	for logout, logins := range map[int]int{0: 2, 100003: 1} {
		m = newModem(t, sim.Options{Password: password}, hilink.Options{Password: password})
		m.Refuse(sim.Refusal{Method: "POST", Path: "user/challenge_login", Code: 108003})
		m.Refuse(sim.Refusal{Method: "POST", Path: "user/logout", Code: logout})
		_, err := m.client.Signal(m.ctx)
		if refusal, ok := errors.AsType[*hilink.Error](err); !ok || refusal.Code != 108003 {
			t.Errorf("logout %d: %v", logout, err)
		}
		if n := m.times("POST user/challenge_login"); n != logins {
			t.Errorf("logout %d: %d logins, want %d", logout, n, logins)
		}
	}
}

// Ensure what each code asks for is done: the request made once, or twice, or
// after a login or in a new session, and never more.
func TestErrors_handling(t *testing.T) {
	t.Parallel()
	once := []int{
		100001, 100002, 100005, 100006, 101001, 101002, 101009, 103002, 103011, 103018, 103101, 103102, 104001,
		108001, 108002, 108003, 108005, 108006, 108007, 108009, 108010,
		112001, 112002, 112003, 112004, 112005, 112006, 112007, 112008, 112009, 113017, 120001, 123456,
	}
	twice := []int{
		100004, 100007, 100008, 100010, 102001, 102002, 102003, 102004, 103001, 103008, 107720, 107729,
		100003, // after a login
		125001, // with another token
		125002, // in another session
		125003,
	}
	for i, codes := range [][]int{once, twice} {
		for _, code := range codes {
			for _, method := range []string{"GET", "POST"} {
				t.Run(fmt.Sprint(method, code), func(t *testing.T) {
					t.Parallel()
					m := newModem(t, sim.Options{Password: password}, hilink.Options{Password: password})
					call := func() error {
						if method == "POST" {
							return m.client.SetDataSwitch(m.ctx, true)
						}
						_, err := m.client.DataSwitch(m.ctx)
						return err
					}
					const path = "dialup/mobile-dataswitch"
					if err := call(); err != nil {
						t.Fatal(err)
					}
					before := len(m.Requests())

					m.Refuse(sim.Refusal{Method: method, Path: path, Code: code})
					err := call()
					refusal, ok := errors.AsType[*hilink.Error](err)
					if !ok || refusal.Code != code {
						t.Fatalf("%v", err)
					}
					if n := refused(m, before, code); n != i+1 {
						t.Errorf("asked %d times, want %d", n, i+1)
					}
					m.Refuse(sim.Refusal{Method: method, Path: path, Code: code, Times: 1})
					if err := call(); (err == nil) != (i == 1) {
						t.Errorf("refused once: %v", err)
					}
					m.Refuse(sim.Refusal{Method: method, Path: path})
					if err := call(); err != nil {
						t.Errorf("afterwards: %v", err)
					}
				})
			}
		}
	}
}

// refused counts the requests since then that were refused with this code.
func refused(m modem, since, code int) (n int) {
	for _, r := range m.Requests()[since:] {
		if r.Code == code && r.Path == "dialup/mobile-dataswitch" {
			n++
		}
	}
	return n
}

// Ensure whoever else logs in ends our session for one call only, which logs in
// itself.
func TestSession_takenOver(t *testing.T) {
	t.Parallel()
	m := newModem(t, sim.Options{Password: password}, hilink.Options{Password: password})
	for range 3 {
		if _, err := m.client.Signal(m.ctx); err != nil {
			t.Fatal(err)
		}
		m.TakeOver()
		if err := m.client.SetDataSwitch(m.ctx, true); err != nil {
			t.Fatal(err)
		}
		m.TakeOver()
	}
	if m.times("GET device/signal 125002") == 0 || m.times("POST dialup/mobile-dataswitch 125003") == 0 {
		t.Errorf("requests %q", m.asked())
	}
}

// Ensure a crowd on one modem gets no error and never uses a token twice, though
// its session ends in the middle.
func TestSession_crowd(t *testing.T) {
	t.Parallel()
	for _, opt := range []sim.Options{
		{Password: password},
		{Family: sim.E8372h153, Handout: sim.HandoutLong},
	} {
		m := newModem(t, opt, hilink.Options{Password: opt.Password})
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				for k := range 10 {
					if i == 7 && k == 5 {
						m.ExpireSessions()
					}
					var err error
					switch (i + k) % 4 {
					case 0:
						err = m.client.SetDataSwitch(m.ctx, true)
					case 1:
						_, err = m.client.Signal(m.ctx)
					case 2:
						_, err = m.client.Traffic(m.ctx)
					default:
						_, err = m.client.NetMode(m.ctx)
					}
					if err != nil {
						t.Errorf("%d, %d: %v", i, k, err)
					}
				}
			})
		}
		wg.Wait()
		writes := 0
		for _, e := range m.Ledger() {
			if e.What == "dataswitch 1" {
				writes++
			}
		}
		if writes != 50 || m.times("GET webserver/SesTokInfo") > 2 {
			t.Errorf("%d writes, want 50: %q", writes, m.asked())
		}
		for _, r := range m.Requests() {
			if r.Code == 125001 || r.Code == 125003 {
				t.Errorf("a token was used twice: %+v", r)
			}
		}
	}
}

// Ensure a modem whose sessions never last isn't asked for ever.
func TestSession_neverLasts(t *testing.T) {
	t.Parallel()
	m := newModem(t, sim.Options{SessionIdle: time.Nanosecond}, hilink.Options{})
	_, err := m.client.Status(m.ctx)
	if refusal, ok := errors.AsType[*hilink.Error](err); !ok || refusal.Code != 125002 {
		t.Errorf("%v", err)
	}
	if n := m.times("GET monitoring/status 125002"); n != 2 {
		t.Errorf("asked %d times, want twice", n)
	}
}

// Ensure a modem that gets other firmware is understood at once: a login is
// wanted or not, and another place has the tokens.
func TestClient_otherFirmware(t *testing.T) {
	t.Parallel()
	m := newModem(t, sim.Options{Password: password, Family: sim.E8372h153}, hilink.Options{Password: password})
	for _, family := range []sim.Family{sim.E8372h153, sim.E8372h320, sim.E8372h153, sim.E8372h320} {
		m.SetFamily(family)
		if s, err := m.client.Signal(m.ctx); err != nil || s.PLMN == nil || s.Band == nil {
			t.Errorf("%s: %+v, %v", family, s, err)
		}
		if err := m.client.SetDataSwitch(m.ctx, true); err != nil {
			t.Errorf("%s: %v", family, err)
		}
	}
}

// Ensure a modem's web page in place of an answer is no answer, and is over
// when it is over.
func TestClient_page(t *testing.T) {
	t.Parallel()
	m := newModem(t, sim.Options{Password: password}, hilink.Options{Password: password})
	m.SetFaults(sim.Faults{HTML: true})
	if _, err := m.client.Signal(m.ctx); !errors.Is(err, hilink.ErrNotHiLink) {
		t.Errorf("%v", err)
	}
	m.SetFaults(sim.Faults{})
	if _, err := m.client.Signal(m.ctx); err != nil {
		t.Error(err)
	}
}

// Ensure a detached modem has no address, and that this is no error.
func TestWANAddress_detached(t *testing.T) {
	t.Parallel()
	for _, family := range []sim.Family{sim.E8372h320, sim.E8372h153} {
		m := newModem(t, sim.Options{Family: family}, hilink.Options{})
		if err := m.client.SetDataSwitch(m.ctx, false); err != nil {
			t.Fatal(err)
		}
		if ip, err := m.client.WANAddress(m.ctx); err != nil || ip != (netip.Addr{}) {
			t.Errorf("%s: %v, %v", family, ip, err)
		}
		st, err := m.client.Status(m.ctx)
		for err == nil && st.Disconnecting() {
			st, err = m.client.Status(m.ctx)
		}
		if err != nil || !st.Disconnected() {
			t.Errorf("%s: %v, %v", family, st, err)
		}
	}
}
