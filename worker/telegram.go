package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/configs"
	"switchyard/events"
	"switchyard/jobs"
	"switchyard/limits"
	"switchyard/tasks"
	"switchyard/telegram"
)

// Telegram executes the messages.
type Telegram struct {
	Client *telegram.Client
	// Windows are those that all workers share.
	Windows *limits.Windows
	// Moves of groups that all processes remember.
	Moves  telegram.Moves
	Config configs.Telegram
	Log    *slog.Logger
	// Events hears of each try of a message that is a webhook. Optional.
	Events *events.Publisher
}

const (
	// turnWait is the longest that a message waits for its turn in a handler's
	// place; one that would have to wait longer comes back then.
	turnWait = 2 * time.Second
	// holdSlack is how much longer than a request may take its place is held.
	holdSlack = 5 * time.Second
	// mostUnsure is how often a part is sent without it being known whether it
	// has arrived: once more than it should be seen.
	mostUnsure = 2
	// mostMoves is how often one message follows its chat.
	mostMoves = 3
)

// errUnsure is why a message is not sent any more that may have arrived.
var errUnsure = errors.New("it was sent twice without an answer that tells whether it has arrived; not again, unless it is asked for")

// Handle is the handler of tasks.Telegram. What was sent is written down part by
// part, and that a part is about to be sent before it is. So a worker that dies has
// no part sent again that is known to have arrived. Of the one that was on its way
// Telegram lets nobody know; it is sent once more. A message that somebody has run
// again is sent as a whole.
func (t *Telegram) Handle(ctx context.Context, r *Run) Outcome {
	var p tasks.TelegramPayload
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		return GiveUp(fmt.Errorf("unreadable payload: %w", err), nil)
	}
	m := &message{Telegram: t, run: r, payload: p, parts: telegram.Split(p.Text, p.HTML), so: messageSoFar(r, p)}
	m.so.Parts = len(m.parts)
	began := time.Now()
	err := m.send(ctx)
	o, event := m.outcome(err)
	if p.Hook && event != "" {
		t.tell(r, event, began, err)
	}
	return o
}

// outcome is what follows from the end of a try, and what is told of it; "": nothing.
func (m *message) outcome(err error) (o Outcome, event string) {
	t, r := m.Telegram, m.run
	result := m.so.TelegramResult
	var later *limits.LaterError
	var refusal *telegram.Error
	switch {
	case err == nil:
		return Done(result), hookSent
	case errors.Is(err, ErrStopping), errors.Is(err, jobs.ErrLost):
		return Release(), ""
	case errors.Is(err, jobs.ErrCancelAsked):
		return Cancelled(result), ""
	case errors.As(err, &later):
		return Postpone(later.After), ""
	case errors.Is(err, ErrLimit), errors.As(err, &refusal) && !refusal.Final() && m.so.Unsure < mostUnsure:
		return RetryAfter(tasks.Backoff(t.Config.FirstRetry.Std(), t.Config.MaxRetry.Std(), r.Tries), err, result), hookRetrying
	case refusal != nil && refusal.Unsure:
		err = fmt.Errorf("%w: %w", errUnsure, err)
	}
	if refusal != nil && refusal.Refused() {
		t.Log.Error("Telegram refuses the bot; no message gets through", "err", refusal)
	}
	return GiveUp(err, result), hookFailed
}

// tell publishes what became of a try of a message that is a webhook.
func (t *Telegram) tell(r *Run, event string, began time.Time, err error) {
	w := events.Webhook{ID: r.ID, Kind: "telegram", URL: "https://api.telegram.org/…", Event: event, ResponseMS: time.Since(began).Milliseconds()}
	code := http.StatusOK
	if err != nil {
		w.Message, code = err.Error(), 0
		if refusal, ok := errors.AsType[*telegram.Error](err); ok {
			code = refusal.Status
		}
	}
	tellHook(t.Events, w, began, code)
}

// messageSoFar is what earlier tries came to.
func messageSoFar(r *Run, p tasks.TelegramPayload) tasks.TelegramProgress {
	var so tasks.TelegramProgress
	if json.Unmarshal(r.Job.Progress, &so) != nil || so.Parts == 0 {
		so = tasks.TelegramProgress{TelegramResult: tasks.TelegramResult{ChatID: p.ChatID, MessageIDs: []int64{}}}
	}
	return so
}

// message is one on its way.
type message struct {
	*Telegram
	run     *Run
	payload tasks.TelegramPayload
	parts   []string
	so      tasks.TelegramProgress
}

