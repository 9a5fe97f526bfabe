package hardware_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/hardware"
)

const (
	probeTimeout = 3 * time.Second
	hostAddress  = "198.51.100.7"
)

// service is an echo service: what it does with a connection.
type service func(ctx context.Context, secure bool) (net.Conn, error)

func text(body string) service { return answers(http.StatusOK, body) }

func answers(status int, body string) service { return handles(says(status, body)) }

func handles(h http.HandlerFunc) service {
	return func(_ context.Context, secure bool) (net.Conn, error) {
		if secure {
			return answeringTLS("", h), nil
		}
		return answering(h), nil
	}
}

func refuses(context.Context, bool) (net.Conn, error) { return nil, errRefused }

func dead(ctx context.Context, _ bool) (net.Conn, error) { return deadEnd(ctx) }

// silent takes the connection and says nothing: a handshake or an answer that
// never comes.
func silent(context.Context, bool) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		for {
			if _, err := server.Read(make([]byte, 4096)); err != nil {
				return
			}
		}
	}()
	return client, nil
}

// impostor answers behind the certificate of another host.
func impostor(context.Context, bool) (net.Conn, error) {
	return answeringTLS("other.example", says(http.StatusOK, "203.0.113.5")), nil
}

// stalls begins its answer and never ends it.
func stalls(_ context.Context, _ bool) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		_, _ = server.Read(make([]byte, 4096))
		_, _ = server.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n203."))
		_, _ = server.Read(make([]byte, 1)) // until the client has gone
	}()
	return client, nil
}

func slow(d time.Duration, then service) service {
	return func(ctx context.Context, secure bool) (net.Conn, error) {
		select {
		case <-time.After(d):
			return then(ctx, secure)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// internet is a network with echo services by host name. It keeps who was
// dialled, in order.
type internet struct {
	services map[string]service
	mu       sync.Mutex
	dialled  []string
}

func (i *internet) network() *fakeNetwork {
	return &fakeNetwork{DialFn: func(ctx context.Context, _, addr string) (net.Conn, error) {
		i.mu.Lock()
		i.dialled = append(i.dialled, addr)
		i.mu.Unlock()
		host, port, _ := net.SplitHostPort(addr)
		s := i.services[host]
		if s == nil {
			return nil, errRefused
		}
		return s(ctx, port == "443")
	}}
}

// Ensure a look returns the first valid answer, asks by HTTPS first and by HTTP
// only where that brought nothing, and takes no more time than it may. What it
// began is over when it returns: the bubble has no room for anything left.
func TestProber(t *testing.T) {
	t.Parallel()
	const s1, s2, p1, p2 = "https://s1.example/", "https://s2.example/ip", "http://p1.example", "HTTP://p2.example/"
	type services = map[string]service
	for _, tt := range []struct {
		name     string
		urls     []string
		services services
		want     string // address; empty: an error
		err      string // part of it
		after    time.Duration
		dialled  string // hosts, sorted within each scheme
	}{
		{"https alone", []string{s1}, services{"s1.example": text("203.0.113.5")}, "203.0.113.5", "", 0, "s1"},
		{"space around it", []string{p1}, services{"p1.example": text(" 203.0.113.5\r\n")}, "203.0.113.5", "", 0, "p1"},
		{"IPv6", []string{p1}, services{"p1.example": text("2001:db8::5")}, "2001:db8::5", "", 0, "p1"},
		{"IPv4 in IPv6", []string{p1}, services{"p1.example": text("::ffff:203.0.113.5")}, "203.0.113.5", "", 0, "p1"},
		{"https before http, whatever their order", []string{p1, s1, p2}, services{"s1.example": text("203.0.113.5"), "p1.example": text("203.0.113.6")},
			"203.0.113.5", "", 0, "s1"},
		{"first valid answer", []string{s1, s2}, services{"s1.example": slow(time.Second, text("203.0.113.5")), "s2.example": slow(500*time.Millisecond, text("203.0.113.6"))},
			"203.0.113.6", "", 500 * time.Millisecond, "s1 s2"},
		{"a fast wrong one", []string{s1, s2}, services{"s1.example": text("<html>"), "s2.example": slow(time.Second, text("203.0.113.6"))},
			"203.0.113.6", "", time.Second, "s1 s2"},
		{"a hung one beside it", []string{s1, s2}, services{"s1.example": dead, "s2.example": slow(time.Millisecond, text("203.0.113.6"))},
			"203.0.113.6", "", time.Millisecond, "s1 s2"},
		{"http after https has failed", []string{s1, s2, p1}, services{"s1.example": refuses, "s2.example": answers(http.StatusBadGateway, "203.0.113.4"), "p1.example": text("203.0.113.5")},
			"203.0.113.5", "", 0, "s1 s2 p1"},
		{"http after half the time", []string{s1, p1, p2}, services{"s1.example": dead, "p1.example": refuses, "p2.example": slow(time.Millisecond, text("203.0.113.5"))},
			"203.0.113.5", "", probeTimeout/2 + time.Millisecond, "s1 p1 p2"},
		{"https that is late is taken too", []string{s1, p1}, services{"s1.example": slow(2*time.Second, text("203.0.113.5")), "p1.example": dead},
			"203.0.113.5", "", 2 * time.Second, "s1 p1"},
		{"certificate of another", []string{s1}, services{"s1.example": impostor},
			"", "certificate", 0, "s1"},
		{"no TLS", []string{s1}, services{"s1.example": func(ctx context.Context, _ bool) (net.Conn, error) { return text("203.0.113.5")(ctx, false) }},
			"", "EOF", 0, "s1"},

		{"no answer", []string{s1, p1}, services{"s1.example": dead, "p1.example": dead}, "", "deadline", probeTimeout, "s1 p1"},
		{"no handshake", []string{s1}, services{"s1.example": silent}, "", "deadline", probeTimeout, "s1"},
		{"no answer on a connection", []string{p1}, services{"p1.example": silent}, "", "deadline", probeTimeout, "p1"},
		{"half an answer", []string{p1}, services{"p1.example": stalls}, "", "deadline", probeTimeout, "p1"},
		{"all refuse", []string{s1, p1, p2}, nil, "", "connection refused", 0, "s1 p1 p2"},
		{"nothing", []string{p1}, services{"p1.example": text("")}, "", "no address", 0, "p1"},
		{"a page", []string{p1}, services{"p1.example": text("<html>203.0.113.5</html>")}, "", "no address", 0, "p1"},
		{"a list", []string{p1}, services{"p1.example": text("203.0.113.5, 203.0.113.6")}, "", "no address", 0, "p1"},
		{"a network", []string{p1}, services{"p1.example": text("203.0.113.0/24")}, "", "no address", 0, "p1"},
		{"an address and much more", []string{p1}, services{"p1.example": text("203.0.113.5" + strings.Repeat("\n", 64) + "<html>")}, "", "no address", 0, "p1"},
		{"a redirect", []string{p1}, services{"p1.example": answers(http.StatusFound, "203.0.113.5"), "elsewhere.example": text("203.0.113.5")},
			"", "status 302", 0, "p1"},
		{"an error with an address", []string{p1}, services{"p1.example": answers(http.StatusForbidden, "203.0.113.5")}, "", "status 403", 0, "p1"},
		{"the host's own address", []string{s1, p1}, services{"s1.example": text(hostAddress), "p1.example": text("::ffff:" + hostAddress)},
			"", hardware.ErrLeak.Error(), 0, "s1 p1"},
		{"no service", nil, nil, "", "host.echo_urls", 0, ""},
		{"no URL", []string{"http://%zz"}, nil, "", "asking an echo service", 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				world := &internet{services: tt.services}
				p := hardware.Prober{URLs: tt.urls, Timeout: probeTimeout, HostIP: netip.MustParseAddr(hostAddress)}
				began := time.Now()
				ip, err := p.Look(t.Context(), world.network())
				if took := time.Since(began); took != tt.after {
					t.Errorf("it took %v, want %v", took, tt.after)
				}
				synctest.Wait()
				switch {
				case tt.want != "" && (err != nil || ip.String() != tt.want):
					t.Errorf("got %v, %v, want %s", ip, err, tt.want)
				case tt.want == "" && (err == nil || ip.IsValid() || !strings.Contains(err.Error(), tt.err)):
					t.Errorf("got %v, %v, want an error with %q", ip, err, tt.err)
				}
				if got := errors.Is(err, hardware.ErrLeak); got != (tt.err == hardware.ErrLeak.Error()) {
					t.Errorf("%v is a leak: %v", err, got)
				}
				if got := hostsOf(world.dialled); got != tt.dialled {
					t.Errorf("dialled %q, want %q", got, tt.dialled)
				}
			})
		})
	}
}

