package access_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/api/access"
	"switchyard/configs"
)

const (
	opsKey   = "swk_ops-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	adminKey = "swk_admin-BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
)

// config has two keys, two networks of which one lies in the other, and a
// trusted proxy.
func config(t *testing.T, change ...func(*configs.Config)) *configs.Config {
	t.Helper()
	c := configs.Default()
	c.Auth.Keys = []configs.APIKey{
		{Name: "ops", Hash: configs.HashAPIKey(opsKey), Scopes: []configs.Scope{configs.JobsRead, configs.ProxiesToggle}},
		{Name: "root", Hash: configs.HashAPIKey(adminKey), Scopes: []configs.Scope{configs.Admin}},
	}
	c.Auth.Networks = []configs.AuthNetwork{
		{CIDR: "192.0.2.0/24", Scopes: []configs.Scope{configs.ProxiesRead}},
		{CIDR: "192.0.2.128/25", Scopes: []configs.Scope{configs.JobsRead}},
		{CIDR: "2001:db8::/32", Scopes: []configs.Scope{configs.ProxiesRead}},
	}
	c.HTTP.TrustedProxies = []string{"203.0.113.0/29", "::1/128"}
	c.HTTP.ServerNames = []string{"Yard.example.com"}
	for _, f := range change {
		f(c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// request comes from an address; header are names and values in turn, and a
// name may come twice.
func request(from, host string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://"+host+"/status", nil)
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(from), 4321).String()
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// Ensure a key is known in each way that it may be sent in, opens its scopes
// and no others, and that whatever else is sent in its place opens nothing,
// from an address that has rights neither.
func TestKeys(t *testing.T) {
	t.Parallel()
	g := access.New(config(t))
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	for _, tt := range []struct {
		name   string
		header []string
		page   bool
		want   string // the caller; empty: refused
	}{
		{"bearer", []string{"Authorization", "Bearer " + opsKey}, false, "key:ops"},
		{"bearer in capitals, more space", []string{"Authorization", "BEARER  " + opsKey}, false, "key:ops"},
		{"header of its own", []string{"X-API-Key", opsKey}, false, "key:ops"},
		{"both, the same", []string{"X-API-Key", adminKey, "Authorization", "Bearer " + adminKey}, false, "key:root"},
		{"basic, on a page", []string{"Authorization", basic("anyone:" + opsKey)}, true, "key:ops"},
		{"basic without a user", []string{"Authorization", basic(":" + opsKey)}, true, "key:ops"},
		{"bearer on a page", []string{"Authorization", "Bearer " + opsKey}, true, "key:ops"},

		{"unknown key", []string{"X-API-Key", opsKey + "x"}, false, ""},
		{"the hash", []string{"X-API-Key", configs.HashAPIKey(opsKey)}, false, ""},
		{"empty key", []string{"X-API-Key", ""}, false, ""},
		{"empty bearer", []string{"Authorization", "Bearer "}, false, ""},
		{"nothing but the key", []string{"Authorization", opsKey}, false, ""},
		{"both, different", []string{"X-API-Key", adminKey, "Authorization", "Bearer " + opsKey}, false, ""},
		{"right one and another scheme", []string{"X-API-Key", opsKey, "Authorization", "Digest x"}, false, ""},
		{"sent twice", []string{"X-API-Key", opsKey, "X-API-Key", opsKey}, false, ""},
		{"bearer twice", []string{"Authorization", "Bearer " + opsKey, "Authorization", "Bearer " + opsKey}, false, ""},
		{"basic elsewhere", []string{"Authorization", basic("anyone:" + opsKey)}, false, ""},
		{"basic, wrong", []string{"Authorization", basic("anyone:secret")}, true, ""},
		{"basic, user and password the wrong way round", []string{"Authorization", basic(opsKey + ":x")}, true, ""},
		{"basic that is none", []string{"Authorization", "Basic !"}, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, from := range []string{"198.51.100.7", "192.0.2.7"} {
				c := g.Identify(request(from, "elsewhere.example.com", tt.header...), tt.page)
				if c.Name != tt.want {
					t.Errorf("from %s: caller %q, want %q", from, c.Name, tt.want)
				}
				if tt.want == "" {
					if !errors.Is(c.May(configs.ProxiesRead), access.ErrUnknown) || !c.BroughtWrongKey() {
						t.Errorf("from %s: it may read (%v), wrong key: %v", from, c.May(configs.ProxiesRead), c.BroughtWrongKey())
					}
					continue
				}
				if err := c.May(configs.JobsRead); err != nil {
					t.Errorf("jobs: %v", err)
				}
				if err := c.May(configs.ProxiesRead); tt.want == "key:ops" && !errors.Is(err, access.ErrScope) {
					t.Errorf("its network's scope: %v, want ErrScope", err)
				}
			}
		})
	}
}

// Ensure an address has the scopes of all networks it is in, where the request
// is for this server; that what is open is so for everybody; and that nobody
// else is known, loopback neither.
func TestNetworks(t *testing.T) {
	t.Parallel()
	g := access.New(config(t))
	for _, tt := range []struct {
		from, host        string
		want              string
		proxies, jobs, cf error
	}{
		{"192.0.2.7", "192.0.2.1:8080", "network:192.0.2.0/24 192.0.2.7", nil, access.ErrScope, access.ErrScope},
		{"192.0.2.200", "localhost", "network:192.0.2.128/25 192.0.2.200", nil, nil, access.ErrScope},
		{"::ffff:192.0.2.7", "[2001:db8::1]:80", "network:192.0.2.0/24 192.0.2.7", nil, access.ErrScope, access.ErrScope},
		{"2001:db8::7", "yard.EXAMPLE.com.:8080", "network:2001:db8::/32 2001:db8::7", nil, access.ErrScope, access.ErrScope},
		{"192.0.2.7", "evil.example.com", "network:192.0.2.0/24 192.0.2.7", access.ErrForeignHost, access.ErrForeignHost, access.ErrForeignHost},
		{"192.0.2.7", "192.0.2.1.example.com", "network:192.0.2.0/24 192.0.2.7", access.ErrForeignHost, access.ErrForeignHost, access.ErrForeignHost},
		{"192.0.2.7", "localhost.example.com", "network:192.0.2.0/24 192.0.2.7", access.ErrForeignHost, access.ErrForeignHost, access.ErrForeignHost},
		{"198.51.100.7", "localhost", "", access.ErrUnknown, access.ErrUnknown, access.ErrUnknown},
		{"127.0.0.1", "localhost", "", access.ErrUnknown, access.ErrUnknown, access.ErrUnknown},
	} {
		c := g.Identify(request(tt.from, tt.host), false)
		if c.Name != tt.want {
			t.Errorf("%s: caller %q, want %q", tt.from, c.Name, tt.want)
		}
		for scope, want := range map[configs.Scope]error{configs.ProxiesRead: tt.proxies, configs.JobsRead: tt.jobs, configs.CFWrite: tt.cf, "": nil} {
			if err := c.May(scope); !errors.Is(err, want) {
				t.Errorf("%s for %s, scope %q: %v, want %v", tt.from, tt.host, scope, err, want)
			}
		}
	}
}

// Ensure without keys and networks callers on this machine may do everything
// and others nothing, whatever credential they bring; with auth.disabled
// everybody may; under names of this server only, in both cases.
func TestNobodyIsAsked(t *testing.T) {
	t.Parallel()
	nobody := func(c *configs.Config) { c.Auth = configs.Auth{} }
	closed := access.New(config(t, nobody))
	opened := access.New(config(t, nobody, func(c *configs.Config) { c.Auth.Disabled = true }))
	for _, tt := range []struct {
		guard      *access.Guard
		from, host string
		want       error
	}{
		{closed, "127.0.0.1", "127.0.0.1:8080", nil},
		{closed, "127.8.9.10", "localhost:8080", nil},
		{closed, "127.0.0.1", "rebound.example.com", access.ErrForeignHost},
		{closed, "192.0.2.7", "127.0.0.1", access.ErrUnknown},
		{opened, "192.0.2.7", "192.0.2.1", nil},
		{opened, "192.0.2.7", "yard.example.com", nil},
		{opened, "192.0.2.7", "rebound.example.com", access.ErrForeignHost},
	} {
		for _, header := range [][]string{nil, {"X-API-Key", "whatever"}} {
			c := tt.guard.Identify(request(tt.from, tt.host, header...), false)
			for _, scope := range configs.Scopes() {
				if err := c.May(scope); !errors.Is(err, tt.want) {
					t.Errorf("%s for %s, %q: %s: %v, want %v", tt.from, tt.host, header, scope, err, tt.want)
				}
			}
		}
	}
}

// Ensure X-Forwarded-For is believed from trusted proxies only, and of it only
// what they have written themselves: a client can put what it likes in front.
func TestForwardedAddress(t *testing.T) {
	t.Parallel()
	g := access.New(config(t))
	for _, tt := range []struct {
		name string
		from string
		xff  []string
		want string // "": unknown
	}{
		{"no proxy", "198.51.100.7", nil, "198.51.100.7"},
		{"spoofed without a proxy", "198.51.100.7", []string{"192.0.2.7"}, "198.51.100.7"},
		{"proxy", "203.0.113.1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"spoofed through a proxy", "203.0.113.1", []string{"192.0.2.7, 198.51.100.7"}, "198.51.100.7"},
		{"spoofed in a line of its own", "203.0.113.1", []string{"192.0.2.7", "198.51.100.7"}, "198.51.100.7"},
		{"spoofed as a proxy", "203.0.113.1", []string{"192.0.2.7, 203.0.113.2, 198.51.100.7"}, "198.51.100.7"},
		{"two proxies", "203.0.113.1", []string{"192.0.2.7, 198.51.100.7 ,203.0.113.2"}, "198.51.100.7"},
		{"two proxies, two lines", "::1", []string{"192.0.2.7,198.51.100.7", "203.0.113.2,203.0.113.3"}, "198.51.100.7"},
		{"a proxy itself", "203.0.113.1", nil, "203.0.113.1"},
		{"proxies among themselves", "203.0.113.1", []string{"203.0.113.3, 203.0.113.2"}, "203.0.113.3"},
		{"with a port", "203.0.113.1", []string{"198.51.100.7:5555"}, "198.51.100.7"},
		{"IPv6 with a port", "203.0.113.1", []string{"[2001:db8::7]:5555"}, "2001:db8::7"},
		{"IPv6 in brackets", "203.0.113.1", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"IPv4 in IPv6", "203.0.113.1", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"nonsense", "203.0.113.1", []string{"192.0.2.7, unknown"}, ""},
		{"empty", "203.0.113.1", []string{""}, ""},
		{"empty at the end", "203.0.113.1", []string{"192.0.2.7,"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var header []string
			for _, v := range tt.xff {
				header = append(header, "X-Forwarded-For", v)
			}
			header = append(header, "X-Real-IP", "192.0.2.7", "Forwarded", "for=192.0.2.7")
			c := g.Identify(request(tt.from, "localhost", header...), false)
			want, _ := netip.ParseAddr(tt.want)
			if c.Addr != want {
				t.Errorf("address %s, want %s", c.Addr, want)
			}
			if !want.IsValid() && !errors.Is(c.May(configs.ProxiesRead), access.ErrUnknown) {
				t.Error("a caller without an address may read")
			}
		})
	}
}

// Ensure a page of another site can neither act, by whatever method, nor read
// in the background, unless its origin is allowed; links are followed.
func TestForeignPage(t *testing.T) {
	t.Parallel()
	g := access.New(config(t, func(c *configs.Config) { c.HTTP.AllowedOrigins = []string{"https://app.example.com"} }))
	const app, evil = "https://app.example.com", "https://evil.example.com"
	for _, tt := range []struct {
		site, mode, origin string
		acts, want         bool
	}{
		{"", "", "", true, false}, // no browser
		{"", "", "", false, false},
		{"same-origin", "cors", "http://yard.example.com", true, false},
		{"none", "navigate", "", true, false},
		{"same-site", "cors", "https://other.example.com", true, true},
		{"cross-site", "navigate", "", true, true},
		{"cross-site", "cors", evil, true, true},
		{"cross-site", "cors", "null", true, true},
		{"", "", evil, true, true}, // an old browser
		{"", "", "null", true, true},
		{"cross-site", "cors", app, true, false},
		{"cross-site", "no-cors", "", false, true},
		{"cross-site", "cors", evil, false, true},
		{"cross-site", "cors", app, false, false},
		{"cross-site", "navigate", "", false, false},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := request("192.0.2.7", "yard.example.com")
			r.Method = method
			for name, v := range map[string]string{"Sec-Fetch-Site": tt.site, "Sec-Fetch-Mode": tt.mode, "Origin": tt.origin} {
				if v != "" {
					r.Header.Set(name, v)
				}
			}
			if got := g.ForeignPage(r, tt.acts); got != tt.want {
				t.Errorf("%s %+v: foreign %v", method, tt, got)
			}
		}
	}
}

// Ensure a browser that says nothing of the page, as browsers do of a GET over
// plain HTTP, can't act unless the page is known by its Referer; and that
// programs, and who brings a key, can.
func TestBrowserThatSaysNothing(t *testing.T) {
	t.Parallel()
	g := access.New(config(t, func(c *configs.Config) { c.HTTP.AllowedOrigins = []string{"http://app.example.com"} }))
	const chromium = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36"
	for _, tt := range []struct {
		name   string
		header []string
		want   bool
	}{
		{"curl", []string{"User-Agent", "curl/8.5.0"}, false},
		{"a program that calls itself one", []string{"User-Agent", chromium}, false},
		{"an image of any page", []string{"User-Agent", chromium, "Accept-Language", "ko-KR"}, true},
		{"and it emptied what it can", []string{"User-Agent", chromium, "Accept-Language", ""}, true},
		{"another site's", []string{"User-Agent", chromium, "Accept-Language", "ko", "Referer", "http://evil.example.com/yard.example.com"}, true},
		{"a Referer that is none", []string{"User-Agent", chromium, "Accept-Language", "ko", "Referer", "http://[::1"}, true},
		{"a page of ours", []string{"User-Agent", chromium, "Accept-Language", "ko", "Referer", "http://Yard.example.com/docs"}, false},
		{"of an allowed origin", []string{"User-Agent", chromium, "Accept-Language", "ko", "Referer", "http://app.example.com/x"}, false},
		{"with a key", []string{"User-Agent", chromium, "Accept-Language", "ko", "X-API-Key", opsKey}, false},
		{"typed in, where browsers say so", []string{"User-Agent", chromium, "Accept-Language", "ko", "Sec-Fetch-Site", "none"}, false},
	} {
		r := request("192.0.2.7", "yard.example.com", tt.header...)
		if got := g.ForeignPage(r, true); got != tt.want {
			t.Errorf("%s: foreign %v, want %v", tt.name, got, tt.want)
		}
		if g.ForeignPage(r, false) {
			t.Errorf("%s: it may not read", tt.name)
		}
	}
}

// Ensure each caller has a rate of its own, gets its burst again as time goes,
// and is told how long to wait; callers by key are told apart by key, others by
// address, of IPv6 by network.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config(t, func(c *configs.Config) { c.HTTP.RateLimit = configs.RateLimit{PerSecond: 2, Burst: 3} })
		g := access.New(c)
		take := func(from string, header ...string) time.Duration {
			caller := g.Identify(request(from, "localhost", header...), false)
			return g.Wait(&caller)
		}
		for range 3 {
			if w := take("192.0.2.7"); w != 0 {
				t.Fatalf("within the burst: wait %s", w)
			}
		}
		for range 5 { // who is refused uses nothing up
			if w := take("192.0.2.7"); w != time.Second/2 {
				t.Fatalf("beyond the burst: wait %s", w)
			}
		}
		// The same address, with a key and with a wrong one.
		if w := take("192.0.2.7", "X-API-Key", opsKey); w != 0 {
			t.Errorf("another caller waits %s", w)
		}
		if w := take("192.0.2.7", "X-API-Key", "wrong"); w == 0 {
			t.Error("a wrong key has a rate of its own")
		}
		for i := range 2 {
			if w := take(fmt.Sprintf("198.51.100.%d", i), "X-API-Key", opsKey); w != 0 {
				t.Errorf("the key's burst: wait %s", w)
			}
		}
		if w := take("198.51.100.9", "X-API-Key", opsKey); w == 0 {
			t.Error("the key has a rate for each address")
		}
		for i := range 3 {
			take(fmt.Sprintf("2001:db8::%d", i+1))
		}
		if take("2001:db8::ffff:0:0:1") == 0 || take("2001:db8:0:1::1") != 0 {
			t.Error("IPv6 callers are not told apart by their /64")
		}
		time.Sleep(time.Second)
		for i, want := range []time.Duration{0, 0, time.Second / 2} {
			if w := take("192.0.2.7"); w != want {
				t.Errorf("%d after a second: wait %s, want %s", i, w, want)
			}
		}
		// The same limit again keeps what was used; none is none.
		g.Use(c)
		if take("192.0.2.7") == 0 {
			t.Error("a reload without a change gives the burst again")
		}
		g.Use(config(t, func(c *configs.Config) { c.HTTP.RateLimit.PerSecond = 0 }))
		for range 1000 {
			if w := take("192.0.2.7"); w != 0 {
				t.Fatalf("without a limit: wait %s", w)
			}
		}
	})
}

// Ensure Use changes who may do what, at once and as a whole.
func TestUse(t *testing.T) {
	t.Parallel()
	g := access.New(config(t))
	r := request("192.0.2.7", "localhost", "X-API-Key", opsKey)
	before := g.Identify(r, false)
	g.Use(config(t, func(c *configs.Config) { c.Auth.Keys = c.Auth.Keys[1:] }))
	after := g.Identify(r, false)
	if before.May(configs.JobsRead) != nil || after.May(configs.JobsRead) == nil {
		t.Errorf("before %v, after %v", before.May(configs.JobsRead), after.May(configs.JobsRead))
	}
}
