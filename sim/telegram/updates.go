package telegram

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// firstUpdate is a number as high as updates of real bots have.
const firstUpdate = 731_000_000

// update is something that happened in a chat.
type update struct {
	id       int64
	kind     string // message or callback_query
	document map[string]any
	query    string // of a callback_query
}

// add has the bot hear of something.
func (s *Server) add(kind string, document map[string]any, query string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	s.updates = append(s.updates, update{s.made, kind, document, query})
	close(s.news)
	s.news = make(chan struct{})
}

// person is who writes.
var person = map[string]any{"id": int64(7001), "is_bot": false, "first_name": "Operator"}

// Say has somebody write to the bot, in a private chat or in a group.
func (s *Server) Say(chat, text string) error { return s.SayAt(chat, text, s.opt.Now()) }

// SayAt is Say at another time: what the bot didn't ask for yet is older than now.
func (s *Server) SayAt(chat, text string, at time.Time) error {
	if _, err := strconv.ParseInt(chat, 10, 64); err != nil {
		return fmt.Errorf("chat %q is none that somebody writes in", chat)
	}
	s.mu.Lock()
	s.sent++
	id := s.sent
	s.mu.Unlock()
	s.add("message", map[string]any{
		"message_id": id, "date": at.Unix(), "chat": chatDocument(chat), "from": person, "text": text,
	}, "")
	return nil
}

// Upgrade has a group tell that it has become a supergroup, as it does besides
// refusing messages (Move).
func (s *Server) Upgrade(from, to string) error {
	n, err := strconv.ParseInt(to, 10, 64)
	if err != nil {
		return fmt.Errorf("chat %q is no supergroup", to)
	}
	s.Move(from, to)
	s.add("message", map[string]any{
		"message_id": int64(1), "date": s.opt.Now().Unix(), "chat": chatDocument(from), "from": person, "migrate_to_chat_id": n,
	}, "")
	return nil
}

// Press has somebody press the button of a message that has this data.
func (s *Server) Press(message int64, data string) error {
	for _, c := range s.Ledger() {
		if c.MessageID != message || !slices.ContainsFunc(c.Buttons, func(b Button) bool { return b.Data == data }) {
			continue
		}
		query := strconv.FormatInt(s.opt.Now().UnixNano(), 10)
		s.add("callback_query", map[string]any{
			"id": query, "from": person, "chat_instance": "1", "data": data, "message": s.message(&c, c.Text),
		}, query)
		return nil
	}
	return errors.New("there is no such button")
}

// acknowledge answers the press of a button.
func (s *Server) acknowledge(query string) (any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, u := range s.updates {
		if query != "" && u.query == query {
			s.updates[i].query = "" // once
			return true, nil
		}
	}
	return nil, bad("query is too old and response timeout expired or query ID is invalid")
}

// Pending is how many updates the bot hasn't confirmed.
func (s *Server) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, u := range s.updates {
		if u.kind != "" {
			n++
		}
	}
	return n
}

// getUpdates gives the bot what happened, or waits until something does. Another
// request for it ends this one.
func (s *Server) getUpdates(r *http.Request, p map[string]string) (any, *refusal) {
	var numbers [3]int64
	for i, name := range []string{"offset", "limit", "timeout"} {
		if p[name] == "" {
			continue
		}
		n, err := strconv.ParseInt(p[name], 10, 64)
		if err != nil {
			return nil, bad("invalid " + name)
		}
		numbers[i] = n
	}
	offset, limit, wait := numbers[0], int(numbers[1]), time.Duration(numbers[2])*time.Second
	if limit < 1 || limit > maxUpdates {
		limit = maxUpdates
	}
	s.mu.Lock()
	if s.poll != nil {
		close(s.poll)
	}
	mine := make(chan struct{})
	s.poll = mine
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.poll == mine {
			s.poll = nil
		}
	}()
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		s.mu.Lock()
		found, news := s.since(offset, limit), s.news
		s.mu.Unlock()
		if len(found) > 0 {
			return found, nil
		}
		select {
		case <-news:
		case <-over.C:
			return found, nil
		case <-r.Context().Done():
			return found, nil
		case <-mine:
			return nil, &refusal{
				status:      http.StatusConflict,
				description: "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
			}
		}
	}
}

// since forgets what is before offset and returns what is left.
func (s *Server) since(offset int64, limit int) []map[string]any {
	out := []map[string]any{}
	for i, u := range s.updates {
		switch {
		case u.id < offset:
			s.updates[i].kind = "" // forgotten, but its query can be answered
		case u.kind != "" && len(out) < limit:
			out = append(out, map[string]any{"update_id": u.id, u.kind: u.document})
		}
	}
	return out
}