// hostsOf lists the hosts dialled, those of HTTPS sorted, then those of HTTP, which
// must not have come before.
func hostsOf(dialled []string) string {
	byPort := map[string][]string{}
	for _, addr := range dialled {
		host, port, _ := net.SplitHostPort(addr)
		if port == "443" && len(byPort["80"]) > 0 {
			return "http before https"
		}
		byPort[port] = append(byPort[port], strings.TrimSuffix(host, ".example"))
	}
	slices.Sort(byPort["443"])
	slices.Sort(byPort["80"])
	return strings.Join(append(byPort["443"], byPort["80"]...), " ")
}

// Ensure a look ends with its context, and neither uses a proxy nor shows a
// service who asks.
func TestProber_context(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		p := hardware.Prober{URLs: []string{"https://s1.example", "http://p1.example"}, Timeout: probeTimeout}
		_, err := p.Look(ctx, &fakeNetwork{})
		if took := time.Since(began); !errors.Is(err, context.Canceled) || took != time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var got *http.Request
		world := &internet{services: map[string]service{"p1.example": handles(func(w http.ResponseWriter, r *http.Request) {
			got = r
			says(http.StatusOK, "203.0.113.5")(w, r)
		})}}
		p := hardware.Prober{URLs: []string{"http://p1.example/ip?x=1"}, Timeout: probeTimeout}
		if _, err := p.Look(t.Context(), world.network()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got.Method != http.MethodGet || got.RequestURI != "/ip?x=1" || got.Host != "p1.example" || !strings.HasPrefix(got.UserAgent(), "curl/") {
			t.Errorf("asked %s %s of %s as %s", got.Method, got.RequestURI, got.Host, got.UserAgent())
		}
	})
}
