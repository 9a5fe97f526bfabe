package configs

import "net/netip"

// Cloudflare is about blocking addresses by its IP Access Rules. The workers of
// the queue interactive need all of it, the api MaxAttempts, ProxyRanges and
// Protected.
type Cloudflare struct {
	// Token is an API token that may read and write Access Rules: of the
	// account ("Account Firewall Access Rules"), of the zones ("Firewall
	// Services"). Empty by default: jobs for Cloudflare fail and say so.
	Token Secret `yaml:"token"`
	// AccountID is the account for all of whose zones rules are made. Empty: no
	// account, so ZoneIDs are needed.
	AccountID string `yaml:"account_id"`
	// ZoneIDs are zones that rules are made for, at most 50, beside the account if
	// there is one. Empty by default.
	ZoneIDs []string `yaml:"zone_ids"`
	// BaseURL is where the API is. Empty by default: Cloudflare's own.
	BaseURL string `yaml:"base_url"`
	// Note stands in front of the job's id in the notes of the rules that are
	// made here. Defaults to switchyard.
	Note string `yaml:"note"`
	// Timeout of one request. Defaults to 10s.
	Timeout Duration `yaml:"timeout"`
	// Requests is how many are made in five minutes, by all workers together,
	// 1 to 1200, which is the most that Cloudflare takes from one token; what
	// the dashboard does counts, too. Defaults to 1000.
	Requests int `yaml:"requests"`
	// MaxAttempts is how often a job is tried that fails for a reason that may
	// pass, 1 to 50. Defaults to 8.
	MaxAttempts int `yaml:"max_attempts"`
	// FirstRetry is the pause after the first failed try; it doubles with each
	// further one, up to MaxRetry, unless Cloudflare says how long to wait.
	// Defaults to 2s.
	FirstRetry Duration `yaml:"first_retry"`
	// MaxRetry is the longest of those pauses. Defaults to 5m.
	MaxRetry Duration `yaml:"max_retry"`
	// ProxyRanges are the networks of Cloudflare's own proxies, which nobody can
	// have blocked. Empty by default: those that it publishes, as this version
	// knows them (Proxies).
	ProxyRanges []string `yaml:"proxy_ranges"`
	// Protected are networks and addresses of your own that nobody can have
	// blocked, beside those of the proxy hosts. Empty by default.
	Protected []string `yaml:"protected"`
}

// ProxyRangesDate is when the networks of Cloudflare's proxies that this version
// knows were last compared with what https://www.cloudflare.com/ips shows.
const ProxyRangesDate = "2025-11-19"

// proxyRanges are those networks.
var proxyRanges = Networks([]string{
	"173.245.48.0/20", "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22", "141.101.64.0/18", "108.162.192.0/18",
	"190.93.240.0/20", "188.114.96.0/20", "197.234.240.0/22", "198.41.128.0/17", "162.158.0.0/15", "104.16.0.0/13",
	"104.24.0.0/14", "172.64.0.0/13", "131.0.72.0/22",
	"2400:cb00::/32", "2606:4700::/32", "2803:f800::/32", "2405:b500::/32", "2405:8100::/32", "2a06:98c0::/29", "2c0f:f248::/32",
})

// Proxies are the networks of Cloudflare's own proxies.
func (c Cloudflare) Proxies() []netip.Prefix {
	if len(c.ProxyRanges) == 0 {
		return proxyRanges
	}
	return Networks(c.ProxyRanges)
}

// Networks parses networks and addresses that have been validated; what is
// neither is left out.
func Networks(list []string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p.Masked())
		} else if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
		}
	}
	return out
}
