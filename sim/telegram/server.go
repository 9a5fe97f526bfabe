package telegram

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options of a Server.
type Options struct {
	// Token that requests have to bring in their path.
	Token string
	// Username of the bot. Defaults to switchyard_bot.
	Username string
	// Chats that there are, by id; "@name" is a channel. Empty: all that can be.
	Chats []string
	// Unlimited takes messages as fast as they come.
	Unlimited bool
	// Now is the clock that limits and dates go by. Defaults to time.Now.
	Now func() time.Time
}

// Call is one request, as the ledger has it.
type Call struct {
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	// Chat, Text, ParseMode and Buttons are what was asked to be sent.
	Chat      string   `json:"chat,omitempty"`
	Text      string   `json:"text,omitempty"`
	ParseMode string   `json:"parse_mode,omitempty"`
	Buttons   []Button `json:"buttons,omitempty"`
	// Done: what was asked for was done, whatever was answered.
	Done bool `json:"done"`
	// MessageID is that of the message that was sent.
	MessageID int64 `json:"message_id,omitempty"`
	// Status of the answer; 0 where none was sent.
	Status int `json:"status"`
	// Description of an answer that says no.
	Description string `json:"description,omitempty"`
}

// Button is one below a message.
type Button struct {
	Text string `json:"text"`
	Data string `json:"callback_data"`
}

// Server is the simulated Telegram. Make one with Start.
type Server struct {
	opt  Options
	l    net.Listener
	srv  *http.Server
	done sync.WaitGroup

	mu      sync.Mutex
	faults  []Fault
	ledger  []Call
	sent    int64             // messages
	held    int               // requests that hang
	taken   []taking          // of the bot's messages, the oldest first
	moved   map[string]string // where groups have moved
	blocked map[string]string // chats that refuse the bot, with the description
	updates []update
	made    int64         // updates
	poll    chan struct{} // closed when another request for updates comes
	changed chan struct{} // closed and replaced with every entry of the ledger
	news    chan struct{} // closed and replaced with every update
	freed   chan struct{} // closed and replaced when faults are cleared
}

// Start listens on addr (host:port, port 0 for a free one).
func Start(ctx context.Context, addr string, opt Options) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("simulated Telegram: %w", err)
	}
	if opt.Username == "" {
		opt.Username = "switchyard_bot"
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	s := &Server{
		opt: opt, l: l, moved: map[string]string{}, blocked: map[string]string{}, made: firstUpdate,
		changed: make(chan struct{}), news: make(chan struct{}), freed: make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.Handle("/_sim/", s.control())
	mux.HandleFunc("/", s.serve)
	s.srv = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	s.done.Go(func() {
		// It ends when it is closed; there is nobody to tell of anything else.
		_ = s.srv.Serve(l)
	})
	return s, nil
}

// URL is the base URL of its API.
func (s *Server) URL() string { return "http://" + s.l.Addr().String() }

// Close ends it at once.
func (s *Server) Close() error {
	s.Recover()
	err := s.srv.Close()
	s.done.Wait()
	return err
}

// Ledger returns all requests so far, in the order they were answered, but for
// those for updates.
func (s *Server) Ledger() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.ledger...)
}

// Messages returns what was sent to a chat, in order; to all where it is empty.
func (s *Server) Messages(chat string) (out []Call) {
	for _, c := range s.Ledger() {
		if c.MessageID != 0 && (chat == "" || c.Chat == chat) {
			out = append(out, c)
		}
	}
	return out
}

// WaitFor waits until cond holds for the ledger.
func (s *Server) WaitFor(ctx context.Context, cond func([]Call) bool) error {
	for {
		s.mu.Lock()
		all, changed := append([]Call(nil), s.ledger...), s.changed
		s.mu.Unlock()
		if cond(all) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for requests to the simulated Telegram, after %d: %w", len(all), context.Cause(ctx))
		}
	}
}

// note writes a request down.
func (s *Server) note(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger = append(s.ledger, c)
	close(s.changed)
	s.changed = make(chan struct{})
}

// Move has a group become a supergroup: the bot is told where it is now.
func (s *Server) Move(from, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved[from] = to
}

// Block has a chat refuse the bot, with a description such as "Forbidden: bot was
// blocked by the user". An empty one lets it in again.
func (s *Server) Block(chat, description string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked[chat] = description
}
