package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-telegram/bot/models"
)

// Update is something that somebody did in a chat: wrote, or pressed a button.
type Update struct {
	// ID goes up from update to update.
	ID int64
	// Chat that it happened in, as an integer in decimal. Empty: it is nothing that
	// bots of ours care for.
	Chat string
	// Text of the message, or the command of the button.
	Text string
	// Query is what a press is acknowledged by. Empty: it is a message.
	Query string
	// At is when a message was written.
	At time.Time
	// MovedTo is the supergroup that the chat has become; 0: it hasn't.
	MovedTo int64
}

// Updates asks what chats have sent since the update before offset, and waits for
// some for at most wait, in whole seconds. Asking with an offset tells Telegram to
// forget all before it.
//
// The library has a loop of its own for this. It confirms an update when it is
// handed on, not when it was handled, so a process that dies loses it.
func (c *Client) Updates(ctx context.Context, offset int64, wait time.Duration) (updates []Update, err error) {
	err = c.call(ctx, c.timeout+wait, func(ctx context.Context) error {
		var result []json.RawMessage
		err := c.post(ctx, "getUpdates", map[string]any{
			"offset": offset, "timeout": int(wait.Seconds()), "allowed_updates": []string{"message", "callback_query"},
		}, &result)
		if err != nil {
			return err
		}
		for _, doc := range result {
			updates = append(updates, readUpdate(doc))
		}
		return nil
	})
	return updates, err
}

// post makes a request past the library.
func (c *Client) post(ctx context.Context, method string, parameters, result any) error {
	body, err := json.Marshal(parameters)
	if err != nil {
		return fmt.Errorf("writing the parameters of %s: %w", method, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/bot"+c.token.Reveal()+"/"+method, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request of %s: %w", method, err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.door.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() // read before
	doc := struct {
		Result any `json:"result"`
	}{result}
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		return odd(res.StatusCode)
	}
	return nil
}

// readUpdate reads one update. Of what can't be read the id is enough: it must not
// keep the others back for ever.
func readUpdate(doc json.RawMessage) Update {
	var id struct {
		ID int64 `json:"update_id"`
	}
	_ = json.Unmarshal(doc, &id) // 0 for what has none
	var u models.Update
	if json.Unmarshal(doc, &u) != nil {
		return Update{ID: id.ID}
	}
	out := Update{ID: id.ID}
	switch {
	case u.Message != nil:
		m := u.Message
		out.Chat, out.Text, out.At = strconv.FormatInt(m.Chat.ID, 10), m.Text, time.Unix(int64(m.Date), 0)
		out.MovedTo = m.MigrateToChatID
	case u.CallbackQuery != nil:
		q := u.CallbackQuery
		out.Text, out.Query = q.Data, q.ID
		switch {
		case q.Message.Message != nil:
			out.Chat = strconv.FormatInt(q.Message.Message.Chat.ID, 10)
		case q.Message.InaccessibleMessage != nil:
			out.Chat = strconv.FormatInt(q.Message.InaccessibleMessage.Chat.ID, 10)
		}
	}
	return out
}
