package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"switchyard/configs"
	"switchyard/hardware/netroute"
)

// localFindings examines this machine for what the roles need of it. What comes
// to be needed is added to the list.
func localFindings(ctx context.Context, opt DoctorOptions) []Finding {
	var list []check
	address := func(name, addr, scheme, path string) {
		list = append(list, check{name, func(ctx context.Context) Finding { return listenable(ctx, addr, scheme, path) }})
	}
	h := opt.Config.HTTP
	switch {
	case slices.Contains(opt.Roles, API):
		for i, addr := range h.Listen {
			address(fmt.Sprintf("http.listen[%d]", i), addr, "http", "/healthz")
		}
		for i, addr := range h.TLS.Listen {
			address(fmt.Sprintf("http.tls.listen[%d]", i), addr, "https", "/healthz")
		}
		if len(h.TLS.Listen) > 0 {
			list = append(list, check{"http.tls.cert", func(context.Context) Finding { return servable(h.TLS.Cert, h.TLS.Key) }})
		}
	case opt.Config.Metrics.Listen != "":
		address("metrics.listen", opt.Config.Metrics.Listen, "http", "/metrics")
	}
	if dir := opt.Config.Logs.Dir; dir != "" {
		list = append(list, check{"logs.dir", func(context.Context) Finding { return writable(dir) }})
	}
	if slices.Contains(opt.Roles, Worker) && opt.Config.Host.Name != "" {
		list = append(list, check{"host.state_dir", func(context.Context) Finding { return writable(opt.Config.Host.StateDir) }})
	}
	var all []Finding
	for _, c := range list {
		all = append(all, c.run(ctx))
	}
	return all
}

// listenable looks whether an address can be listened on. A switchyard that has
// it already is known by its answer at the path.
func listenable(ctx context.Context, addr, scheme, path string) Finding {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	switch {
	case err == nil:
		if err := l.Close(); err != nil {
			return fail(addr+" can't be let go of: "+err.Error(), "try again")
		}
		return ok(addr + " is free")
	case errors.Is(err, syscall.EADDRINUSE) && switchyardOn(ctx, addr, scheme, path):
		return ok(addr + " is used by a switchyard that is running")
	case errors.Is(err, syscall.EADDRINUSE):
		return fail(addr+" is used by another program", "stop that one, or choose another address")
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return warn("this machine doesn't have "+addr+", so it is passed over", "take it out, or give the machine the address")
	case errors.Is(err, syscall.EACCES):
		return fail("not allowed to listen on "+addr, "choose a port above 1023, or give the right to use it (AmbientCapabilities=CAP_NET_BIND_SERVICE)")
	}
	return fail("can't listen on "+addr+": "+err.Error(), "choose another address")
}

// healthTimeout bounds the question whether it is us who listen.
const healthTimeout = 2 * time.Second

func switchyardOn(ctx context.Context, addr, scheme, path string) bool {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return false
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // only asks who is there; certificates are for other names
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// servable looks whether HTTPS can be served with a certificate, and for how long.
func servable(cert, key string) Finding {
	pair, _, err := readPair(cert, key)
	if err != nil {
		return fail(err.Error(), "give files in PEM that belong together and can be read by the user that switchyard runs as (http.tls.cert, http.tls.key)")
	}
	const do = "renew it; the new one is used as soon as it stands there"
	until := pair.Leaf.NotAfter
	says := "good until " + until.UTC().Format(time.DateOnly)
	switch left := time.Until(until); {
	case left <= 0:
		return fail("over since "+until.UTC().Format(time.DateOnly), do)
	case left < expiresSoon:
		return warn(says, do)
	}
	return ok(says)
}

// simulated tells whether there is no real dongle, nor can be one.
func simulated(h configs.Host) bool {
	plugged := func(d configs.Dongle) bool { return d.Gateway == "" }
	return len(h.Dongles) > 0 && !slices.ContainsFunc(h.Dongles, plugged)
}

// routing tells what comes of asking whether rules may be changed.
func routing(err error) Finding {
	const without = "; without it, step 1 of a toggle is passed over, and nothing is repaired before a toggle"
	switch {
	case err == nil:
		return ok("may change rules and routes (CAP_NET_ADMIN)")
	case errors.Is(err, netroute.ErrNotPermitted):
		return warn(err.Error()+without, "run it by the unit switchyard-host.service, which gives it (AmbientCapabilities=CAP_NET_ADMIN, PrivateUsers=no)")
	case errors.Is(err, errors.ErrUnsupported):
		return warn(err.Error()+without, "run the worker of real dongles on Linux")
	}
	return fail(err.Error(), "allow netlink (RestrictAddressFamilies=AF_NETLINK of a systemd unit)")
}

// writable looks whether a directory can be written to; one that isn't there,
// whether it could be made.
func writable(dir string) Finding {
	const do = "give it to the user that switchyard runs as, or choose another (StateDirectory= and LogsDirectory= of a systemd unit make theirs)"
	made := dir
	for {
		info, err := os.Stat(made)
		if err == nil && !info.IsDir() {
			return fail(made+" is no directory", "choose another")
		}
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || made == filepath.Dir(made) {
			return fail(err.Error(), do)
		}
		made = filepath.Dir(made)
	}
	f, err := os.CreateTemp(made, ".switchyard-doctor-")
	if err != nil {
		return fail(made+" can't be written to: "+err.Error(), do)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return fail(made+": "+err.Error(), do)
	}
	if made != dir {
		return ok(dir + " isn't there yet and can be made")
	}
	return ok(dir + " can be written to")
}
