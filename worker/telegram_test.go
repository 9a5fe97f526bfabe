package worker_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/limits"
	simtelegram "switchyard/sim/telegram"
	"switchyard/tasks"
	"switchyard/telegram"
	"switchyard/worker"
)

const botToken = "110201543:made-for-this-test"

// mail is workers that send messages to a simulated Telegram.
type mail struct {
	*bundle
	sim     *simtelegram.Server
	config  configs.Telegram
	workers []*worker.Worker
}

// setupMail starts n workers, each with a bot of its own. There is no pause between
// messages but where a test wants one.
func setupMail(t *testing.T, n int, change ...func(*configs.Telegram)) *mail {
	t.Helper()
	p := &mail{bundle: setup(t), config: configs.Default().Telegram}
	s, err := simtelegram.Start(p.ctx, "127.0.0.1:0", simtelegram.Options{Token: botToken, Unlimited: true})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	p.sim = s
	c := &p.config
	c.Token, c.BaseURL = configs.NewSecret(botToken), s.URL()
	c.ChatPause, c.PerSecond = configs.Duration(time.Millisecond), 1000
	c.FirstRetry, c.MaxRetry = configs.Duration(time.Second), configs.Duration(time.Second)
	for _, f := range change {
		f(c)
	}
	for range n {
		p.workers = append(p.workers, p.postman(t))
	}
	return p
}

func (p *mail) postman(t *testing.T) *worker.Worker {
	t.Helper()
	client, err := telegram.New(p.config, "switchyard/test")
	must(t, err)
	t.Cleanup(client.Close)
	h := &worker.Telegram{
		Client: client, Windows: limits.NewWindows(p.rdb, nil), Moves: telegram.Moves{Client: p.rdb}, Config: p.config, Log: discard,
	}
	return p.start(t, nil, soon, func(o *worker.Options) {
		o.Queues = []worker.Queue{{Name: tasks.QueueInteractive, Concurrency: 4}}
		o.Handlers = map[tasks.Type]worker.Handler{tasks.Telegram: h.Handle}
	})
}

// send has a message accepted.
func (p *mail) send(t *testing.T, chat, text string) string {
	t.Helper()
	return p.accept(t, jobs.Request{Draft: tasks.NewTelegram(tasks.TelegramPayload{ChatID: chat, Text: text}, "")})
}

// texts are the messages that a chat got, in order.
func (p *mail) texts(chat string) (out []string) {
	for _, m := range p.sim.Messages(chat) {
		out = append(out, m.Text)
	}
	return out
}

func sentTo(t *testing.T, j *jobs.Job) tasks.TelegramResult {
	t.Helper()
	var r tasks.TelegramResult
	if err := json.Unmarshal(j.Result, &r); err != nil {
		t.Fatalf("job %+v: result %s: %v", j, j.Result, err)
	}
	return r
}

// Ensure messages to a chat arrive once each and in the order in which they were
// accepted, whichever worker sends them, and long ones as several.
func TestTelegram(t *testing.T) {
	t.Parallel()
	p := setupMail(t, 2)
	page := strings.Repeat("a", 4000)
	ids, want := map[string][]string{}, map[string][]string{}
	for i := range 6 {
		for _, chat := range []string{"42", "-7", "@operators"} {
			text := fmt.Sprint("message ", i)
			want[chat] = append(want[chat], text)
			if i == 3 {
				text += "\n" + page + "\n" + page
				want[chat][3] += "\n" + page
				want[chat] = append(want[chat], page)
			}
			ids[chat] = append(ids[chat], p.send(t, chat, text))
		}
	}
	for chat, list := range ids {
		for i, id := range list {
			j := p.ended(t, id)
			r := sentTo(t, j)
			if j.State != jobs.Completed || r.ChatID != chat || len(r.MessageIDs) != r.Parts || i == 3 && r.Parts != 2 || i != 3 && r.Parts != 1 {
				t.Errorf("%s %d: %+v, %+v", chat, i, j, r)
			}
		}
		if got := p.texts(chat); !slices.Equal(got, want[chat]) {
			t.Errorf("%s got %.200q", chat, got)
		}
	}
}

// Ensure what may pass is tried again, what Telegram refuses is final at once with
// its reason, and neither is sent twice.
func TestTelegram_failures(t *testing.T) {
	t.Parallel()
	p := setupMail(t, 1)
	for i, f := range []simtelegram.Fault{
		{Status: 500, Description: "Internal Server Error", Times: 1}, {Status: 502, HTML: true, Times: 2}, {Status: 504, HTML: true, Times: 1}, {Drop: true, Times: 1},
	} {
		chat := fmt.Sprint(10 + i)
		f.Chat = chat
		p.sim.Fail(f)
		j := p.ended(t, p.send(t, chat, "x"))
		if j.State != jobs.Completed || j.Tries != f.Times || len(p.texts(chat)) != 1 {
			t.Errorf("%+v: %+v", f, j)
		}
	}
	p.sim.Block("20", "Forbidden: bot was blocked by the user")
	p.sim.Fail(simtelegram.Fault{Chat: "21", Status: 400, Description: "Bad Request: chat not found"})
	for chat, words := range map[string]string{"20": "Forbidden: bot was blocked by the user (status 403)", "21": "Telegram knows no such chat"} {
		j := p.ended(t, p.send(t, chat, "x"))
		if j.State != jobs.Failed || j.Attempt != 1 || !strings.Contains(j.Error, words) || len(p.texts(chat)) != 0 {
			t.Errorf("%s: %+v", chat, j)
		}
	}
}

