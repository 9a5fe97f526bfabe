package chatbot_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"switchyard/configs"
	"switchyard/events"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/orders"
	"switchyard/sim/redisserver"
	simtelegram "switchyard/sim/telegram"
	"switchyard/tasks"
	"switchyard/telegram"
	"switchyard/telegram/chatbot"
)

// Nothing that a test starts outlives it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	token = "110201543:made-for-this-test"
	group = "-1001234567890"
)

// bundle is a Telegram, a host of dongles 11 and 12 that nobody works for, and what
// bots accept.
type bundle struct {
	ctx    context.Context
	rdb    *redis.Client
	sim    *simtelegram.Server
	store  *jobs.Store
	hosts  *hosts.Registry
	config *configs.Config
	log    *strings.Builder
	logger *slog.Logger
}

func setup(t *testing.T, change ...func(*configs.Config)) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "no"})
	must(t, err)
	t.Cleanup(srv.Stop)
	b := &bundle{ctx: ctx, config: configs.Default(), log: &strings.Builder{}}
	b.rdb = redis.NewClient(&redis.Options{Addr: srv.Addr()})
	t.Cleanup(func() { _ = b.rdb.Close() })
	b.sim, err = simtelegram.Start(ctx, "127.0.0.1:0", simtelegram.Options{Token: token})
	must(t, err)
	t.Cleanup(func() { must(t, b.sim.Close()) })
	b.store = jobs.NewStore(jobs.Options{
		Client: b.rdb, Hub: events.NewHub(), Retention: time.Hour, MaxPerType: 1000, EventStream: 1000, IdempotencyWindow: time.Hour, MaxCrashes: 3, ProcessTTL: time.Minute,
	})
	t.Cleanup(func() { _ = b.store.Close() })
	b.hosts = hosts.New(b.rdb, time.Minute)
	now := b.store.Now()
	info := hosts.Info{Name: "seoul-1", ServerIP: "198.51.100.7", Machine: "m", Process: "p", Dongles: []int{11, 12}, Seen: now, Started: now}
	_, err = b.hosts.Claim(ctx, info)
	must(t, err)
	must(t, b.hosts.Register(ctx, info))
	c := &b.config.Telegram
	c.Token, c.BaseURL, c.Commands, c.Chats = configs.NewSecret(token), b.sim.URL(), true, []string{"42", group}
	for _, f := range change {
		f(b.config)
	}
	b.logger = slog.New(slog.NewTextHandler(&locked{w: b.log}, nil))
	return b
}

// locked has several write to one log.
type locked struct {
	mu sync.Mutex
	w  *strings.Builder
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// listen runs a bot until the test, or the returned function, ends it.
func (b *bundle) listen(t *testing.T, holder string) (stop func()) {
	t.Helper()
	client, err := telegram.New(b.config.Telegram, "switchyard/test")
	must(t, err)
	bot := chatbot.New(chatbot.Options{
		Client: client, Redis: b.rdb, Store: b.store, Registry: b.hosts, Config: b.config, Holder: holder, Lease: 300 * time.Millisecond,
		Desk: &orders.Desk{Store: b.store, Registry: b.hosts, Directory: hosts.NewDirectory(b.hosts, b.store.Now), Config: b.config}, Log: b.logger,
	})
	ctx, cancel := context.WithCancel(b.ctx)
	var running sync.WaitGroup
	running.Go(func() { bot.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); running.Wait(); client.Close() })
	t.Cleanup(stop)
	return stop
}

// all are the jobs of a type, the oldest first.
func (b *bundle) all(t *testing.T, typ tasks.Type) []*jobs.Job {
	t.Helper()
	page, err := b.store.List(b.ctx, jobs.Filter{Type: typ}, 200, "")
	must(t, err)
	slices.Reverse(page.Jobs)
	return page.Jobs
}

// answers are what a chat is told, the oldest first.
func (b *bundle) answers(t *testing.T, chat string) (out []tasks.TelegramPayload) {
	t.Helper()
	for _, j := range b.all(t, tasks.Telegram) {
		var p tasks.TelegramPayload
		must(t, json.Unmarshal(j.Payload, &p))
		if p.ChatID == chat {
			out = append(out, p)
		}
	}
	return out
}

// says has somebody write in a chat, and returns the answer.
func (b *bundle) says(t *testing.T, chat, text string) tasks.TelegramPayload {
	t.Helper()
	n := len(b.answers(t, chat))
	must(t, b.sim.Say(chat, text))
	b.eventually(t, text+" is answered", func() bool { return len(b.answers(t, chat)) > n })
	return b.answers(t, chat)[n]
}

