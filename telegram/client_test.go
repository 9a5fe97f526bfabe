package telegram_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/configs"
	sim "switchyard/sim/telegram"
	"switchyard/tasks"
	"switchyard/telegram"
)

// Ensure a message arrives as it was sent, whatever the kind of its chat, and that
// its id is Telegram's.
func TestSend(t *testing.T) {
	t.Parallel()
	b := setup(t)
	buttons := []tasks.TelegramButton{{Text: "Toggle again", Command: "toggle 16"}}
	for _, m := range []telegram.Message{
		{Chat: "1", Text: "1 < 2 & <b>3</b>\n가 😀"},
		{Chat: "-2", Text: "<b>1 &lt; 2</b>", HTML: true},
		{Chat: "@operators", Text: "x", Buttons: buttons},
	} {
		id, err := b.client.Send(b.ctx, m)
		must(t, err)
		got := b.sim.Messages(m.Chat)
		if len(got) != 1 || got[0].Text != m.Text || got[0].MessageID != id || (got[0].ParseMode == "HTML") != m.HTML || len(got[0].Buttons) != len(m.Buttons) {
			t.Errorf("sent %+v: %d, %+v", m, id, got)
		}
	}
	if got := b.sim.Messages("@operators")[0].Buttons; got[0] != (sim.Button{Text: "Toggle again", Data: "toggle 16"}) {
		t.Errorf("buttons %+v", got)
	}
	name, err := b.client.Me(b.ctx)
	if err != nil || name != "switchyard_bot" {
		t.Errorf("it is %q, %v", name, err)
	}
}

// Ensure of everything that Telegram may say it is known whether another try makes
// sense, when, and whether the message may have arrived.
func TestSend_refused(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Telegram) { c.Timeout = configs.Duration(100 * time.Millisecond) })
	type verdict struct {
		Final, Limited, Unsure bool
		After                  time.Duration
		MovedTo                int64
	}
	for _, tt := range []struct {
		name  string
		fault sim.Fault
		chat  string
		want  verdict
		words string
	}{
		{"429", sim.Fault{Status: 429, Description: "Too Many Requests: retry after 7", RetryAfter: 7}, "1", verdict{Limited: true, After: 7 * time.Second}, "was sent too much"},
		{"429 without a time", sim.Fault{Status: 429}, "1", verdict{Limited: true, After: 5 * time.Second}, "was sent too much"},
		{"429 for days", sim.Fault{Status: 429, RetryAfter: 1 << 30}, "1", verdict{Limited: true, After: time.Hour}, "was sent too much"},
		{"no such chat", sim.Fault{}, "3", verdict{Final: true}, "knows no such chat"},
		{"blocked", sim.Fault{Status: 403, Description: "Forbidden: bot was blocked by the user"}, "1", verdict{Final: true}, "doesn't let the bot write to this chat: Forbidden: bot was blocked"},
		{"bad token", sim.Fault{Status: 401, Description: "Unauthorized"}, "1", verdict{Final: true}, "knows no bot with this token"},
		{"500", sim.Fault{Status: 500, Description: "Internal Server Error"}, "1", verdict{}, "Telegram failed"},
		{"502", sim.Fault{Status: 502, HTML: true}, "1", verdict{}, "Telegram failed"},
		{"504", sim.Fault{Status: 504, HTML: true}, "1", verdict{Unsure: true}, "Telegram failed"},
		{"a page", sim.Fault{HTML: true}, "1", verdict{Unsure: true}, "is there a proxy in between"},
		{"lost connection", sim.Fault{Drop: true}, "1", verdict{Unsure: true}, "can't be reached"},
		{"no answer", sim.Fault{Hang: true}, "1", verdict{Unsure: true}, "gave no answer within 100ms"},
		{"moved", sim.Fault{}, "-2", verdict{MovedTo: -1001234567890}, "has become a supergroup"},
	} {
		b.sim.Recover()
		if tt.fault != (sim.Fault{}) {
			b.sim.Fail(tt.fault)
		}
		b.sim.Move("-2", "-1001234567890")
		_, err := b.client.Send(b.ctx, telegram.Message{Chat: tt.chat, Text: "x"})
		var e *telegram.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, verdict{e.Final(), e.Limited(), e.Unsure, e.RetryAfter, e.MovedTo}); diff != "" || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, diff)
		}
	}
}

