package ws

import (
	"sync"
	"time"
)

// remembered is how many messages of a connection are shown.
const remembered = 100

// diary is what is shown of a connection when ws.debug is set.
type diary struct {
	keep bool

	mu       sync.Mutex
	id, kind string
	notes    []Note
}

// Note is a message that came or went.
type Note struct {
	At        string `json:"at"`
	Direction string `json:"direction" enum:"in,out"`
	Type      string `json:"type"`
	Bytes     int    `json:"bytes"`
}

func (d *diary) note(t time.Time, direction, kind string, bytes int) {
	if !d.keep {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.notes) == remembered {
		d.notes = append(d.notes[:0], d.notes[1:]...)
	}
	d.notes = append(d.notes, Note{at(t), direction, kind, bytes})
}

func (d *diary) name(id, kind string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.id, d.kind = clip([]byte(id)), clip([]byte(kind))
}

// Client is a connection as ws.debug shows it.
type Client struct {
	Address    string   `json:"address" example:"192.0.2.10"`
	Principal  string   `json:"principal" doc:"Who it is, by key or network"`
	ClientID   string   `json:"client_id" doc:"As it says itself"`
	ClientType string   `json:"client_type"`
	State      string   `json:"state" enum:"open,closing"`
	Opened     string   `json:"opened_at" format:"date-time"`
	Queued     int      `json:"queued" doc:"Messages that wait for it"`
	Types      []string `json:"event_types" doc:"Those that it gets"`
	Messages   []Note   `json:"messages" doc:"The last 100, the oldest first"`
}

// Clients are the connections that are open.
func (s *Server) Clients() []Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Client{}
	for c := range s.conns {
		x := Client{Address: c.address(), Principal: c.caller.Name, State: "open", Opened: at(c.opened), Queued: len(c.out), Types: []string{}}
		if c.ctx.Err() != nil {
			x.State = "closing"
		}
		c.sub.mu.Lock()
		for _, kind := range kinds {
			if c.sub.takes(kind) {
				x.Types = append(x.Types, kind)
			}
		}
		c.sub.mu.Unlock()
		c.diary.mu.Lock()
		x.ClientID, x.ClientType, x.Messages = c.diary.id, c.diary.kind, append([]Note{}, c.diary.notes...)
		c.diary.mu.Unlock()
		out = append(out, x)
	}
	return out
}

// kinds are the types of events in the order of the documentation.
var kinds = []string{typeStatus, typeService, typeAlert, typeLog, typeWebhook, typePosco, typeJob, typeOrder, typeHost}
