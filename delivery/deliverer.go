package delivery

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"switchyard/configs"
	"switchyard/tasks"
)

// busyPause is how long a delivery waits when its destination has as many
// under way as it may.
const busyPause = time.Second

// Deliverer delivers callbacks as configured. It is safe for concurrent use.
type Deliverer struct {
	// BusyPause is how long one that found no place waits at the least; see
	// WaitPause.
	BusyPause time.Duration

	sender    *Sender
	callbacks func() configs.Callbacks
	limit     int
	longest   time.Duration // that one that found no place waits

	mu  sync.Mutex
	now map[string]int // deliveries under way, by host:port
	// crowds of those that found no place, by host:port
	crowds map[string]*crowd
}

// crowd is how many found no place within one pause.
type crowd struct {
	since time.Time
	n     int
	pause time.Duration
}

// NewDeliverer returns a deliverer that sends with s. It asks c for the receivers
// and secrets each time: they may change while it works.
func NewDeliverer(s *Sender, c func() configs.Callbacks, d configs.Delivery) *Deliverer {
	return &Deliverer{BusyPause: busyPause, sender: s, callbacks: c, limit: d.PerDestination, longest: d.LongestWait.Std(), now: map[string]int{}, crowds: map[string]*crowd{}}
}

// Try is one attempt, and what may be shown of where it went.
type Try struct {
	Attempt
	URLHost string
	// Scheme of the address.
	Scheme string
}

// Err is why the try failed, in words.
func (t Try) Err() error { return errors.New(t.Error) }

// Enter takes a place among the deliveries to the callback's destination, so
// that a dead receiver holds only so many of a worker's handlers. ok is false
// when all are taken; else call leave when done.
func (d *Deliverer) Enter(p tasks.CallbackPayload) (leave func(), ok bool) {
	raw, _ := d.resolve(p)
	host := Host(raw)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now[host] >= d.limit {
		return nil, false
	}
	d.now[host]++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.now[host]--; d.now[host] == 0 {
			delete(d.now, host)
		}
	}, true
}

// WaitPause is how long a callback that found no place should wait: longer the
// more others wait for the same destination, so that a crowd in front of a dead
// receiver costs no more than a few of them.
func (d *Deliverer) WaitPause(p tasks.CallbackPayload) time.Duration {
	raw, _ := d.resolve(p)
	host := Host(raw)
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.crowds[host]
	if c == nil {
		c = &crowd{since: now, pause: d.BusyPause}
		d.crowds[host] = c
	}
	if now.Sub(c.since) > 2*c.pause {
		*c = crowd{since: now, pause: d.BusyPause} // that crowd is gone
	}
	c.n++
	if now.Sub(c.since) < c.pause {
		return c.pause
	}
	// About as many as have come within a pause are waiting.
	c.pause = min(max(d.BusyPause, d.BusyPause*time.Duration(c.n/d.limit)), d.longest)
	if c.n = 0; c.pause == d.BusyPause {
		delete(d.crowds, host)
	}
	c.since = now
	return c.pause
}

// Deliver makes one attempt at the callback, under the given webhook-id.
func (d *Deliverer) Deliver(ctx context.Context, id string, p tasks.CallbackPayload) Try {
	raw, trusted := d.resolve(p)
	if raw == "" {
		return Try{Attempt: Attempt{
			At: time.Now().UTC().Truncate(time.Millisecond), Code: CodeURL,
			Error: "receiver " + p.Receiver + " is no longer configured",
		}}
	}
	a := d.sender.Send(ctx, Message{
		ID: id, URL: raw, Body: []byte(p.Body), Trusted: trusted,
		Timeout: timeoutFor(d.callbacks(), p.Kind), Secret: secretFor(d.callbacks(), raw),
	})
	scheme, _, _ := strings.Cut(raw, ":")
	return Try{Attempt: a, URLHost: Host(raw), Scheme: scheme}
}

// Pause is how long to wait after a failed attempt, tries having failed before
// it: what the receiver asked for, else by tasks.Backoff.
func (d *Deliverer) Pause(tries int, a Attempt) time.Duration {
	if asked := a.RetryAfter(); asked > 0 {
		return asked
	}
	c := d.callbacks()
	return tasks.Backoff(c.FirstRetry.Std(), c.MaxRetry.Std(), tries)
}

// secretFor is what signs for the URL's host; empty: unsigned.
func secretFor(c configs.Callbacks, raw string) string {
	if u, err := url.Parse(raw); err == nil {
		for name, s := range c.Secrets {
			if strings.EqualFold(name, u.Hostname()) || strings.EqualFold(name, u.Host) {
				return s.Reveal()
			}
		}
	}
	return c.Secret.Reveal()
}

// resolve is where the callback goes; "" if its receiver is not configured.
func (d *Deliverer) resolve(p tasks.CallbackPayload) (raw string, trusted bool) {
	if p.Receiver == "" {
		return p.URL, false
	}
	for _, r := range d.callbacks().Toggle {
		switch p.Receiver {
		case startName(r):
			return r.StartURL, true
		case resultName(r):
			return r.ResultURL, true
		}
	}
	return "", true
}

func startName(r configs.ToggleReceiver) string  { return "toggle/" + r.Name + "/start" }
func resultName(r configs.ToggleReceiver) string { return "toggle/" + r.Name + "/result" }