func (b *bundle) eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Ensure commands become the jobs that HTTP makes of the same wish, and that each is
// answered in its chat.
func TestCommands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.listen(t, "a")
	for _, tt := range []struct{ text, want string }{
		{"/help", "<b>/toggle 16</b>"},
		{"/toggle 11", "Toggle of dongle 11: accepted. <code>j_"},
		{"/toggle@switchyard_bot 10011 SEOUL-1", "Toggle of dongle 11: is under way already"},
		{"/toggle 16", "Host seoul-1 has no dongle 16."},
		{"/toggle 31", "A dongle is named by its subnet"},
		{"/toggle", "Name the dongle"},
		{"/toggle 11 busan", "No such host has registered."},
		{"/toggle 11 <b>", "No such host has registered."},
		{"/block 192.0.2.44", "Block of 192.0.2.44: accepted. <code>j_"},
		{"/BLOCK ::ffff:192.0.2.44", "Block of 192.0.2.44: is under way already"},
		{"/release 2001:db8::/48", "Release of 2001:db8::/48: accepted."},
		{"/search 192.0.2.0/24", "Search of 192.0.2.0/24: accepted."},
		{"/block 198.51.100.7", "belongs to the proxy host seoul-1."},
		{"/block 10.0.0.1", "10.0.0.1 is refused"},
		{"/block <i>", "&lt;i&gt; is not an IPv4 or IPv6 address"},
		{"/block", "Name one address, such as /block 192.0.2.44."},
		{"/status", "<b>seoul-1</b> (online), 0 of 2 dongles connected\n11: no connectivity, toggle queued\n12: no connectivity"},
		{"/cancel", "Name the job"},
		{"/cancel j_01k9zd3v5y8m1q2r3s4t5v6w7x", "This chat has no such job."},
		{"/frobnicate", "There is no such command."},
	} {
		if got := b.says(t, group, tt.text); !strings.Contains(got.Text, tt.want) || !got.HTML {
			t.Errorf("%s: %q, want %q", tt.text, got.Text, tt.want)
		}
	}
	toggles, blocks := b.all(t, tasks.Toggle), b.all(t, tasks.CFBlock)
	if len(toggles) != 1 || toggles[0].ChatID != group || toggles[0].Host != "seoul-1" || toggles[0].Subnet != 11 || toggles[0].Expires.IsZero() {
		t.Errorf("toggles %+v", toggles)
	}
	if len(blocks) != 1 || blocks[0].OrderKey != tasks.ChatKey(group) || string(blocks[0].Payload) != `{"ip":"192.0.2.44"}` {
		t.Errorf("blocks %+v", blocks)
	}
	got := b.says(t, group, "/jobs")
	if strings.Count(got.Text, "\n") != 3 || !strings.Contains(got.Text, "toggle 11 of seoul-1: <b>queued</b> <code>"+toggles[0].ID) || len(got.Buttons) != 3 {
		t.Errorf("/jobs: %+v", got)
	}
	if got := b.says(t, group, "/cancel "+toggles[0].ID); got.Text != "Toggle 11 of seoul-1 is cancelled." {
		t.Errorf("/cancel: %q", got.Text)
	}
	if got := b.says(t, group, "/cancel "+toggles[0].ID); got.Text != "Toggle 11 of seoul-1 has ended already: cancelled." {
		t.Errorf("/cancel again: %q", got.Text)
	}
	// Another chat's is none of this one's.
	for text, want := range map[string]string{"/cancel " + blocks[0].ID: "This chat has no such job.", "/jobs": "This chat has asked for nothing yet."} {
		if got := b.says(t, "42", text); got.Text != want {
			t.Errorf("%s: %q", text, got.Text)
		}
	}
}

// Ensure chats that aren't listed get neither jobs nor answers, that their ids are
// logged once, and that talk that is no command of this bot's is passed over.
func TestStrangers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.listen(t, "a")
	for _, x := range []struct{ chat, text string }{
		{"666", "/toggle 11"}, {"666", "/help"}, {group, "hello"}, {group, "/status@another_bot"}, {"42", ""}, {"42", "toggle 11"},
	} {
		must(t, b.sim.Say(x.chat, x.text))
	}
	must(t, b.sim.SayAt("42", "/toggle 12", time.Now().Add(-time.Hour)))
	b.eventually(t, "the old one is answered", func() bool { return len(b.answers(t, "42")) > 0 })
	b.says(t, "42", "/help") // they come in order
	if n := len(b.all(t, tasks.Toggle)); n != 0 {
		t.Errorf("%d toggles", n)
	}
	old := b.answers(t, "42")
	if len(old) != 2 || !strings.Contains(old[0].Text, "Send it again") || len(b.answers(t, "666"))+len(b.answers(t, group)) != 0 {
		t.Errorf("answers %+v", old)
	}
	if n := strings.Count(b.log.String(), "chat=666"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, b.log)
	}
}

// Ensure a listed group may give commands after it has become a supergroup.
func TestMovedGroup(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Telegram.Chats = []string{"-7"} })
	b.listen(t, "a")
	must(t, b.sim.Upgrade("-7", group))
	if got := b.says(t, group, "/jobs"); !strings.HasPrefix(got.Text, "This chat has asked") {
		t.Errorf("%+v", got)
	}
}

// failing spares some commands that touch a key, and refuses the one behind them.
type failing struct {
	redis.Hook
	key   string
	spare atomic.Int32 // below 0: it refuses none any more
}

