package configs

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const (
	// maxZones bounds what one job does.
	maxZones = 50
	// maxNote leaves room for the job's id in a note that people read.
	maxNote = 100
	// maxCloudflareRequests is what Cloudflare takes from one token in five
	// minutes.
	maxCloudflareRequests = 1200
)

var cloudflareID = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (k *checker) cloudflare() {
	c := k.c.Cloudflare
	const anID = "must be an id as the dashboard shows it: 32 characters of 0-9 and a-f"
	if c.AccountID != "" && !cloudflareID.MatchString(c.AccountID) {
		k.fault("cloudflare.account_id", anID)
	}
	for i, id := range c.ZoneIDs {
		if !cloudflareID.MatchString(id) {
			k.fault(item("cloudflare.zone_ids", i), anID)
		}
	}
	k.distinct("cloudflare.zone_ids", c.ZoneIDs)
	if n := len(c.ZoneIDs); n > maxZones {
		k.fault("cloudflare.zone_ids", "names %d zones: at most %d; a rule of the account is one for all of them", n, maxZones)
	}
	set := c.AccountID != "" || len(c.ZoneIDs) > 0
	switch {
	case !c.Token.IsZero() && !set:
		k.fault("cloudflare.token", "needs cloudflare.account_id or cloudflare.zone_ids too")
	case c.Token.IsZero() && set:
		k.fault(k.blame("cloudflare.account_id", "cloudflare.zone_ids"), "needs cloudflare.token too")
	}
	if strings.ContainsAny(c.Token.Reveal(), " \t\r\n") {
		k.fault("cloudflare.token", "is no API token: there are spaces in it")
	}
	if c.BaseURL != "" {
		k.noted("cloudflare.base_url", tokenAddress(c.BaseURL, "must end with its path, such as /client/v4"))
	}
	if len(c.Note) > maxNote || strings.TrimSpace(c.Note) == "" {
		k.fault("cloudflare.note", "must be 1 to %d characters, which tell who made a rule", maxNote)
	}
	k.atLeast("cloudflare.timeout", c.Timeout, shortest)
	k.number("cloudflare.requests", int64(c.Requests), 1, maxCloudflareRequests)
	k.number("cloudflare.max_attempts", int64(c.MaxAttempts), 1, 50)
	k.atLeast("cloudflare.first_retry", c.FirstRetry, time.Second) // asynq counts in those
	k.atLeast("cloudflare.max_retry", c.MaxRetry, time.Second)
	if k.sound("cloudflare.first_retry", "cloudflare.max_retry") && c.MaxRetry < c.FirstRetry {
		k.fault(k.blame("cloudflare.max_retry", "cloudflare.first_retry"),
			"cloudflare.max_retry is %s and cloudflare.first_retry %s: the first must not be shorter", c.MaxRetry, c.FirstRetry)
	}
	for _, list := range []struct {
		key     string
		entries []string
	}{{"cloudflare.proxy_ranges", c.ProxyRanges}, {"cloudflare.protected", c.Protected}} {
		for i, entry := range list.entries {
			if _, err := netip.ParseAddr(entry); err != nil {
				k.noted(item(list.key, i), network(entry))
			}
		}
		k.distinct(list.key, list.entries)
	}
}

// tokenAddress returns what is wrong with the address of an API, to which a token
// goes: nobody in between may read it. ending is said of one with more than a path.
func tokenAddress(s, ending string) string {
	if problem := webAddress(s); problem != "" {
		return problem
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.RawQuery != "" || u.Fragment != "":
		return ending
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "must begin with https://: the token goes there"
	}
	return ""
}
