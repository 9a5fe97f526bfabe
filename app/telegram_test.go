package app_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/jobs"
	simtelegram "switchyard/sim/telegram"
)

const (
	canaryBot = "110201543:canary-bot-token-c3a9"
	chatGroup = "-1001234567890"
)

// messenger starts a Telegram and returns what has a configuration use it, with
// commands from one group.
func (b *bundle) messenger(t *testing.T) (*simtelegram.Server, func(*configs.Config)) {
	t.Helper()
	s, err := simtelegram.Start(b.ctx, "127.0.0.1:0", simtelegram.Options{Token: canaryBot, Unlimited: true})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s, func(c *configs.Config) {
		x := &c.Telegram
		x.Token, x.BaseURL, x.Commands, x.Chats = configs.NewSecret(canaryBot), s.URL(), true, []string{chatGroup}
		x.ChatPause, x.FirstRetry, x.MaxRetry = configs.Duration(time.Millisecond), configs.Duration(time.Second), configs.Duration(time.Second)
		c.Worker.DelayedCheck = configs.Duration(20 * time.Millisecond)
	}
}

// hears waits until a chat has got a message with this in it.
func (b *bundle) hears(t *testing.T, s *simtelegram.Server, chat, part string) (got simtelegram.Call) {
	t.Helper()
	err := s.WaitFor(b.ctx, func([]simtelegram.Call) bool {
		for _, m := range s.Messages(chat) {
			if strings.Contains(m.Text, part) {
				got = m
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatalf("%s never heard of %q, but: %+v", chat, part, s.Messages(chat))
	}
	return got
}

// Ensure a chat has a dongle toggled by a command, hears of it, and does it again by
// a button; that messages of clients' arrive; all of it by processes with their own
// rights, none of which are too few.
func TestTelegram(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	s, at := b.messenger(t)
	api := b.start(t, b.config(at, b.user(t, "api", jobs.APIAccess())), app.API)
	worker := b.user(t, "worker", jobs.WorkerAccess())
	for range 2 {
		b.start(t, b.config(at, worker), app.Worker)
	}
	b.start(t, b.config(b.asHost, b.user(t, "host", jobs.HostAccess("seoul-1"))), app.Worker)

	must(t, s.Say(chatGroup, "/toggle 11"))
	b.hears(t, s, chatGroup, "Toggle of dongle 11: accepted.")
	result := b.hears(t, s, chatGroup, "Dongle 11 of seoul-1: new address ")
	if len(result.Buttons) != 1 || result.Buttons[0].Data != "toggle 11 seoul-1" || result.ParseMode != "HTML" {
		t.Fatalf("%+v", result)
	}
	must(t, s.Press(result.MessageID, result.Buttons[0].Data))
	must(t, s.WaitFor(b.ctx, func([]simtelegram.Call) bool {
		n := 0
		for _, m := range s.Messages(chatGroup) {
			n += strings.Count(m.Text, "new address")
		}
		return n == 2
	}))
	b.wants(t, api, http.MethodGet, "/v1/telegram?chat_id=-123456&text=1%20%3C%202%20%26%20%3Cb%3E", "", 202, "job_id")
	if m := b.hears(t, s, "-123456", "1 < 2 & <b>"); m.ParseMode != "" || len(m.Buttons) != 0 {
		t.Errorf("%+v", m)
	}
	s.Move("-55", "-1005555555555")
	b.wants(t, api, http.MethodGet, "/v1/telegram?chat_id=-55&text=moved", "", 202, "job_id")
	b.hears(t, s, "-1005555555555", "moved")
	for _, d := range b.denied(t) {
		t.Errorf("Redis denied %s", d)
	}
}

// Ensure the bot's token is found in no log line, no answer, no page and nowhere in
// Redis, whatever Telegram does with it.
func TestBotTokenStaysSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s, at := b.messenger(t)
	s.Fail(simtelegram.Fault{Method: "getUpdates", Status: 401, Description: canaryBot, Times: 1})
	all := b.start(t, b.config(at), app.API, app.Worker, app.Scheduler)
	for i, f := range []simtelegram.Fault{
		{}, {Status: 401, Description: "no such token: " + canaryBot}, {Status: 400, Description: canaryBot}, {HTML: true, Description: canaryBot}, {Drop: true},
		{Status: 404, Description: "Not Found"},
	} {
		chat := fmt.Sprint(10 + i)
		if f != (simtelegram.Fault{}) {
			f.Chat = chat
			s.Fail(f)
		}
		id := b.asked(t, all, "/api/v1/telegram?text=x&chat_id="+chat)
		b.eventually(t, "it was tried", func() bool {
			j, err := all.Store().Get(b.ctx, id)
			return err == nil && (j.State.Final() || j.Tries > 0)
		})
	}
	must(t, s.Say(chatGroup, "/jobs"))
	b.hears(t, s, chatGroup, "asked for nothing yet")
	shown := []string{all.log.String()}
	for _, path := range []string{"/api/v1/jobs", "/metrics", "/monitoring/api/queues/interactive/scheduled_tasks", "/openapi.json"} {
		shown = append(shown, b.wants(t, all, http.MethodGet, path, "", 200, ""))
	}
	for where, text := range b.dump(t, b.redis(t)) {
		shown = append(shown, where+" "+text)
	}
	const secret = "canary-bot-token-c3a9"
	for _, text := range shown {
		if strings.Contains(text, secret) {
			t.Errorf("the token is shown: …%s…", around(text, secret))
		}
	}
}

// Ensure a worker that stops in the middle of a burst leaves what it didn't send to
// another, and that each message arrives once, in order.
func TestTelegramHandover(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s, at := b.messenger(t)
	api := b.start(t, b.config(at), app.API, app.Scheduler)
	first := b.start(t, b.config(at), app.Worker)
	const each = 10
	for i := range each {
		for chat := range 3 {
			b.asked(t, api, fmt.Sprintf("/api/v1/telegram?text=m%d&chat_id=%d", i, chat+1))
		}
	}
	must(t, s.WaitFor(b.ctx, func([]simtelegram.Call) bool { return len(s.Messages("")) >= 5 }))
	must(t, first.Stop(b.ctx))
	b.start(t, b.config(at), app.Worker)
	must(t, s.WaitFor(b.ctx, func([]simtelegram.Call) bool { return len(s.Messages("")) >= 3*each }))
	for chat := range 3 {
		for i, m := range s.Messages(fmt.Sprint(chat + 1)) {
			if m.Text != fmt.Sprintf("m%d", i) {
				t.Errorf("chat %d: message %d is %s", chat+1, i, m.Text)
			}
		}
	}
}

// Ensure the doctor tells a good token from a bad one, and from a Telegram that can't
// be reached, and asks only where there is something to ask for.
func TestDoctorAndTelegram(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s, at := b.messenger(t)
	look := func(role app.Role, change ...func(*configs.Config)) (found []app.Finding) {
		for _, f := range app.Doctor(b.ctx, app.DoctorOptions{Config: b.config(append([]func(*configs.Config){at}, change...)...), Roles: []app.Role{role}}) {
			if f.Check == "telegram.token" {
				found = append(found, f)
			}
		}
		return found
	}
	for role, silent := range map[app.Role]func(*configs.Config){
		app.Worker: func(c *configs.Config) { c.Worker.Queues = []string{"delivery"} },
		app.API:    func(c *configs.Config) { c.Telegram.Commands = false },
	} {
		if f := look(role); len(f) != 1 || f[0].Status != app.OK || !strings.Contains(f[0].Says, "@switchyard_bot") {
			t.Errorf("%s: found %+v", role, f)
		}
		if f := look(role, silent); f != nil {
			t.Errorf("%s: found %+v where there is nothing to ask for", role, f)
		}
	}
	if f := look(app.Worker, func(c *configs.Config) { c.Telegram.Token = configs.NewSecret("1:x") }); len(f) != 1 || f[0].Status != app.Fail || !strings.Contains(f[0].Do, "@BotFather") {
		t.Errorf("found %+v", f)
	}
	s.Fail(simtelegram.Fault{Drop: true})
	if f := look(app.Worker); len(f) != 1 || f[0].Status != app.Warn {
		t.Errorf("found %+v", f)
	}
}

// Ensure the demo has its own Telegram, in which a group gives commands, with a
// redis-server and without one.
func TestDemoTelegram(t *testing.T) {
	for name, path := range map[string]string{"with a redis-server": os.Getenv("PATH"), "without": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", path)
			d, tmp, err := startDemo(t, app.DemoOptions{})
			must(t, err)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			must(t, d.Telegram.Say(app.DemoChat, "/status"))
			must(t, d.Telegram.Say(app.DemoChat, "/block 192.0.2.44"))
			err = d.Telegram.WaitFor(ctx, func([]simtelegram.Call) bool {
				all := d.Telegram.Messages(app.DemoChat)
				return len(all) == 3 && strings.Contains(all[0].Text, "<b>demo</b> (online)")
			})
			if err != nil {
				t.Errorf("%v: %+v", err, d.Telegram.Ledger())
			}
			must(t, d.Stop(ctx))
			leftNothing(t, tmp)
		})
	}
}
