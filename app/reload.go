package app

import (
	"slices"
	"strings"

	"switchyard/configs"
)

// reloadable are the keys, or sections, that change while the app runs.
var reloadable = []string{
	"auth", "callbacks", "push", "http.server_names", "http.allowed_origins", "http.trusted_proxies", "http.rate_limit",
	"trading",
}

// certificateKeys are reloadable where there is a TLS listener, now and in the
// new configuration: without one they stand for nothing.
var certificateKeys = []string{"http.tls.cert", "http.tls.key"}

// Reload takes over from c, which has been validated, what can change while
// the app runs: who may do what, who is told of jobs, and certificates. What
// else differs is named in the log; it waits for a restart. Reload may be
// called at any time.
func (a *App) Reload(c *configs.Config) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	can, done := reloadable, reloadable
	if cert := a.cert.Load(); cert != nil && len(c.HTTP.TLS.Listen) > 0 {
		can = slices.Concat(can, certificateKeys)
		if err := cert.use(c.HTTP.TLS.Cert, c.HTTP.TLS.Key); err != nil {
			a.log.Error("the certificate can't be used; the one before stays", "err", c.Fault("http.tls.cert", "%v", err))
		} else {
			done = can
		}
	}
	changed := keep(configs.Diff(a.live.Load(), c), done, true)
	a.live.Store(c)
	a.guard.Use(c)
	a.log.Info("configuration reloaded", "changed", changed)
	if waiting := keep(configs.Diff(a.cfg, c), can, false); len(waiting) > 0 {
		a.log.Warn("the configuration has changes that need a restart", "keys", waiting)
	}
}

// callbacks are who is told of jobs now.
func (a *App) callbacks() configs.Callbacks { return a.live.Load().Callbacks }

// push is how hosts push their status now.
func (a *App) push() configs.Push { return a.live.Load().Push }

// keep returns the keys that are, or are not, within one of sections.
func keep(keys, sections []string, in bool) []string {
	out := []string{}
	for _, k := range keys {
		within := slices.ContainsFunc(sections, func(s string) bool { return k == s || strings.HasPrefix(k, s+".") })
		if within == in {
			out = append(out, k)
		}
	}
	return out
}
