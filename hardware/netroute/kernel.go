package netroute

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// kernel is what is needed of the kernel's routing. IPv4 alone: the modems
// have nothing else.
type kernel interface {
	// holders are the interfaces that hold an address, by index.
	holders(netip.Addr) ([]link, error)
	// rules are all rules, in the order in which the kernel asks them.
	rules() ([]rule, error)
	// defaults are a table's default routes, best first.
	defaults(table int) ([]route, error)
	// addRule fails with errRuleExists where one is just like it.
	addRule(rule) error
	// deleteRule fails with errNoRule where none is.
	deleteRule(rule) error
	// setRoute puts a route in the place of one with the same metric.
	setRoute(route) error
	close()
}

var (
	errRuleExists = errors.New("there is such a rule")
	errNoRule     = errors.New("there is no such rule")
)

// link is an interface.
type link struct {
	index int
	name  string
	up    bool
}

// rule is one of the routing policy.
type rule struct {
	priority int
	source   netip.Prefix // the zero one: everybody
	table    int          // 0: it names none
	protocol int
	// onlySource: there is no other condition than the source.
	onlySource bool
}

// String is what ip(8) takes after "ip rule add".
func (r rule) String() string {
	from := "all"
	if r.source.IsValid() {
		from = strings.TrimSuffix(r.source.String(), "/32")
	}
	s := "from " + from
	if !r.onlySource {
		s += " …"
	}
	s += fmt.Sprintf(" table %d priority %d", r.table, r.priority)
	if r.protocol != 0 {
		s += fmt.Sprintf(" protocol %d", r.protocol)
	}
	return s
}

// route is a default route.
type route struct {
	table    int
	kind     string // "": to a gateway or an interface; else unreachable, …
	gateway  netip.Addr
	dev      string // "": several, or none
	index    int    // dev's
	onlink   bool
	metric   int
	protocol int
}

// String is what ip(8) takes after "ip route add".
func (r route) String() string {
	s := "default"
	if r.kind != "" {
		s = r.kind + " default"
	}
	if r.gateway.IsValid() {
		s += " via " + r.gateway.String()
	}
	if r.dev != "" {
		s += " dev " + r.dev
	}
	s += fmt.Sprintf(" table %d", r.table)
	if r.metric != 0 {
		s += fmt.Sprintf(" metric %d", r.metric)
	}
	if r.protocol != 0 {
		s += fmt.Sprintf(" protocol %d", r.protocol)
	}
	if r.onlink {
		s += " onlink"
	}
	return s
}

func hostPrefix(subnet int) netip.Prefix { return netip.PrefixFrom(address(subnet), 32) }
