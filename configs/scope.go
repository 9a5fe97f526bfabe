package configs

import "slices"

// Scope is one thing that a caller of the HTTP API may be allowed.
type Scope string

// The scopes, each with what it opens.
const (
	ProxiesRead    Scope = "proxies:read"    // status, hosts, proxies
	ProxiesToggle  Scope = "proxies:toggle"  // change a dongle's IP
	HostsPush      Scope = "hosts:push"      // have a host push its status
	HostsWrite     Scope = "hosts:write"     // delete a host
	JobsRead       Scope = "jobs:read"       // jobs and their results
	JobsWrite      Scope = "jobs:write"      // cancel a job, run it again
	CFRead         Scope = "cf:read"         // search Cloudflare's rules
	CFWrite        Scope = "cf:write"        // block and release addresses
	TelegramSend   Scope = "telegram:send"   // send messages
	StrategiesRead Scope = "strategies:read" // strategies and their executions
	StrategiesRun  Scope = "strategies:run"  // execute a strategy
	TradingRead    Scope = "trading:read"    // logs of the trading webhook
	ServicesCtl    Scope = "services:control"
	// Deployments and the logs of their steps; to start one, and to cancel it.
	DeploymentsRead Scope = "deployments:read"
	DeploymentsRun  Scope = "deployments:run"
	AlertsWrite     Scope = "alerts:write"  // dismiss an alert
	EventsRead      Scope = "events:read"   // the WebSocket
	WebhooksSend    Scope = "webhooks:send" // send webhooks of the caller's own
	MetricsRead     Scope = "metrics:read"  // /metrics
	Admin           Scope = "admin"         // everything, /monitoring among it
)

var scopes = []Scope{
	ProxiesRead, ProxiesToggle, HostsPush, HostsWrite, JobsRead, JobsWrite, CFRead, CFWrite, TelegramSend,
	StrategiesRead, StrategiesRun, TradingRead, ServicesCtl, DeploymentsRead, DeploymentsRun, AlertsWrite, EventsRead,
	WebhooksSend, MetricsRead, Admin,
}

// Scopes returns all scopes there are.
func Scopes() []Scope { return slices.Clone(scopes) }

// Known reports whether there is such a scope.
func (s Scope) Known() bool { return slices.Contains(scopes, s) }

func (k *checker) scopes(key string, list []Scope) {
	if len(list) == 0 {
		k.fault(key, "names no scope, so it would allow nothing: use %s", scopeWords)
	}
	for i, s := range list {
		if !s.Known() {
			k.fault(item(key, i), "unknown scope %q; use %s", s, scopeWords)
		}
	}
	k.distinct(key, scopeNames(list))
}

var scopeWords = words(scopeNames(scopes), "or")

func scopeNames(list []Scope) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
