package telegram

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// What Telegram takes.
const (
	longestText = 4096
	longestData = 64
	allPerSec   = 30
	perMinute   = 20
)

// kindOf is what a chat is, by its id.
func kindOf(chat string) string {
	switch {
	case strings.HasPrefix(chat, "@"):
		return "channel"
	case strings.HasPrefix(chat, "-100") && len(chat) > 10:
		return "supergroup"
	case strings.HasPrefix(chat, "-"):
		return "group"
	}
	return "private"
}

// find checks that the bot may write to a chat.
func (s *Server) find(chat string) *refusal {
	switch _, err := strconv.ParseInt(chat, 10, 64); {
	case chat == "":
		return bad("chat_id is empty")
	case !strings.HasPrefix(chat, "@") && err != nil, len(s.opt.Chats) > 0 && !slices.Contains(s.opt.Chats, chat):
		return bad("chat not found")
	}
	if to := s.moved[chat]; to != "" {
		no := bad("group chat was upgraded to a supergroup chat")
		no.movedTo, _ = strconv.ParseInt(to, 10, 64) // 0 for what a test got wrong
		return no
	}
	if why := s.blocked[chat]; why != "" {
		return &refusal{status: http.StatusForbidden, description: why}
	}
	return nil
}

// send sends a message to a chat.
func (s *Server) send(c *Call, p map[string]string) (any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if no := s.find(c.Chat); no != nil {
		return nil, no
	}
	text := c.Text
	switch c.ParseMode {
	case "":
	case "HTML":
		var no *refusal
		if text, no = plain(c.Text); no != nil {
			return nil, no
		}
	default:
		return nil, bad("unsupported parse_mode")
	}
	text = strings.TrimSpace(text)
	switch {
	case !utf8.ValidString(text):
		return nil, bad("strings must be encoded in UTF-8")
	case text == "":
		return nil, bad("message text is empty")
	case units(text) > longestText:
		return nil, bad("message is too long")
	}
	if markup := p["reply_markup"]; markup != "" {
		var doc struct {
			Rows [][]Button `json:"inline_keyboard"`
		}
		if json.Unmarshal([]byte(markup), &doc) != nil {
			return nil, bad("object expected as reply markup")
		}
		for _, b := range slices.Concat(doc.Rows...) {
			if b.Text == "" || b.Data == "" || len(b.Data) > longestData {
				return nil, bad("BUTTON_DATA_INVALID")
			}
			c.Buttons = append(c.Buttons, b)
		}
	}
	if no := s.tooMuch(c); no != nil {
		return nil, no
	}
	s.sent++
	c.MessageID = s.sent
	return s.message(c, text), nil
}

// taking is a message that was taken, for the limits.
type taking struct {
	at   time.Time
	chat string
}

// tooMuch refuses what is more than Telegram says it takes.
func (s *Server) tooMuch(c *Call) *refusal {
	if s.opt.Unlimited {
		return nil
	}
	c.At = s.opt.Now() // in order, under the lock
	second, minute := c.At.Add(-time.Second), c.At.Add(-time.Minute)
	all, inChat, inGroup := 0, 0, 0
	for _, x := range slices.Backward(s.taken) {
		if !x.at.After(minute) {
			break
		}
		recent, same := x.at.After(second), x.chat == c.Chat
		if recent {
			all++
		}
		if recent && same {
			inChat++
		}
		if same {
			inGroup++
		}
	}
	wait := 0
	if all >= allPerSec || inChat >= 1 {
		wait = 1
	}
	if kindOf(c.Chat) != "private" && inGroup >= perMinute {
		wait = int(math.Ceil(time.Minute.Seconds()))
	}
	if wait == 0 {
		s.taken = append(s.taken, taking{c.At, c.Chat})
		return nil
	}
	return &refusal{status: http.StatusTooManyRequests, description: "Too Many Requests: retry after " + strconv.Itoa(wait), retryAfter: wait}
}

// message is one as the API shows it.
func (s *Server) message(c *Call, text string) map[string]any {
	m := map[string]any{
		"message_id": c.MessageID, "date": c.At.Unix(), "chat": chatDocument(c.Chat), "text": text,
		"from": map[string]any{"id": s.botID(), "is_bot": true, "first_name": "Switchyard", "username": s.opt.Username},
	}
	if len(c.Buttons) > 0 {
		m["reply_markup"] = map[string]any{"inline_keyboard": [][]Button{c.Buttons}}
	}
	return m
}

// chatDocument is a chat as the API shows it.
func chatDocument(chat string) map[string]any {
	kind := kindOf(chat)
	doc := map[string]any{"type": kind}
	if name, ok := strings.CutPrefix(chat, "@"); ok {
		doc["id"], doc["username"] = int64(-1009999999999), name
		return doc
	}
	n, err := strconv.ParseInt(chat, 10, 64)
	if err != nil {
		n = 0
	}
	doc["id"] = n
	if kind == "private" {
		doc["first_name"] = fmt.Sprint("User ", n)
	} else {
		doc["title"] = fmt.Sprint("Group ", n)
	}
	return doc
}
