package delivery

import (
	"context"
	"sync"

	"switchyard/configs"
	"switchyard/tasks"
)

// Pusher posts a host's status document to those who are to have it. It is the
// one part of this package that works on a proxy host: receivers see the host's
// own address. It is safe for concurrent use.
type Pusher struct {
	sender *Sender
	config func() (configs.Push, configs.Callbacks)
}

// NewPusher returns a pusher that sends with s. It asks config for the receivers
// and secrets each time: they may change while it works.
func NewPusher(s *Sender, config func() (configs.Push, configs.Callbacks)) *Pusher {
	return &Pusher{sender: s, config: config}
}

// Push posts the document once to every receiver, to all at the same time, under
// one webhook-id, and returns when the last has answered, or has had its time. The
// outcomes are in the order of the configuration.
func (p *Pusher) Push(ctx context.Context, id string, document []byte) []tasks.PushOutcome {
	push, callbacks := p.config()
	out := make([]tasks.PushOutcome, len(push.Receivers))
	var posts sync.WaitGroup
	for i, r := range push.Receivers {
		posts.Go(func() {
			a := p.sender.Send(ctx, Message{
				ID: id, URL: r.URL, Body: document, Trusted: true, Timeout: push.Timeout.Std(), ConnectTimeout: push.ConnectTimeout.Std(),
				Secret: secretFor(callbacks, r.URL),
			})
			out[i] = tasks.PushOutcome{
				Receiver: r.Name, URLHost: Host(r.URL), At: a.At, Attempt: 1, OK: a.Delivered(), Status: a.Status, DurationMS: a.DurationMS,
				Response: a.Response, Truncated: a.Truncated, Error: a.Error, Code: string(a.Code),
			}
		})
	}
	posts.Wait()
	return out
}
