package delivery

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// blockedAddresses has the edges and the insides of every class that is closed.
var blockedAddresses = []struct{ class, addrs string }{
	{"loopback", "127.0.0.1 127.0.0.2 127.255.255.255 ::1"},
	{"private", "10.0.0.0 10.1.2.3 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.1 192.168.255.255"},
	{"link-local", "169.254.0.1 169.254.255.255 fe80::1 febf:ffff::1"},
	{"shared (CGNAT)", "100.64.0.0 100.127.255.255"},
	{"metadata", "169.254.169.254 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254 fd20:ce::254"},
	{"multicast", "224.0.0.1 239.255.255.255 ff00::1 ff02::1 ff0e::1"},
	{"unspecified", "0.0.0.0 ::"},
	{"this network", "0.0.0.1 0.255.255.255"},
	{"broadcast", "255.255.255.255"},
	{"reserved", "240.0.0.0 255.255.255.254 100::1 4000::1 5f00::1 8000::1 1fff:ffff::1 e000::1"},
	{"protocol assignments", "192.0.0.0 192.0.0.8 192.0.0.255 2001:1::1 2001:2::1 2001:10::1 2001:1ff::1"},
	{"documentation", "192.0.2.1 198.51.100.7 203.0.113.255 2001:db8::1 3fff::1 3fff:fff::1"},
	{"benchmarking", "198.18.0.0 198.19.255.255"},
	{"6to4 relay", "192.88.99.1"},
	{"unique local", "fc00::1 fd00::1 fdff:ffff::1"},
	{"site-local", "fec0::1 feff::1"},
	{"IPv4-compatible", "::7f00:1 ::10.0.0.1"},
	{"NAT64", "64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 64:ff9b:1:ffff::1"},
	{"6to4", "2002:7f00:1::1 2002:808:808::1"},
	{"Teredo", "2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2"},
}

