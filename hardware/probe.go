package hardware

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// ErrLeak: the probe left by the host's own uplink, so it says nothing about
// the dongle.
var ErrLeak = errors.New("the probe came back with the host's own address: it left by the uplink")

// Prober asks the echo services what address a dongle has on the internet.
type Prober struct {
	// URLs answer a GET with the caller's address as plain text. Those with
	// HTTPS are asked first, the others when they have failed, or half of
	// Timeout is over.
	URLs []string
	// Timeout of one look.
	Timeout time.Duration
	// HostIP is the host's own public address, which no dongle can have.
	HostIP netip.Addr
}

// echoLimit is longer than any address. An answer beyond it is none.
const echoLimit = 64

type echo struct {
	ip  netip.Addr
	err error
}

// Look returns the address that n's connections have on the internet. All
// services of a scheme are asked at once; the first valid answer wins. Error:
// ErrNames, where none of the services was so much as found.
func (p Prober) Look(ctx context.Context, n Network) (netip.Addr, error) {
	if len(p.URLs) == 0 {
		return netip.Addr{}, errors.New("no echo service is configured (host.echo_urls)")
	}
	// Ends with this call, whatever the transport is still doing.
	look, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	// A connection made before a toggle must not outlive it.
	tr := &http.Transport{DialContext: within(look, n.Dial), DisableKeepAlives: true, Proxy: nil}
	client := &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

	var secure, plain []string
	for _, u := range p.URLs {
		if strings.HasPrefix(strings.ToLower(u), "https:") {
			secure = append(secure, u)
		} else {
			plain = append(plain, u)
		}
	}
	answers := make(chan echo, len(p.URLs)) // room for all: nobody is left behind
	ask := func(urls []string) int {
		for _, u := range urls {
			go func() {
				ip, err := p.ask(ctx, client, u)
				answers <- echo{ip, err}
			}()
		}
		return len(urls)
	}
	open := ask(secure)
	if open == 0 {
		open, plain = ask(plain), nil
	}
	half := time.NewTimer(p.Timeout / 2)
	defer half.Stop()
	var found echo
	var errs []error
	for open > 0 {
		select {
		case found = <-answers:
			open--
			if found.err == nil {
				cancel()
			} else {
				errs = append(errs, found.err)
			}
		case <-half.C:
			open += ask(plain)
			plain = nil
			continue
		}
		if found.err == nil {
			break
		}
		if open == 0 && len(plain) > 0 {
			open, plain = ask(plain), nil
		}
	}
	for ; open > 0; open-- { // the cancelled ones
		<-answers
	}
	if found.err == nil && found.ip.IsValid() {
		return found.ip, nil
	}
	if slices.ContainsFunc(errs, func(err error) bool { return !errors.Is(err, ErrNames) }) {
		// One that was found but didn't answer tells of the dongle.
		errs = slices.DeleteFunc(errs, func(err error) bool { return errors.Is(err, ErrNames) })
	}
	return netip.Addr{}, errors.Join(errs...)
}

// within ends dials, and closes what they opened, with look. A transport lets a
// dial or a handshake go on that no request waits for any more; into a dead
// network that takes minutes, and the next look comes at once.
func within(look context.Context, dial dialFunc) dialFunc {
	return func(_ context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(look, network, addr)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(look, func() { _ = conn.Close() })
		return conn, nil
	}
}

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

func (p Prober) ask(ctx context.Context, c *http.Client, url string) (netip.Addr, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("asking an echo service: %w", err)
	}
	req.Header.Set("User-Agent", "curl/8") // some answer browsers with a page
	res, err := c.Do(req)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("asking an echo service: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, echoLimit+1))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("reading the answer of %s: %w", req.URL.Host, err)
	}
	if res.StatusCode != http.StatusOK {
		return netip.Addr{}, fmt.Errorf("%s answered with status %d", req.URL.Host, res.StatusCode)
	}
	ip, err := netip.ParseAddr(strings.TrimSpace(string(b)))
	if err != nil || len(b) > echoLimit {
		return netip.Addr{}, fmt.Errorf("%s answered with something that is no address", req.URL.Host)
	}
	ip = ip.Unmap()
	if ip == p.HostIP {
		return netip.Addr{}, ErrLeak
	}
	return ip, nil
}

var _ Network = GatewayNetwork{}
var _ Network = BoundNetwork{}