// send sends the parts that are left. Errors: those of a turn, of Check, an
// *telegram.Error, or what is final.
func (m *message) send(ctx context.Context) error {
	switch {
	case !m.Client.Configured():
		return telegram.ErrNotConfigured
	case len(m.parts) == 0:
		return errors.New("there is nothing to see in this message")
	case m.so.Unsure >= mostUnsure:
		return errUnsure
	}
	moves := 0
	for len(m.so.MessageIDs) < len(m.parts) {
		err := m.sendPart(ctx)
		var refusal *telegram.Error
		if errors.As(err, &refusal) && refusal.MovedTo != 0 && moves < mostMoves {
			moves++
			if err = m.follow(ctx, refusal.MovedTo); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sendPart sends the next part, when it is its turn.
func (m *message) sendPart(ctx context.Context) error {
	err := m.insist(ctx, func() (err error) {
		m.so.ChatID, err = m.Moves.Of(ctx, m.so.ChatID)
		return err
	})
	if err != nil {
		return err
	}
	n := len(m.so.MessageIDs)
	place, windows := m.run.ID+":"+strconv.Itoa(n), m.windows(m.so.ChatID)
	if err := m.turn(ctx, place, windows); err != nil {
		return err
	}
	m.so.Unsure++
	if err := m.ready(ctx); err != nil {
		m.so.Unsure--
		m.leave(ctx, place, windows)
		return err
	}
	out := telegram.Message{Chat: m.so.ChatID, Text: m.parts[n], HTML: m.payload.HTML}
	if n == len(m.parts)-1 {
		out.Buttons = m.buttons()
	}
	// Not broken off when the worker stops or the job is cancelled: it is over
	// within its timeout, and nobody could tell whether it had arrived.
	id, err := m.Client.Send(context.WithoutCancel(ctx), out)
	m.leave(ctx, place, windows)
	var refusal *telegram.Error
	switch {
	case err == nil:
		m.so.MessageIDs, m.so.Unsure = append(m.so.MessageIDs, id), 0
		if n == len(m.parts)-1 {
			return nil // the end of the job says so
		}
		return m.note(ctx)
	case !errors.As(err, &refusal):
		return err
	case refusal.Unsure:
		return err
	}
	m.so.Unsure--
	if err := m.note(ctx); err != nil {
		return err
	}
	if refusal.Limited() {
		m.shut(ctx, refusal, windows)
		return &limits.LaterError{After: refusal.RetryAfter}
	}
	return err
}

// ready checks that the part may still be sent, and writes down that it will be.
func (m *message) ready(ctx context.Context) error {
	if err := m.run.Check(ctx); err != nil {
		return err
	}
	return m.note(ctx)
}

// follow remembers where the group has moved.
func (m *message) follow(ctx context.Context, to int64) error {
	m.Log.Info("a group has become a supergroup; its messages go there", "chat", m.so.ChatID, "to", to)
	return m.insist(ctx, func() error { return m.Moves.Note(ctx, m.so.ChatID, to) })
}

// insist repeats what only Redis can fail at until it has been done. Error: the cause of
// ctx.
func (m *message) insist(ctx context.Context, f func() error) error {
	return insist(ctx, func(err error) bool { return err != nil }, f)
}

// note writes down how far the message is, and waits for Redis to have it.
func (m *message) note(ctx context.Context) error { return m.run.Note(ctx, m.so) }

// buttons are those of the message, where somebody hears of their being pressed.
func (m *message) buttons() []tasks.TelegramButton {
	listed := slices.Contains(m.Config.Chats, m.so.ChatID) || slices.Contains(m.Config.Chats, m.payload.ChatID)
	if !m.Config.Commands || !listed {
		return nil
	}
	return m.payload.Buttons
}

// windows are what Telegram allows: to all chats, to one, and to one of several
// people.
func (t *Telegram) windows(chat string) []limits.Window {
	name := "telegram:" + strings.ToLower(chat)
	out := []limits.Window{
		{Name: "telegram", Events: t.Config.PerSecond, Per: time.Second},
		{Name: name, Events: 1, Per: t.Config.ChatPause.Std()},
	}
	if strings.HasPrefix(chat, "-") || strings.HasPrefix(chat, "@") {
		out = append(out, limits.Window{Name: name + ":minute", Events: t.Config.PerGroup, Per: time.Minute})
	}
	return out
}

// turn waits for a place among the messages of all workers, and for Redis, which
// has them.
func (t *Telegram) turn(ctx context.Context, place string, windows []limits.Window) error {
	return placed(ctx, func() error {
		return t.Windows.Await(ctx, turnWait, place, t.Config.Timeout.Std()+holdSlack, windows...)
	})
}

// leave says that the message has reached Telegram, or never will.
func (t *Telegram) leave(ctx context.Context, place string, windows []limits.Window) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), freezeTimeout)
	defer cancel()
	if err := t.Windows.Leave(ctx, place, windows...); err != nil {
		t.Log.Warn("a place among the messages is taken for longer than it was needed", "err", err)
	}
}

// shut has all workers leave a chat alone that was sent too much, and all chats for
// a moment: it may have been the bot as a whole, and then those say so, too.
func (t *Telegram) shut(ctx context.Context, refusal *telegram.Error, windows []limits.Window) {
	t.Log.Warn("Telegram was sent too much; the chat is left alone for a while", "window", windows[1].Name, "wait", refusal.RetryAfter)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), freezeTimeout)
	defer cancel()
	err := errors.Join(t.Windows.Shut(ctx, refusal.RetryAfter, windows[1]), t.Windows.Shut(ctx, min(time.Second, refusal.RetryAfter), windows[0]))
	if err != nil {
		t.Log.Warn("could not tell the other workers to leave the chat alone", "err", err)
	}
}