func (*failing) DialHook(next redis.DialHook) redis.DialHook { return next }
func (*failing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (f *failing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, c redis.Cmder) error {
		if args := c.Args(); len(args) > 1 && args[1] == f.key && c.Name() != "exists" && f.spare.Add(-1) == -1 {
			err := errors.New("out of reach for this test")
			c.SetErr(err)
			return err
		}
		return next(ctx, c)
	}
}

// Ensure what a chat has said is not lost to a Redis that is away for a moment: that
// it has moved, and that it wants a job cancelled that it asked for before it moved.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Telegram.Chats = []string{"-7"} })
	away := &failing{key: jobs.Prefix + "telegram:moved:-7"}
	away.spare.Store(-1)
	b.rdb.AddHook(away)
	b.listen(t, "a")
	b.says(t, "-7", "/toggle 11")
	toggle := b.all(t, tasks.Toggle)[0]
	away.spare.Store(0)
	must(t, b.sim.Upgrade("-7", group))
	b.eventually(t, "the bot was told", func() bool { return b.rdb.Exists(b.ctx, away.key).Val() == 1 && away.spare.Load() < 0 })
	away.spare.Store(1) // whether the chat is listed is read, whether the job is its own isn't
	if got := b.says(t, group, "/cancel "+toggle.ID); got.Text != "Toggle 11 of seoul-1 is cancelled." {
		t.Errorf("/cancel: %q", got.Text)
	}
}

// Ensure a button gives its command for the chat that its message is in, and that
// its press is acknowledged.
func TestButtons(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.listen(t, "a")
	client, err := telegram.New(b.config.Telegram, "test")
	must(t, err)
	t.Cleanup(client.Close)
	again := []tasks.TelegramButton{{Text: "Toggle again", Command: "toggle 11 seoul-1"}}
	id, err := client.Send(b.ctx, telegram.Message{Chat: group, Text: "x", Buttons: again})
	must(t, err)
	must(t, b.sim.Press(id, "toggle 11 seoul-1"))
	b.eventually(t, "there is an answer", func() bool { return len(b.answers(t, group)) == 1 })
	toggles := b.all(t, tasks.Toggle)
	got := b.answers(t, group)[0]
	if len(toggles) != 1 || toggles[0].ChatID != group || len(got.Buttons) != 1 || got.Buttons[0].Command != "cancel "+toggles[0].ID {
		t.Fatalf("%+v, %+v", toggles, got)
	}
	must(t, b.sim.WaitFor(b.ctx, func(all []simtelegram.Call) bool {
		last := all[len(all)-1]
		return last.Method == "answerCallbackQuery" && last.Status == 200
	}))
}

// Ensure of many processes one listens, that another goes on when it is gone, and
// that nothing is done twice or lost meanwhile.
func TestOneListens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stop := b.listen(t, "a")
	b.says(t, "42", "/help")
	b.listen(t, "b")
	b.listen(t, "c")
	b.says(t, "42", "/block 192.0.2.1")
	if holder := b.rdb.Get(b.ctx, jobs.Prefix+"telegram:poller:110201543").Val(); holder != "a" {
		t.Errorf("%q listens", holder)
	}
	must(t, b.sim.Say("42", "/block 192.0.2.2"))
	stop()
	must(t, b.sim.Say("42", "/block 192.0.2.3"))
	b.eventually(t, "all are accepted", func() bool { return len(b.all(t, tasks.CFBlock)) == 3 })
	b.says(t, "42", "/help")
	if n := len(b.answers(t, "42")); n != 5 {
		t.Errorf("%d answers, want 5", n)
	}
}

// Ensure an update that a process was killed with, after it was handled and before
// that was noted, is handled again to no effect: even where what it asked for has
// ended meanwhile.
func TestHandledOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sim.Fail(simtelegram.Fault{Method: "getUpdates", Hang: true, After: 1}) // nothing gets confirmed
	stop := b.listen(t, "a")
	b.says(t, "42", "/toggle 11")
	stop()
	b.sim.Recover()
	toggle := b.all(t, tasks.Toggle)[0]
	_, err := b.store.Cancel(b.ctx, toggle.ID)
	must(t, err)
	must(t, b.rdb.Del(b.ctx, jobs.Prefix+"telegram:offset:110201543").Err())
	if n := b.sim.Pending(); n != 1 {
		t.Fatalf("%d updates are pending; want 1", n)
	}
	b.listen(t, "b")
	b.says(t, "42", "/help")
	if toggles, answers := b.all(t, tasks.Toggle), b.answers(t, "42"); len(toggles) != 1 || len(answers) != 2 {
		t.Errorf("%d toggles, %d answers", len(toggles), len(answers))
	}
}

// Ensure what goes wrong at Telegram is waited out, shows no token, and is said once.
func TestTrouble(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sim.Fail(simtelegram.Fault{Method: "getMe", Status: 401, Description: "Unauthorized", Times: 1})
	b.sim.Fail(simtelegram.Fault{Method: "getUpdates", Status: 502, HTML: true, Times: 1})
	b.listen(t, "a")
	b.says(t, "42", "/help")
	if log := b.log.String(); strings.Count(log, "level=WARN") != 1 || strings.Contains(log, "made-for-this-test") {
		t.Errorf("log:\n%s", log)
	}
}