// Ensure a Telegram that nobody listens at got nothing for certain, and that a
// cancelled request tells its cause.
func TestSend_unreached(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Telegram) { c.BaseURL = "http://127.0.0.1:1" })
	_, err := b.client.Send(b.ctx, telegram.Message{Chat: "1", Text: "x"})
	var e *telegram.Error
	if !errors.As(err, &e) || e.Unsure || e.Final() || !strings.HasPrefix(err.Error(), "Telegram can't be reached") {
		t.Errorf("got %v", err)
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(b.ctx)
	cancel(why)
	if _, err := b.client.Send(ctx, telegram.Message{Chat: "1", Text: "x"}); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	none := setup(t, func(c *configs.Telegram) { c.Token = configs.Secret{} })
	if _, err := none.client.Send(b.ctx, telegram.Message{Chat: "1", Text: "x"}); !errors.Is(err, telegram.ErrNotConfigured) || none.client.Configured() {
		t.Errorf("got %v", err)
	}
}

// Ensure the token is in no error, whatever went wrong and whoever repeats it.
func TestTokenStaysSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, f := range []sim.Fault{
		{Status: 401, Description: "no such token: " + token}, {Status: 500, Description: token}, {HTML: true, Description: token}, {Drop: true}, {Status: 302, HTML: true},
	} {
		b.sim.Recover()
		b.sim.Fail(f)
		_, err := b.client.Send(b.ctx, telegram.Message{Chat: "1", Text: "x"})
		if err == nil || strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "made-for-this-test") {
			t.Errorf("got %v", err)
		}
	}
	bad := configs.Default().Telegram
	bad.Token, bad.BaseURL = configs.NewSecret(token), "http://127.0.0.1:1/%zz"
	if _, err := telegram.New(bad, "test"); err == nil || strings.Contains(err.Error(), token) {
		t.Errorf("an address that is none: %v", err)
	}
	for _, url := range []string{"http://127.0.0.1:1", "http://nowhere.invalid"} {
		c := configs.Default().Telegram
		c.Token, c.BaseURL = configs.NewSecret(token), url
		client, err := telegram.New(c, "test")
		must(t, err)
		_, err = client.Send(b.ctx, telegram.Message{Chat: "1", Text: "x"})
		_, polled := client.Updates(b.ctx, 0, 0)
		for _, err := range []error{err, polled} {
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), "made-for-this-test") {
					t.Errorf("%s: %v", url, e)
				}
			}
		}
		client.Close()
	}
}

// Ensure updates come in order, wait for some, and are forgotten only when they
// were confirmed; and that a press is acknowledged once.
func TestUpdates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.sim.Say("1", "/help"))
	must(t, b.sim.Say("-2", "/status"))
	for range 2 { // not confirmed, they come again
		got, err := b.client.Updates(b.ctx, 0, 0)
		must(t, err)
		if len(got) != 2 || got[0].Text != "/help" || got[1].Chat != "-2" || got[1].At.IsZero() || got[1].ID != got[0].ID+1 {
			t.Fatalf("%+v", got)
		}
	}
	got, err := b.client.Updates(b.ctx, 0, 0)
	must(t, err)
	id, err := b.client.Send(b.ctx, telegram.Message{Chat: "1", Text: "x", Buttons: []tasks.TelegramButton{{Text: "again", Command: "toggle 11"}}})
	must(t, err)
	must(t, b.sim.Press(id, "toggle 11"))
	got, err = b.client.Updates(b.ctx, got[1].ID+1, 10*time.Second)
	must(t, err)
	if len(got) != 1 || got[0].Text != "toggle 11" || got[0].Chat != "1" || b.sim.Pending() != 1 {
		t.Fatalf("%+v, %d pending", got, b.sim.Pending())
	}
	must(t, b.client.Acknowledge(b.ctx, got[0].Query, "done"))
	var e *telegram.Error
	if err := b.client.Acknowledge(b.ctx, got[0].Query, "done"); !errors.As(err, &e) || e.Status != http.StatusBadRequest {
		t.Errorf("acknowledged twice: %v", err)
	}
}

// Ensure two who ask for updates at once hear of each other.
func TestUpdates_conflict(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := make(chan error, 1)
	go func() {
		_, err := b.client.Updates(b.ctx, 0, 40*time.Second)
		first <- err
	}()
	var err error
	for done := false; !done; { // the other one may come first
		_, err = b.client.Updates(b.ctx, 0, 0)
		select {
		case err = <-first:
			done = true
		default:
		}
	}
	var e *telegram.Error
	if !errors.As(err, &e) || !e.Conflict() {
		t.Errorf("got %v", err)
	}
}
