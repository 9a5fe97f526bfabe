package configs

import (
	"encoding/base64"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

var receiverName = regexp.MustCompile(`^[a-z0-9_-]+$`)

func (k *checker) callbacks() {
	c := k.c.Callbacks
	k.number("callbacks.max_attempts", int64(c.MaxAttempts), 1, 50)
	k.atLeast("callbacks.first_retry", c.FirstRetry, shortest)
	k.atLeast("callbacks.max_retry", c.MaxRetry, shortest)
	if k.sound("callbacks.first_retry", "callbacks.max_retry") && c.MaxRetry < c.FirstRetry {
		k.fault(k.blame("callbacks.max_retry", "callbacks.first_retry"),
			"callbacks.max_retry is %s and callbacks.first_retry %s: the first must not be shorter", c.MaxRetry, c.FirstRetry)
	}
	k.atLeast("callbacks.timeout", c.Timeout, shortest)
	k.number("callbacks.strategy_attempts", int64(c.StrategyAttempts), 1, 50)
	k.atLeast("callbacks.strategy_timeout", c.StrategyTimeout, shortest)
}

func (k *checker) receivers() {
	first := map[string]int{}
	for i, r := range k.c.Callbacks.Toggle {
		path := item("callbacks.toggle", i)
		k.receiverName("callbacks.toggle", i, r.Name, first)
		if r.StartURL != "" {
			k.noted(path+".start_url", webAddress(r.StartURL))
		}
		if r.ResultURL != "" {
			k.noted(path+".result_url", webAddress(r.ResultURL))
		}
		if r.StartURL == "" && r.ResultURL == "" {
			k.fault(path, "needs start_url, result_url or both")
		}
	}
}

// receiverName checks the name of the i-th receiver of a list; first has those
// before it.
func (k *checker) receiverName(list string, i int, name string, first map[string]int) {
	if !receiverName.MatchString(name) {
		k.fault(item(list, i)+".name", "must be a name of a-z, 0-9, _ and -, which stands in place of the address")
		return
	}
	k.ownName(list, i, "name", name, "give each receiver its own", first)
}

// Bounds of a push's age: within its minute.
const (
	shortestPush = time.Second
	longestPush  = 59 * time.Second
)

func (k *checker) push() {
	p := k.c.Push
	first := map[string]int{}
	for i, r := range p.Receivers {
		k.receiverName("push.receivers", i, r.Name, first)
		k.noted(item("push.receivers", i)+".url", webAddress(r.URL))
	}
	k.atLeast("push.connect_timeout", p.ConnectTimeout, shortest)
	k.between("push.timeout", p.Timeout, shortest, longestPush) // the next one is due then
	if k.sound("push.connect_timeout", "push.timeout") && p.ConnectTimeout > p.Timeout {
		k.fault(k.blame("push.connect_timeout", "push.timeout"),
			"push.connect_timeout is %s and push.timeout %s: the second bounds the first", p.ConnectTimeout, p.Timeout)
	}
	k.between("push.max_age", p.MaxAge, shortestPush, longestPush)
}

// Bounds of a signing secret, as Standard Webhooks sets them.
const (
	secretPrefix    = "whsec_"
	minSigningBytes = 24
	maxSigningBytes = 64
)

func (k *checker) secrets() {
	c := k.c.Callbacks
	if !c.Secret.IsZero() {
		k.noted("callbacks.secret", signingSecret(c.Secret))
	}
	for _, host := range slices.Sorted(maps.Keys(c.Secrets)) {
		key := child("callbacks.secrets", host)
		if !validHost(host) || host != strings.ToLower(host) {
			k.fault(key, "must stand under a host name in lower case without scheme, port and path, such as example.com")
			continue
		}
		k.noted(key, signingSecret(c.Secrets[host]))
	}
}

// signingSecret returns what is wrong with a secret, without any of it.
func signingSecret(s Secret) string {
	encoded, found := strings.CutPrefix(s.Reveal(), secretPrefix)
	if !found {
		return "must begin with " + secretPrefix + ", followed by 24 to 64 random bytes in base64"
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "is not base64 (with its = at the end) after " + secretPrefix
	}
	if n := len(raw); n < minSigningBytes || n > maxSigningBytes {
		return "holds " + plural(n, "byte") + " after " + secretPrefix + ": it must be 24 to 64"
	}
	return ""
}

func (k *checker) delivery() {
	d := k.c.Delivery
	for i, entry := range d.Allow {
		k.noted(item("delivery.allow", i), allowEntry(entry))
	}
	k.distinct("delivery.allow", d.Allow)
	k.number("delivery.per_destination", int64(d.PerDestination), 1, 10_000)
	k.atLeast("delivery.longest_wait", d.LongestWait, time.Second) // asynq counts in those
	k.number("delivery.max_response", d.MaxResponse, 1, 1<<20)
	k.atLeast("delivery.settle_interval", d.SettleInterval, shortest)
}

// allowEntry returns what is wrong with an entry of delivery.allow.
func allowEntry(entry string) string {
	if strings.Contains(entry, "/") && !strings.Contains(entry, "://") {
		network, err := netip.ParsePrefix(entry)
		switch {
		case err != nil:
			return "is not a network: write it as 192.0.2.0/24 or 2001:db8::/32"
		case network != network.Masked():
			return "is an address inside a network: write " + network.Masked().String() + " for the network, or the address alone"
		}
		return ""
	}
	if !validHost(entry) {
		return "must be a network (192.0.2.0/24), an address or a host name, without scheme and port"
	}
	return ""
}
