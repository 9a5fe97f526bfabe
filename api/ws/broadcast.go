package ws

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"switchyard/events"
)

// message is one that several connections may get.
type message struct {
	kind  string
	about about
	// levels of the log that are in it; see subscription.levels.
	levels   string
	prepared *websocket.PreparedMessage
	size     int
	// sent is closed when it was written; nil: nobody waits for that.
	sent chan struct{}
}

// maxTogether is how long a message of several lines of the log may be.
const maxTogether = 64 << 10

// entry is an event that waits for the next flush.
type entry struct {
	event  events.Event
	cursor events.Cursor
}

// hear is told of every event; it never waits.
func (s *Server) hear(e events.Event, at events.Cursor) {
	s.gather(entry{e, at}, true)
}

// gather keeps an entry for the next flush; placed: its cursor is one of the streams.
func (s *Server) gather(e entry, placed bool) {
	s.gathered.mu.Lock()
	s.gathered.entries = append(s.gathered.entries, e)
	if placed {
		s.gathered.last, s.gathered.known = e.cursor, true
	}
	s.gathered.mu.Unlock()
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// Here has the clients of this process see an event that is in no stream.
func (s *Server) Here(e events.Event) {
	s.gathered.mu.Lock()
	at, known := s.gathered.last, s.gathered.known
	s.gathered.mu.Unlock()
	if !known {
		s.mu.Lock()
		at = s.cursor
		s.mu.Unlock()
	}
	s.gather(entry{e, at}, known)
}

// broadcastLoop flushes what was gathered, no sooner after the last time than the
// limit says.
func (s *Server) broadcastLoop(ctx context.Context) {
	t := time.NewTimer(0)
	defer t.Stop()
	<-t.C
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.bell:
		}
		t.Reset(s.pause) // from one flush to the next, whatever this one takes
		s.flush()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// flush hands what was gathered to the connections.
func (s *Server) flush() {
	s.gathered.mu.Lock()
	entries, known := s.gathered.entries, s.gathered.known
	s.gathered.entries = nil
	s.gathered.mu.Unlock()
	if len(entries) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := newFlush(entries, s.cursor)
	s.cursor, s.placed = entries[len(entries)-1].cursor, s.placed || known
	status := 0
	for c := range s.conns {
		got := map[string]bool{}
		c.sub.mu.Lock()
		for _, m := range f.messages(c.sub.levels(), s.now()) {
			if c.sub.wants(m) {
				c.offer(m)
				got[m.kind] = true
			}
		}
		c.sub.mu.Unlock()
		if got[typeStatus] {
			status++
		}
	}
	if f.status > 0 && status > 0 {
		s.opt.Log.Info("상태 업데이트 브로드캐스트: " + strconv.Itoa(status) + "개 클라이언트")
	}
}

// flush is what is handed out at once.
type flush struct {
	figures, lines, single []entry
	status                 int
	before, after          events.Cursor
	made                   map[string][]*message // by the levels of the log
}

func newFlush(entries []entry, before events.Cursor) *flush {
	f := &flush{before: before, after: entries[len(entries)-1].cursor, made: map[string][]*message{}}
	newest := map[string]int{}
	for i, e := range entries {
		if d, ok := events.DeploymentOf(e.event); ok {
			// In front of its job's event, under the id of what came before: see messages.
			cursor := before
			if i > 0 {
				cursor = entries[i-1].cursor
			}
			f.single = append(f.single, entry{d, cursor})
		}
		switch e.event.Kind {
		case typeStatus:
			host := aboutOf(e.event).Host
			if i, seen := newest[host]; seen {
				f.figures[i] = e
				continue
			}
			newest[host] = len(f.figures)
			f.figures = append(f.figures, e)
			f.status++
		case typeLog:
			f.lines = append(f.lines, e)
		default:
			if kindOf(e.event) != "" {
				f.single = append(f.single, e)
			}
		}
	}
	return f
}

// kindOf is the type of message that tells of an event; empty: none does.
func kindOf(e events.Event) string {
	switch {
	case e.Kind == events.PushKind:
		return typeHost
	case scopes[e.Kind] != "":
		return e.Kind
	}
	return ""
}

// messages of the flush, for those who take these levels of the log. What was put
// together stands in front, under the id of the flush before: whoever is cut off behind
// it gets it again rather than never. Each event has its own id, the last message that
// of the flush.
func (f *flush) messages(levels string, now time.Time) []*message {
	if m, ok := f.made[levels]; ok {
		return m
	}
	var out []*message
	n := 0
	id := func(c events.Cursor) string { n++; return c.String() + "~" + strconv.Itoa(n) }
	last := len(f.single) == 0
	logs := logMessages(f.lines, levels)
	for i, e := range f.figures {
		cursor := f.before
		if last && len(logs) == 0 && i == len(f.figures)-1 {
			cursor = f.after
		}
		out = append(out, newMessage(typeStatus, aboutOf(e.event), e.event.Data, e.event.At, id(cursor)))
	}
	for i, data := range logs {
		cursor := f.before
		if last && i == len(logs)-1 {
			cursor = f.after
		}
		m := newMessage(typeLog, about{}, data, now, id(cursor))
		m.levels = levels
		out = append(out, m)
	}
	for i, e := range f.single {
		cursor := e.cursor
		if i == len(f.single)-1 {
			cursor = f.after
		}
		out = append(out, newMessage(kindOf(e.event), aboutOf(e.event), e.event.Data, e.event.At, id(cursor)))
	}
	f.made[levels] = out
	return out
}

func newMessage(kind string, a about, data json.RawMessage, t time.Time, id string) *message {
	if len(data) == 0 {
		data = json.RawMessage("{}")
	}
	text, err := json.Marshal(envelope{Type: kind, Data: data, Timestamp: at(t), BroadcastID: id})
	if err != nil {
		text = []byte(`{"type":"` + kind + `","data":{}}`) // the data of an event always is JSON: events.parse has seen to that
	}
	m := &message{kind: kind, about: a, size: len(text)}
	m.prepared, _ = websocket.NewPreparedMessage(websocket.TextMessage, text) // fails for other kinds of messages only
	return m
}

func aboutOf(e events.Event) (a about) {
	_ = json.Unmarshal(e.Data, &a) // what isn't there filters nothing
	return a
}

// logBatch is the data of a log_update.
type logBatch struct {
	File    string            `json:"file_name"`
	Entries []json.RawMessage `json:"entries"`
	Total   int               `json:"total_new_entries"`
}

// logFile is the name that the log has for clients.
const logFile = "app.log"

// logMessages puts lines of the log together, as many as fit.
func logMessages(lines []entry, levels string) (out []json.RawMessage) {
	batch := logBatch{File: logFile}
	size := 0
	end := func() {
		if batch.Total = len(batch.Entries); batch.Total > 0 {
			if b, err := json.Marshal(batch); err == nil {
				out = append(out, b)
			}
		}
		batch.Entries, size = nil, 0
	}
	for _, l := range lines {
		if levels != "" && !strings.Contains(levels, ","+aboutOf(l.event).Level+",") {
			continue
		}
		if size+len(l.event.Data) > maxTogether-1024 {
			end()
		}
		batch.Entries = append(batch.Entries, l.event.Data)
		size += len(l.event.Data) + 1
	}
	end()
	return out
}
