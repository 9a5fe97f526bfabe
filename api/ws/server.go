package ws

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"switchyard/api/access"
	"switchyard/configs"
	"switchyard/events"
	"switchyard/metrics"
)

// Options of a Server.
type Options struct {
	Config configs.WS
	Guard  *access.Guard
	// Hub has the events of this process, Redis those of before.
	Hub   *events.Hub
	Redis redis.Cmdable
	// Log hears of connections, in the words that their operators know. It must not
	// lead to events: each line would make more of them.
	Log *slog.Logger
	// Meter counts. Optional.
	Meter *metrics.Metrics
	// Version of this program.
	Version string
	// Webhook sends a webhook for a client; nil: there are none.
	Webhook func(ctx context.Context, caller *access.Caller, data []byte) *Error
	// Control controls a service for a client; nil: there are none.
	Control func(ctx context.Context, caller *access.Caller, data []byte) *Error
}

// Server is the handler of /ws. Run it, and Close it.
type Server struct {
	opt      Options
	upgrader websocket.Upgrader
	now      func() time.Time
	started  time.Time
	pause    time.Duration // between two flushes
	bell     chan struct{}

	gathered struct {
		mu      sync.Mutex
		entries []entry
		last    events.Cursor // of the newest of a stream
		known   bool
	}

	mu      sync.Mutex
	conns   map[*conn]struct{}
	clients map[string]*client
	cursor  events.Cursor // how far was broadcast
	placed  bool          // it is known
	closed  bool
	serving sync.WaitGroup
}

// client is a key, or an address, and all its connections.
type client struct {
	conns int
	limit *rate.Limiter
}

const (
	// handshakeTimeout bounds the upgrade.
	handshakeTimeout = 10 * time.Second
	bufferSize       = 4 << 10
	// protocol is what a browser names to be let in by a key: it can't set headers.
	protocol    = "switchyard"
	protocolKey = "key."
)

// New returns a server that nobody has connected to.
func New(o Options) *Server {
	s := &Server{
		opt: o, now: time.Now, started: time.Now(), pause: time.Second / time.Duration(o.Config.BroadcastsPerSecond), bell: make(chan struct{}, 1),
		conns: map[*conn]struct{}{}, clients: map[string]*client{},
	}
	s.upgrader = websocket.Upgrader{
		HandshakeTimeout: handshakeTimeout, ReadBufferSize: bufferSize, WriteBufferSize: bufferSize, WriteBufferPool: &sync.Pool{},
		Subprotocols: []string{protocol}, CheckOrigin: s.mayCome,
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			http.Error(w, "This is a WebSocket: "+reason.Error()+".", status)
		},
	}
	o.Hub.Listen(s.hear)
	return s
}

// Run broadcasts until ctx ends.
func (s *Server) Run(ctx context.Context) {
	// So that a client that got no event yet can come back for what it missed. Without,
	// it would get the past: then the first event tells.
	if ends, err := events.Ends(ctx, s.opt.Redis); err == nil {
		s.mu.Lock()
		if !s.placed {
			s.cursor, s.placed = ends, true
		}
		s.mu.Unlock()
	}
	s.broadcastLoop(ctx)
}

// mayCome: pages of this server, and of those origins that are allowed. Programs send
// none.
func (s *Server) mayCome(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || s.opt.Guard.AllowsOrigin(origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

// Refusal says why a connection is not taken.
type Refusal struct {
	Status     int
	Code       string
	Words      string
	RetryAfter time.Duration
}

// refuse answers before the upgrade.
type refuse func(w http.ResponseWriter, r Refusal)

// Handler takes connections; refuse writes the answer to those that are too many.
func (s *Server) Handler(refuse refuse) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller := s.opt.Guard.Identify(withKey(r), false)
		key := clientKey(&caller)
		cl, no := s.enter(key)
		if no != nil {
			refuse(w, *no)
			return
		}
		defer s.serving.Done()
		defer s.leave(key)
		ws, err := s.upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // it has been answered
		}
		c := newConn(s, ws, cl, caller)
		if err := caller.May(configs.EventsRead); err != nil {
			c.refuse(err)
			return
		}
		c.serve()
	}
}

// withKey has a key that a browser named as a protocol count as one in a header.
func withKey(r *http.Request) *http.Request {
	for _, p := range websocket.Subprotocols(r) {
		if key, ok := strings.CutPrefix(p, protocolKey); ok && r.Header.Get("Authorization") == "" {
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer "+key)
		}
	}
	return r
}

func clientKey(c *access.Caller) string {
	if c.Key != "" {
		return "key:" + c.Key
	}
	return c.Addr.String()
}

// busyPause is what clients are asked to wait that are too many.
const busyPause = 30 * time.Second

// enter counts a connection, unless there are too many.
func (s *Server) enter(key string) (*client, *Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := 0
	for _, c := range s.clients {
		total += c.conns
	}
	cl := s.clients[key]
	switch {
	case s.closed:
		return nil, &Refusal{http.StatusServiceUnavailable, "stopping", "This server is stopping. Connect again in a moment.", time.Second}
	case total >= s.opt.Config.MaxConnections:
		return nil, &Refusal{http.StatusServiceUnavailable, "too_many_connections", "There are as many connections as this server takes. Try again later.", busyPause}
	case cl != nil && cl.conns >= s.opt.Config.PerClient:
		return nil, &Refusal{http.StatusTooManyRequests, "too_many_connections", "You have as many connections as a client may have. Close one first.", busyPause}
	}
	if cl == nil {
		n := s.opt.Config.MessagesPerSecond
		cl = &client{limit: rate.NewLimiter(rate.Limit(n), n)}
		s.clients[key] = cl
	}
	cl.conns++
	s.serving.Add(1)
	return cl, nil
}

func (s *Server) leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cl := s.clients[key]; cl != nil {
		if cl.conns--; cl.conns == 0 {
			delete(s.clients, key)
		}
	}
}

// add has a connection get what is broadcast from now on.
func (s *Server) add(c *conn) (others int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
	c.from, c.placed = s.cursor, s.placed
	if s.closed {
		c.end(errClosing)
	}
	return len(s.conns)
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Close ends all connections, and waits for that until ctx ends. New ones are refused.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.end(errClosing)
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.serving.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		_ = c.ws.Close() // it had its time
	}
	s.mu.Unlock()
	<-done
	return nil
}
