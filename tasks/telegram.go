package tasks

import (
	"regexp"
	"time"
)

// TelegramPayload is one message to one chat.
type TelegramPayload struct {
	// ChatID is an integer in decimal, or "@channel".
	ChatID string `json:"chat_id"`
	// Text of any length; longer than Telegram takes at once, it becomes several
	// messages.
	Text string `json:"text"`
	// HTML: Text is HTML as Telegram reads it, not plain.
	HTML bool `json:"html,omitempty"`
	// Hook: a client of the WebSocket sends it as a webhook, and is told of each try.
	Hook bool `json:"hook,omitempty"`
	// Buttons stand in a row below the message, where the chat may give commands.
	Buttons []TelegramButton `json:"buttons,omitempty"`
}

// TelegramButton gives a command when it is pressed.
type TelegramButton struct {
	Text string `json:"text"`
	// Command is one that a chat could send, without its slash; at most 64 bytes.
	Command string `json:"command"`
}

// TelegramResult is what became of it.
type TelegramResult struct {
	// ChatID is where it went: another than was asked for where the group has
	// become a supergroup.
	ChatID string `json:"chat_id"`
	// Parts is how many messages the text makes.
	Parts int `json:"parts"`
	// MessageIDs are Telegram's, of the parts that were sent so far.
	MessageIDs []int64 `json:"message_ids"`
}

// TelegramProgress is how far a message is: what its job's next handler needs to
// know where the last one was killed.
type TelegramProgress struct {
	TelegramResult
	// Unsure is how often the next part was sent without an answer that tells
	// whether it arrived. It counts from before a part is sent.
	Unsure int `json:"unsure"`
}

const (
	// TelegramLimit bounds one run of a message.
	TelegramLimit = 5 * time.Minute
	// TelegramTries is how many failures end one.
	TelegramTries = 10
)

// NewTelegram drafts a message. Messages never join; those of one chat, and what
// else the chat has asked for, keep their order. parent is the job that it tells
// of, empty where a client sends it.
func NewTelegram(p TelegramPayload, parent string) Draft {
	return Draft{
		Type: Telegram, ChatID: p.ChatID, Queue: QueueInteractive, OrderKey: ChatKey(p.ChatID), Payload: mustJSON(p),
		Limit: TelegramLimit, MaxTries: TelegramTries, Parent: parent,
	}
}

// NewTelegramNotice drafts the word that a chat gets of a job that it has asked for,
// which is parent. Notices to a chat keep their order among themselves, and hold up
// nothing that the chat asks for: a group gets twenty messages a minute, and, while
// Telegram is away, none; its addresses must be blocked all the same.
func NewTelegramNotice(p TelegramPayload, parent string) Draft {
	d := NewTelegram(p, parent)
	d.OrderKey = "notices:" + chatName(p.ChatID)
	return d
}

// NewTelegramAnswer drafts the answer to a command. Answers to a chat keep their
// order among themselves, and wait for nothing else that the chat has asked for: not
// even for what a command cancels.
func NewTelegramAnswer(p TelegramPayload) Draft {
	d := NewTelegram(p, "")
	d.OrderKey = "answers:" + chatName(p.ChatID)
	return d
}

var chatForm = regexp.MustCompile(`^(-?[1-9][0-9]{0,18}|@[A-Za-z][A-Za-z0-9_]{3,31})$`)

// ChatForm reports whether s looks like a chat: an integer of up to 19 digits, or @ and
// the name of a channel.
func ChatForm(s string) bool { return chatForm.MatchString(s) }