// Ensure all classes of addresses that are not public are refused, in every
// way in which an address can be put.
func TestGuard_Blocked(t *testing.T) {
	t.Parallel()
	g, err := newGuard(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range blockedAddresses {
		for text := range strings.FieldsSeq(tt.addrs) {
			forms := []netip.Addr{netip.MustParseAddr(text)}
			if forms[0].Is4() {
				forms = append(forms, netip.MustParseAddr("::ffff:"+text))
			} else {
				forms = append(forms, forms[0].WithZone("eth0"))
			}
			for _, addr := range forms {
				var refused *addressError
				if !errors.As(g.check(addr), &refused) || refused.class != tt.class {
					t.Errorf("%v: got %+v, want refused as %s", addr, refused, tt.class)
				}
			}
		}
	}
	if g.check(netip.Addr{}) == nil {
		t.Error("the invalid address is let through")
	}
}

// Ensure public addresses are let through, also those right beside a network
// that isn't. Nothing is sent to them.
func TestGuard_Public(t *testing.T) {
	t.Parallel()
	g, err := newGuard(nil)
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.FieldsSeq(`1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0
		126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0
		192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.101.0 203.0.114.0 223.255.255.255
		::ffff:8.8.8.8 2000::1 2001:200::1 2001:4860:4860::8888 2001:db7::1 2001:db9::1 2003::1 2600::1
		2606:4700::1111 3ffe:ffff::1 3fff:1000::1`) {
		if err := g.check(netip.MustParseAddr(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Ensure a URL with a closed address in it is refused for good without any
// connection, however the address is written.
func TestSender_Send_BlockedLiterals(t *testing.T) {
	t.Parallel()
	s := newSender(t, SenderOptions{Resolver: fixedNames(nil)})
	for _, tt := range blockedAddresses {
		for text := range strings.FieldsSeq(tt.addrs) {
			addr := netip.MustParseAddr(text)
			hosts := []string{netip.AddrPortFrom(addr, 9).String()}
			if addr.Is4() {
				hosts = append(hosts, "[::ffff:"+text+"]:9")
			}
			for _, host := range hosts {
				a := s.Send(t.Context(), message("http://"+host+"/", false))
				want := "address not allowed: " + addr.String()
				if a.Error != want || !a.Final() || a.Sent() {
					t.Errorf("%s: got %+v, want %q", host, a, want)
				}
			}
		}
	}
}

// Ensure names are judged by the addresses they resolve to: those of both
// families, and localhost.
func TestSender_Send_BlockedNames(t *testing.T) {
	t.Parallel()
	srv := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("the guarded server was reached") })
	hosts := map[string][]string{
		"loop.test": {"127.0.0.1"},
		"lan.test":  {"10.0.0.1"},
		"meta.test": {"169.254.169.254"},
		"many.test": {"10.0.0.1", "127.0.0.1"},
	}
	want := map[string]string{
		"loop.test": "127.0.0.1", "LOOP.test.": "127.0.0.1", "lan.test": "10.0.0.1",
		"meta.test": "169.254.169.254", "localhost": "127.0.0.1",
	}
	if ln, err := net.Listen("tcp", "[::1]:0"); err == nil {
		_ = ln.Close()
		hosts["six.test"] = []string{"::1"}
		want["six.test"] = "::1"
	}
	s := newSender(t, SenderOptions{Resolver: fixedNames(hosts)})
	for host, addr := range want {
		a := s.Send(t.Context(), message("http://"+host+":"+portOf(t, srv.URL), false))
		ok := a.Error == "address not allowed: "+addr || host == "localhost" && a.Error == "address not allowed: ::1"
		if !ok || !a.Final() || a.Code != CodeAddress {
			t.Errorf("%s: got %+v, want address not allowed: %s", host, a, addr)
		}
	}
	a := s.Send(t.Context(), message("http://many.test:"+portOf(t, srv.URL), false))
	if a.Code != CodeAddress || !a.Final() {
		t.Errorf("many.test: got %+v", a)
	}
}

// Ensure the address that is dialled is the one that is checked: a name that
// answered well when somebody looked, and resolves to a closed address now, is
// refused, also after a delivery that went through and could have left a
// connection.
func TestSender_Send_Rebinding(t *testing.T) {
	t.Parallel()
	var open, closed atomic.Int64
	port, _ := twoAddresses(t,
		func(http.ResponseWriter, *http.Request) { open.Add(1) },
		func(http.ResponseWriter, *http.Request) { closed.Add(1) })

	var rebound atomic.Bool
	resolver := names(func(string, bool) []netip.Addr {
		if rebound.Load() {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.2")}
	})
	// 127.0.0.2 plays the public address.
	s := newSender(t, SenderOptions{Allow: []string{"127.0.0.2"}, Resolver: resolver})
	msg := message("http://rebind.test:"+port, false)

	if a := s.Send(t.Context(), msg); !a.Delivered() {
		t.Fatalf("before: got %+v", a)
	}
	rebound.Store(true)
	if a := s.Send(t.Context(), msg); a.Error != "address not allowed: 127.0.0.1" || !a.Final() {
		t.Errorf("after: got %+v", a)
	}
	rebound.Store(false)
	if a := s.Send(t.Context(), msg); !a.Delivered() {
		t.Errorf("back again: got %+v", a)
	}
	if open.Load() != 2 || closed.Load() != 0 {
		t.Errorf("the open address was reached %d times, the closed one %d times", open.Load(), closed.Load())
	}
}

// Ensure a host with open and closed addresses is reached at an open one, and
// isn't given up for good when that one is down.
func TestSender_Send_MixedAddresses(t *testing.T) {
	t.Parallel()
	port, srv := twoAddresses(t, func(http.ResponseWriter, *http.Request) {}, func(http.ResponseWriter, *http.Request) {
		t.Error("the closed address was reached")
	})
	s := newSender(t, SenderOptions{
		Allow:    []string{"127.0.0.2/32"},
		Resolver: fixedNames(map[string][]string{"mixed.test": {"127.0.0.1", "127.0.0.2", "10.0.0.1"}}),
	})
	msg := message("http://mixed.test:"+port, false)
	if a := s.Send(t.Context(), msg); !a.Delivered() {
		t.Errorf("got %+v", a)
	}
	srv.Close()
	if a := s.Send(t.Context(), msg); a.Final() || a.Code != CodeConnect {
		t.Errorf("open address down: got %+v", a)
	}
}

// Ensure what the configuration opens is opened, and nothing beside it.
func TestSender_Send_Allow(t *testing.T) {
	t.Parallel()
	srv := receiver(t, func(http.ResponseWriter, *http.Request) {})
	resolver := fixedNames(map[string][]string{
		"docker.test": {"127.0.0.1"}, "sub.docker.test": {"127.0.0.1"}, "notdocker.test": {"127.0.0.1"},
		"xn--h32bq4v.test": {"127.0.0.1"},
	})
	for _, tt := range []struct {
		allow, host string
		want        bool
	}{
		{"127.0.0.0/8", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "docker.test", true},
		{"127.9.9.9/8", "127.0.0.1", true},
		{"0.0.0.0/0", "127.0.0.1", true},
		{"::ffff:127.0.0.0/104", "127.0.0.1", true},
		{"127.0.0.0/8", "[::ffff:127.0.0.1]", true},
		{"127.0.0.2", "127.0.0.1", false},
		{"10.0.0.0/8", "127.0.0.1", false},
		{"::/0", "127.0.0.1", false},
		{"docker.test", "docker.test", true},
		{"Docker.TEST.", "dOCKER.test", true},
		{"docker.test", "docker.test.", true},
		{" docker.test ", "docker.test", true},
		{"docker.test", "sub.docker.test", false},
		{"docker.test", "notdocker.test", false},
		{"docker.test", "127.0.0.1", false}, // the name is opened, not its address
		{"xn--h32bq4v.test", "메일.test", true},
	} {
		s := newSender(t, SenderOptions{Allow: []string{tt.allow}, Resolver: resolver})
		a := s.Send(t.Context(), message("http://"+tt.host+":"+portOf(t, srv.URL), false))
		if a.Delivered() != tt.want || !tt.want && a.Error != "address not allowed: 127.0.0.1" {
			t.Errorf("allow %q, host %s: got %+v", tt.allow, tt.host, a)
		}
	}
}

// Ensure faulty entries are refused with the entry named, instead of opening
// nothing or too much.
func TestNewSender_FaultyAllow(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{
		"", ".", "10.0.0.0/33", "10.0.0/8", "fe80::1%eth0", "[::1]", "host:8080", "*.example.com", "a b",
		"http://example.com", "127.1", "2130706433", "0x7f.1", "a..b", "메일.test", strings.Repeat("a", 254),
	} {
		if _, err := NewSender(SenderOptions{Allow: []string{"10.0.0.0/8", entry}}); err == nil ||
			!strings.Contains(err.Error(), fmt.Sprintf("%q", entry)) {
			t.Errorf("%q: got %v", entry, err)
		}
	}
}

// Ensure connections of trusted URLs are reused and never serve a guarded one,
// and that guarded ones are not kept.
func TestSender_Send_PoolsApart(t *testing.T) {
	t.Parallel()
	var conns atomic.Int64
	srv := unstarted(func(http.ResponseWriter, *http.Request) {})
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)

	s := newSender(t, SenderOptions{})
	for range 3 {
		if a := s.Send(t.Context(), message(srv.URL, true)); !a.Delivered() {
			t.Fatalf("trusted: got %+v", a)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("three trusted messages took %d connections, want 1", n)
	}
	if a := s.Send(t.Context(), message(srv.URL, false)); a.Code != CodeAddress {
		t.Errorf("guarded, with a trusted connection open: got %+v", a)
	}
	guarded := newSender(t, SenderOptions{Allow: loopback})
	for range 3 {
		if a := guarded.Send(t.Context(), message(srv.URL, false)); !a.Delivered() {
			t.Fatalf("guarded: got %+v", a)
		}
	}
	if n := conns.Load(); n != 4 {
		t.Errorf("three guarded messages took %d connections, want 3", n-1)
	}
}

// twoAddresses serves at 127.0.0.2 and 127.0.0.1, on one port. It returns the
// port and the first server.
func twoAddresses(t *testing.T, at2, at1 http.HandlerFunc) (string, *httptest.Server) {
	t.Helper()
	for range 20 {
		ln2, err := net.Listen("tcp", "127.0.0.2:0")
		if err != nil {
			t.Skip("no second loopback address here")
		}
		_, port, _ := net.SplitHostPort(ln2.Addr().String())
		ln1, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			_ = ln2.Close()
			continue // somebody else has it there
		}
		first := unstarted(at2)
		for srv, ln := range map[*httptest.Server]net.Listener{first: ln2, unstarted(at1): ln1} {
			_ = srv.Listener.Close()
			srv.Listener = ln
			srv.Start()
			t.Cleanup(srv.Close)
		}
		return port, first
	}
	t.Fatal("no port is free on both addresses")
	return "", nil
}
