// Package orders checks what clients ask for, against the configuration and what is
// in Redis, and makes drafts of it: the same ones however it is asked for, over HTTP
// or by a command in a chat. It accepts nothing; that is package jobs'.
//
// What is refused is a *RefusalError, with a code for programs and words for people. The
// outside shape of both, a status, a problem document, a line in a chat, is the
// caller's. Other errors are of package hosts and jobs: Redis is out of reach.
//
// A Desk is safe for concurrent use.
package orders

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"switchyard/configs"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/tasks"
)

// RefusalError says why something is not done.
type RefusalError struct {
	// Code is the machine-readable reason, as the API's problems have it.
	Code string
	// Field that is at fault. Empty: none.
	Field string
	// Words for people: a sentence.
	Words string
	// RetryAfter is when it may be done; 0: that isn't known.
	RetryAfter time.Duration
}

// Error implements error.
func (r *RefusalError) Error() string { return r.Words }

// Desk is where orders are taken.
type Desk struct {
	Store    *jobs.Store
	Registry *hosts.Registry
	// Directory of the hosts of Registry.
	Directory *hosts.Directory
	Config    *configs.Config
}

// Toggle is a wish to toggle. Host or ServerIP names the host; neither: the only one.
type Toggle struct {
	Host, ServerIP string
	// Subnet is valid.
	Subnet int
	// Chat that asks, CallbackURL that gets the result too. Empty: none.
	Chat, CallbackURL string
	// OnlineOnly: a host that is away is refused rather than waited for.
	OnlineOnly bool
}

// Toggle finds the host, notes its name in t, and drafts the job.
func (d *Desk) Toggle(ctx context.Context, t *Toggle) (tasks.Draft, error) {
	h, err := d.Host(ctx, t.Host, t.ServerIP, t.OnlineOnly)
	if err == nil && !t.OnlineOnly && !h.Has(t.Subnet) {
		h, err = d.Host(ctx, t.Host, t.ServerIP, true) // it may be new
	}
	if err != nil {
		return tasks.Draft{}, err
	}
	t.Host = h.Name
	if !h.Has(t.Subnet) {
		return tasks.Draft{}, &RefusalError{Code: "unknown_dongle", Field: "port", Words: fmt.Sprintf("Host %s has no dongle %d.", h.Name, t.Subnet)}
	}
	now := d.Store.Now()
	if t.OnlineOnly && !d.Registry.Online(h, now) {
		return tasks.Draft{}, &RefusalError{Code: "host_offline", Words: "Host " + h.Name + " is offline.", RetryAfter: 30 * time.Second}
	}
	if err := d.tooSoon(ctx, h, t.Subnet, now); err != nil {
		return tasks.Draft{}, err
	}
	c := d.Config.Toggle
	draft := tasks.NewToggle(tasks.TogglePayload{Host: h.Name, ServerIP: h.ServerIP, Subnet: t.Subnet}, c.Timeout.Std(), now.Add(c.MaxWait.Std()))
	draft.ChatID, draft.CallbackURL = t.Chat, t.CallbackURL
	return draft, nil
}

// tooSoon refuses a toggle within toggle.min_interval of the last one, unless
// there is one under way to join.
func (d *Desk) tooSoon(ctx context.Context, h *hosts.Info, subnet int, now time.Time) error {
	least := d.Config.Toggle.MinInterval.Std()
	if least == 0 {
		return nil
	}
	key := tasks.ToggleKey(subnet)
	underWay, err := d.Store.UnderWay(ctx, h.Name, []string{key})
	if err != nil {
		return err
	}
	if underWay[key] != nil {
		return nil
	}
	st, err := d.Registry.State(ctx, h.Name)
	if err != nil {
		return err
	}
	if left := least - now.Sub(st.LastToggle[subnet]); left > 0 {
		return &RefusalError{Code: "too_soon", Words: fmt.Sprintf("Dongle %d was toggled less than %s ago.", subnet, least), RetryAfter: left + time.Second}
	}
	return nil
}

// Host finds the host that a request names, or the only one. Without now it may be
// as it was a moment ago.
func (d *Desk) Host(ctx context.Context, name, serverIP string, now bool) (*hosts.Info, error) {
	if name == "" && serverIP == "" {
		return d.onlyHost(ctx)
	}
	find := d.Directory.Find
	if now {
		find = d.Directory.FindNow
	}
	h, err := find(ctx, name, serverIP)
	if errors.Is(err, hosts.ErrUnknown) {
		field := "host"
		if name == "" {
			field = "server_ip"
		}
		return nil, &RefusalError{Code: "unknown_host", Field: field, Words: "No such host has registered."}
	}
	return h, err
}

// onlyHost is the host of a request that names none.
func (d *Desk) onlyHost(ctx context.Context) (*hosts.Info, error) {
	all, err := d.Registry.All(ctx)
	if err != nil {
		return nil, err
	}
	switch len(all) {
	case 0:
		return nil, &RefusalError{Code: "no_host", Words: "No proxy host has registered yet. Start a worker on one.", RetryAfter: 5 * time.Second}
	case 1:
		return all[0], nil
	}
	var names []string
	for _, h := range all {
		names = append(names, h.Name)
	}
	return nil, &RefusalError{Code: "missing_host", Field: "host", Words: "There are several hosts; name one: " + strings.Join(names, ", ") + "."}
}

// Cloudflare drafts a job of type t about target for a chat. It is refused what
// would do harm, or nothing: see Forbidden.
func (d *Desk) Cloudflare(ctx context.Context, t tasks.Type, target tasks.Target, chat string) (tasks.Draft, error) {
	if err := d.Forbidden(ctx, target); err != nil {
		return tasks.Draft{}, err
	}
	return tasks.NewCF(t, target, chat, d.Config.Cloudflare.MaxAttempts), nil
}

// Forbidden refuses addresses that no visitor has, Cloudflare's own, the hosts', and
// those that the configuration protects.
func (d *Desk) Forbidden(ctx context.Context, t tasks.Target) error {
	c := d.Config.Cloudflare
	why := ""
	switch {
	case !t.Public():
		why = "is not public (private, loopback, link-local, multicast, unspecified or reserved)"
	case t.Overlaps(c.Proxies()):
		why = "belongs to Cloudflare's own proxies"
	case t.Overlaps(configs.Networks(c.Protected)):
		why = "is protected (cloudflare.protected)"
	default:
		all, err := d.Registry.All(ctx)
		if err != nil {
			return err
		}
		for _, h := range all {
			if a, err := netip.ParseAddr(h.ServerIP); err == nil && t.Prefix().Contains(a.Unmap()) {
				why = "belongs to the proxy host " + h.Name
			}
		}
	}
	if why == "" {
		return nil
	}
	return &RefusalError{Code: "forbidden_ip", Field: "ip", Words: t.String() + " is refused: as a whole or in part it " + why + "."}
}
