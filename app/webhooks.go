package app

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"switchyard/api/access"
	"switchyard/api/ws"
	"switchyard/delivery"
	"switchyard/jobs"
	"switchyard/tasks"
	"switchyard/webhooks"
)

// hookLimit bounds the job of a message to somebody's service.
func (a *App) hookLimit() time.Duration { return a.cfg.Callbacks.Timeout.Std() + hookSlack }

// hookSlack is what a message's job may take beyond one try.
const hookSlack = 15 * time.Second

// webhookRequest is the data of send_webhook.
type webhookRequest struct {
	Kind      webhooks.Kind              `json:"webhook_type"`
	URL       string                     `json:"url"`
	Chat      json.RawMessage            `json:"chat_id"`
	Message   string                     `json:"message"`
	Template  string                     `json:"template_id"`
	Variables map[string]json.RawMessage `json:"variables"`
}

// sendWebhook makes a job of what a client of the WebSocket sends. What becomes of it
// is told to all by a webhook_event.
func (a *App) sendWebhook(ctx context.Context, caller *access.Caller, data []byte) *ws.Error {
	wrong := func(reason string) *ws.Error {
		return ws.Fail(ws.InvalidFormat, "expected_fields", []string{"webhook_type", "url", "message"}, "reason", reason)
	}
	var r webhookRequest
	if err := json.Unmarshal(data, &r); err != nil {
		return wrong("a member is of the wrong type")
	}
	m := webhooks.Message{Text: r.Message, TemplateID: r.Template, Variables: map[string]string{}}
	for name, v := range r.Variables {
		text, ok := variable(v)
		if !ok {
			return wrong("variables are text, numbers, true or false")
		}
		m.Variables[name] = text
	}
	draft, err := a.webhook(r, m)
	if err != nil {
		return wrong(err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Redis.CommandTimeout.Std())
	defer cancel()
	accepted, err := a.store.Accept(ctx, jobs.Request{Draft: draft})
	if err != nil {
		a.log.Warn("a webhook was not accepted", "err", err)
		return ws.Fail(ws.InternalError, "reason", "the job store is out of reach; nothing was accepted, try again")
	}
	a.log.Info("webhook accepted", "job", accepted.ID, "kind", r.Kind, "principal", caller.Name)
	return nil
}

// errChat: a message to Telegram names no chat.
var errChat = errors.New("chat_id has to be an integer, or @ and the name of a channel")

func (a *App) webhook(r webhookRequest, m webhooks.Message) (tasks.Draft, error) {
	templates := a.cfg.Webhooks.Parsed()
	if r.Kind == webhooks.Telegram {
		chat, ok := variable(r.Chat)
		if !ok || !tasks.ChatForm(chat) {
			return tasks.Draft{}, errChat
		}
		return webhooks.ComposeTelegram(chat, m, templates)
	}
	body, err := webhooks.Compose(r.Kind, m, templates, a.store.Now())
	if err != nil {
		return tasks.Draft{}, err
	}
	if err := delivery.CheckURL(r.URL); err != nil {
		return tasks.Draft{}, err
	}
	p := tasks.CallbackPayload{URL: r.URL, Kind: tasks.HookKind(string(r.Kind)), Body: string(body)}
	return tasks.NewHook(p, delivery.Host(r.URL), a.hookLimit()), nil
}

// variable is a JSON text, number or bool as text.
func variable(v json.RawMessage) (string, bool) {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text, len(v) > 0 && v[0] == '"'
	}
	if len(v) == 0 || strings.ContainsRune("{[n", rune(v[0])) {
		return "", false
	}
	return string(v), true
}
