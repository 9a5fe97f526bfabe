package telegram

import (
	"context"
	"fmt"
	"sync"
	"time"

	"switchyard/sim/backstage"
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
	opt    Options
	door   *backstage.Server
	ledger backstage.Ledger[Call]
	faults backstage.Faults[Fault]

	mu      sync.Mutex
	sent    int64             // messages
	held    int               // requests that hang
	taken   []taking          // of the bot's messages, the oldest first
	moved   map[string]string // where groups have moved
	blocked map[string]string // chats that refuse the bot, with the description
	updates []update
	made    int64         // updates
	poll    chan struct{} // closed when another request for updates comes
	news    chan struct{} // closed and replaced with every update
}

// Start listens on addr (host:port, port 0 for a free one).
func Start(ctx context.Context, addr string, opt Options) (*Server, error) {
	if opt.Username == "" {
		opt.Username = "switchyard_bot"
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	s := &Server{opt: opt, moved: map[string]string{}, blocked: map[string]string{}, made: firstUpdate, news: make(chan struct{})}
	var err error
	if s.door, err = backstage.Serve(ctx, addr, s.serve, s.control()); err != nil {
		return nil, fmt.Errorf("simulated Telegram: %w", err)
	}
	return s, nil
}

// URL is the base URL of its API.
func (s *Server) URL() string { return s.door.URL() }

// Close ends it at once.
func (s *Server) Close() error {
	s.Recover()
	return s.door.Close()
}

// Ledger returns all requests so far, in the order they were answered, but for
// those for updates.
func (s *Server) Ledger() []Call { return s.ledger.All() }

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
	if err := s.ledger.WaitFor(ctx, cond); err != nil {
		return fmt.Errorf("simulated Telegram: %w", err)
	}
	return nil
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
