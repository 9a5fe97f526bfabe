// Package receiver is a server that callbacks are posted to, for the demo,
// tests and fault injection. It keeps what it receives, byte for byte, and
// holds every toggle document against the receivers' specification: exactly
// the members it names, in its types, floats with their decimal.
//
// GET /_received lists everything as JSON. What to answer, and how late, can be
// changed while it runs. A Receiver is safe for concurrent use.
package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Received is one request.
type Received struct {
	At      time.Time         `json:"at"`
	Path    string            `json:"path"`
	Body    string            `json:"body"` // the raw string
	Headers map[string]string `json:"headers"`
	// Fault is what the document has against the specification, "" if nothing.
	Fault string `json:"fault,omitempty"`
}

// Behaviour is how a receiver answers.
type Behaviour struct {
	// Path limits what follows to requests whose path ends so; the others are
	// answered at once, with 200. Empty: it holds for all.
	Path string
	// Status of the answer; 0: 200.
	Status int
	// After is how long the answer takes. It comes at once when the behaviour is
	// changed.
	After time.Duration
	// Hang: no answer at all, until the client gives up or the behaviour is
	// changed.
	Hang bool
}

// Receiver is the server.
type Receiver struct {
	l    net.Listener
	srv  *http.Server
	done sync.WaitGroup

	mu        sync.Mutex
	all       []Received
	changed   chan struct{} // closed and replaced with every request
	behaviour Behaviour
	freed     chan struct{} // closed and replaced with every behaviour
}

// maxBody is what is read of a request.
const maxBody = 1 << 20

// Start listens on addr (host:port, port 0 for a free one).
func Start(ctx context.Context, addr string) (*Receiver, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("callback receiver: %w", err)
	}
	r := &Receiver{l: l, changed: make(chan struct{}), freed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_received", r.list)
	mux.HandleFunc("POST /", r.receive)
	r.srv = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	r.done.Go(func() {
		// It ends when it is closed; there is nobody to tell of anything else.
		_ = r.srv.Serve(l)
	})
	return r, nil
}

// URL is its base URL.
func (r *Receiver) URL() string { return "http://" + r.l.Addr().String() }

// Close ends it at once.
func (r *Receiver) Close() error {
	r.Behave(Behaviour{})
	err := r.srv.Close()
	r.done.Wait()
	return err
}

// Behave changes how it answers from now on.
func (r *Receiver) Behave(b Behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.behaviour = b
	close(r.freed)
	r.freed = make(chan struct{})
}

// Received returns all requests so far, in the order they came.
func (r *Receiver) Received() []Received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Received(nil), r.all...)
}

// WaitFor waits until cond holds for what was received.
func (r *Receiver) WaitFor(ctx context.Context, cond func([]Received) bool) error {
	for {
		r.mu.Lock()
		all, changed := append([]Received(nil), r.all...), r.changed
		r.mu.Unlock()
		if cond(all) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for callbacks, %d received: %w", len(all), ctx.Err())
		}
	}
}

func (r *Receiver) receive(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	got := Received{At: time.Now().UTC(), Path: q.URL.Path, Body: string(body), Headers: map[string]string{}}
	for k := range q.Header {
		got.Headers[k] = q.Header.Get(k)
	}
	if err := Check(q.URL.Path, body); err != nil {
		got.Fault = err.Error()
	}
	r.mu.Lock()
	r.all = append(r.all, got)
	close(r.changed)
	r.changed = make(chan struct{})
	b, freed := r.behaviour, r.freed
	r.mu.Unlock()
	if !strings.HasSuffix(q.URL.Path, b.Path) {
		b = Behaviour{}
	}
	if b.Hang {
		select {
		case <-freed:
		case <-q.Context().Done():
		}
		panic(http.ErrAbortHandler) // close without an answer
	}
	if b.After > 0 {
		t := time.NewTimer(b.After)
		defer t.Stop()
		select {
		case <-t.C:
		case <-freed:
		case <-q.Context().Done():
		}
	}
	if b.Status == 0 {
		b.Status = http.StatusOK
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(b.Status)
	_, _ = io.WriteString(w, `{"status":"received"}`) // the client may have gone
}

func (r *Receiver) list(w http.ResponseWriter, _ *http.Request) {
	all := r.Received()
	if all == nil {
		all = []Received{}
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		err = errors.Join(errors.New("listing what was received"), err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n')) // the client may have gone
}