// Ensure a 429 is waited for as Telegram says, counts as no failed try, and keeps the
// messages behind it back, while other chats get theirs.
func TestTelegram_limited(t *testing.T) {
	t.Parallel()
	p := setupMail(t, 2)
	p.sim.Fail(simtelegram.Fault{Chat: "5", Status: 429, RetryAfter: 3000})
	first, second := p.send(t, "5", "first"), p.send(t, "5", "second")
	p.eventually(t, "the first waits", func() bool { return p.get(t, first).State == jobs.Retrying })
	p.sim.Recover()
	other := p.ended(t, p.send(t, "6", "other"))
	if other.State != jobs.Completed {
		t.Errorf("another chat: %+v", other)
	}
	if j := p.get(t, first); j.Tries != 0 || j.Error != "" {
		t.Errorf("%+v", j)
	}
	if j := p.get(t, second); j.State != jobs.Queued || !j.Waiting {
		t.Errorf("the one behind: %+v", j)
	}
	if n := len(p.sim.Ledger()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
	at := p.rdb.ZScore(p.ctx, limits.Prefix+"telegram:5", "shut").Val()
	if left := time.UnixMicro(int64(at)).Sub(p.store.Now()); left < 2000*time.Second || left > 3000*time.Second {
		t.Errorf("the chat is left alone for %s", left)
	}
}

// Ensure a 429 that is over has the message sent, once.
func TestTelegram_limitedOnce(t *testing.T) {
	t.Parallel()
	p := setupMail(t, 1)
	p.sim.Fail(simtelegram.Fault{Status: 429, RetryAfter: 1, Times: 1})
	j := p.ended(t, p.send(t, "5", "x"))
	if j.State != jobs.Completed || j.Tries != 0 || j.Attempt != 2 || len(p.texts("5")) != 1 {
		t.Errorf("%+v", j)
	}
}

// Ensure a group that has become a supergroup is followed, and that this is
// remembered.
func TestTelegram_migrated(t *testing.T) {
	t.Parallel()
	p := setupMail(t, 2)
	p.sim.Move("-7", "-1001234567890")
	for i := range 2 {
		j := p.ended(t, p.send(t, "-7", fmt.Sprint(i)))
		if r := sentTo(t, j); j.State != jobs.Completed || r.ChatID != "-1001234567890" || j.Tries != 0 {
			t.Errorf("%+v, %+v", j, r)
		}
	}
	if got := p.texts("-1001234567890"); !slices.Equal(got, []string{"0", "1"}) || len(p.sim.Ledger()) != 3 {
		t.Errorf("it got %q, by %d requests; want 3", got, len(p.sim.Ledger()))
	}
}

// Ensure that of a message in several parts a later try sends only what is left, that
// a failed one tells what was sent, and that one run again is sent as a whole.
func TestTelegram_parts(t *testing.T) {
	t.Parallel()
	p := setupMail(t, 1)
	page := func(s string) string { return strings.Repeat(s, 4096) }
	p.sim.Fail(simtelegram.Fault{Chat: "4", Status: 500, Times: 1})
	j := p.ended(t, p.send(t, "4", page("a")+"\n"+page("b")))
	if got := p.texts("4"); j.State != jobs.Completed || !slices.Equal(got, []string{page("a"), page("b")}) {
		t.Errorf("%d messages, %+v", len(got), j)
	}
	p.sim.Fail(simtelegram.Fault{Chat: "5", Status: 403, Description: "Forbidden: bot was blocked by the user", After: 1})
	id := p.send(t, "5", page("a")+"\n"+page("b")+"\n"+page("c"))
	j = p.ended(t, id)
	if r := sentTo(t, j); len(r.MessageIDs) != len(p.texts("5")) || r.Parts != 3 || len(r.MessageIDs) != 1 {
		t.Errorf("%d were sent: %+v", len(p.texts("5")), r)
	}
	p.sim.Recover()
	must(t, p.store.Reopen(p.ctx, id))
	p.eventually(t, "it has run again", func() bool { return p.get(t, id).State == jobs.Completed })
	if got := p.texts("5"); !slices.Equal(got[len(got)-3:], []string{page("a"), page("b"), page("c")}) {
		t.Errorf("%d messages", len(got))
	}
}

// Ensure a message that a worker was killed with is sent once more where it may have
// arrived, but never a third time, and that what is known to have arrived isn't sent
// again.
func TestTelegram_killed(t *testing.T) {
	t.Parallel()
	p := setupMail(t, 0)
	dead := p.store.NewProcess(true)
	left := func(chat, text string, so tasks.TelegramProgress) string {
		id := p.send(t, chat, text)
		c, verdict, err := p.store.Claim(p.ctx, jobs.TaskPayload{Job: id, Attempt: 1}, dead.NewOwner())
		must(t, err)
		if verdict != jobs.Run {
			t.Fatalf("verdict %v", verdict)
		}
		so.ChatID = chat
		must(t, c.Progress(p.ctx, so))
		must(t, c.Abandon(p.ctx)) // as its successor finds it
		return id
	}
	page := strings.Repeat("a", 4096)
	half := tasks.TelegramResult{Parts: 2, MessageIDs: []int64{7}}
	second := left("1", page+"\nb", tasks.TelegramProgress{TelegramResult: half})
	unsure := left("2", page+"\nb", tasks.TelegramProgress{TelegramResult: half, Unsure: 1})
	twice := left("3", page+"\nb", tasks.TelegramProgress{TelegramResult: half, Unsure: 2})
	p.postman(t)
	for _, id := range []string{second, unsure} {
		j := p.ended(t, id)
		if r := sentTo(t, j); j.State != jobs.Completed || len(r.MessageIDs) != 2 || r.MessageIDs[0] != 7 || !slices.Equal(p.texts(j.ChatID), []string{"b"}) {
			t.Errorf("%+v, %+v", j, r)
		}
	}
	if j := p.ended(t, twice); j.State != jobs.Failed || !strings.Contains(j.Error, "not again, unless") || len(p.texts("3")) != 0 {
		t.Errorf("%+v", j)
	}
}

// Ensure a Telegram that takes messages and loses its answers gets each twice at
// the most, and that the job says why it failed.
func TestTelegram_unsure(t *testing.T) {
	t.Parallel()
	p := setupMail(t, 1, func(c *configs.Telegram) { c.Timeout = configs.Duration(200 * time.Millisecond) })
	p.sim.Fail(simtelegram.Fault{Chat: "5", Done: true, Drop: true})
	p.sim.Fail(simtelegram.Fault{Chat: "6", Done: true, Hang: true, Times: 1})
	j := p.ended(t, p.send(t, "5", "x"))
	if n := len(p.texts("5")); j.State != jobs.Failed || n != 2 || !strings.Contains(j.Error, "sent twice without an answer") {
		t.Errorf("sent %d times: %+v", n, j)
	}
	j = p.ended(t, p.send(t, "6", "x"))
	if n := len(p.texts("6")); j.State != jobs.Completed || n != 2 {
		t.Errorf("sent %d times: %+v", n, j)
	}
}

// Ensure a worker that stops lets the message under way end, and that one waiting
// for its turn goes on elsewhere.
func TestTelegram_stopped(t *testing.T) {
	t.Parallel()
	p := setupMail(t, 1, func(c *configs.Telegram) { c.ChatPause = configs.Duration(time.Hour) })
	first, second := p.send(t, "5", "first"), p.send(t, "5", "second")
	p.ended(t, first)
	p.eventually(t, "the second waits", func() bool { s := p.get(t, second).State; return s == jobs.Running || s == jobs.Retrying })
	p.stop(t, p.workers[0])
	if j := p.get(t, second); j.State.Final() || j.Tries != 0 || len(p.sim.Ledger()) != 1 {
		t.Errorf("%+v", j)
	}
}

// Ensure a message that is cancelled while it waits for its turn is not sent.
func TestTelegram_cancelled(t *testing.T) {
	t.Parallel()
	p := setupMail(t, 1, func(c *configs.Telegram) { c.ChatPause = configs.Duration(time.Hour) })
	p.ended(t, p.send(t, "5", "first"))
	second := p.send(t, "5", "second")
	p.eventually(t, "the second waits", func() bool { return p.get(t, second).State == jobs.Retrying })
	_, err := p.store.Cancel(p.ctx, second)
	must(t, err)
	if j := p.ended(t, second); j.State != jobs.Cancelled || len(p.sim.Ledger()) != 1 {
		t.Errorf("%+v", j)
	}
}

// Ensure a message without a bot fails, and says what to do.
func TestTelegram_unconfigured(t *testing.T) {
	t.Parallel()
	p := setupMail(t, 1, func(c *configs.Telegram) { c.Token = configs.Secret{} })
	if j := p.ended(t, p.send(t, "5", "x")); j.State != jobs.Failed || !strings.Contains(j.Error, "set telegram.token") {
		t.Errorf("%+v", j)
	}
}
