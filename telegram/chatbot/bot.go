package chatbot

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/configs"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/metrics"
	"switchyard/orders"
	"switchyard/tasks"
	"switchyard/telegram"
)

// Options of a Bot.
type Options struct {
	Client   *telegram.Client
	Redis    redis.UniversalClient
	Store    *jobs.Store
	Registry *hosts.Registry
	Desk     *orders.Desk
	Config   *configs.Config
	// Holder tells this process from all others.
	Holder string
	Log    *slog.Logger
	// Toggles hears of each toggle that is asked for, beside Log. Optional.
	Toggles *slog.Logger
	// Meter counts what is accepted. Optional.
	Meter *metrics.Metrics
	// Lease is how long the turn of a process that is gone lasts on. Defaults to 6s.
	Lease time.Duration
}

// Bot takes commands. Make one with New, and Run it once.
type Bot struct {
	opt   Options
	moves telegram.Moves
	name  string // the bot's, without @
	// strangers are chats whose ids were logged.
	strangers map[string]bool
}

// New returns a bot that doesn't listen yet.
func New(opt Options) *Bot {
	if opt.Lease == 0 {
		opt.Lease = 6 * time.Second
	}
	if opt.Toggles == nil {
		opt.Toggles = slog.New(slog.DiscardHandler)
	}
	return &Bot{opt: opt, moves: telegram.Moves{Client: opt.Redis}, strangers: map[string]bool{}}
}

const (
	// offsetKeep is how long the number of the last update is remembered. After a
	// week without any, Telegram's numbers begin anew anywhere.
	offsetKeep = 24 * time.Hour
	// errorPause is the pause after an error, firstPause the first one.
	errorPause = 15 * time.Second
	firstPause = 500 * time.Millisecond
	// yieldTimeout bounds a stopping process' last word.
	yieldTimeout = time.Second
)

func (b *Bot) key(what string) string {
	return jobs.Prefix + "telegram:" + what + ":" + b.opt.Client.ID()
}

// Run takes commands until ctx ends, whenever it is this process' turn.
func (b *Bot) Run(ctx context.Context) {
	l := lease{b.opt.Redis, b.key("poller"), b.opt.Holder, b.opt.Lease}
	said := false
	for ctx.Err() == nil {
		ok, err := l.take(ctx)
		switch {
		case err != nil && !said && ctx.Err() == nil:
			b.opt.Log.Warn("no chat is listened to from here until Redis is back", "err", err)
			said = true
		case ok:
			said = false
			b.opt.Log.Info("listening to chats")
			b.turn(ctx, l)
		}
		rest(ctx, b.opt.Lease/3)
	}
}

// turn listens for as long as the lease is ours.
func (b *Bot) turn(ctx context.Context, l lease) {
	ctx, cancel := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		defer cancel()
		l.keep(ctx)
	})
	b.listen(ctx)
	cancel()
	keeping.Wait()
	leaving, stop := context.WithTimeout(context.WithoutCancel(ctx), yieldTimeout)
	defer stop()
	if err := l.yield(leaving); err != nil {
		b.opt.Log.Debug("another process has to wait for its turn", "err", err)
	}
}

// listen asks for updates and handles them until ctx ends.
func (b *Bot) listen(ctx context.Context) {
	pause := firstPause
	var offset int64
	read := false
	var last time.Time
	for ctx.Err() == nil {
		err := b.know(ctx)
		if err == nil && !read {
			offset, err = b.offset(ctx)
			read = err == nil
		}
		var updates []telegram.Update
		if err == nil {
			if time.Since(last) > offsetKeep && !last.IsZero() {
				offset = 0
			}
			updates, err = b.opt.Client.Updates(ctx, offset, b.opt.Config.Telegram.PollTimeout.Std())
		}
		if err != nil {
			if ctx.Err() == nil {
				pause = b.trouble(ctx, err, pause)
			}
			continue
		}
		pause = firstPause
		for _, u := range updates {
			if !b.settle(ctx, u) {
				return
			}
			offset, last = u.ID+1, time.Now()
			b.remember(ctx, offset)
		}
	}
}

// trouble waits after an error, and says the first one.
func (b *Bot) trouble(ctx context.Context, err error, pause time.Duration) time.Duration {
	if pause == firstPause {
		b.opt.Log.Warn("chats can't be listened to; trying again", "err", err)
	}
	var refusal *telegram.Error
	if errors.As(err, &refusal) && refusal.RetryAfter > pause {
		rest(ctx, refusal.RetryAfter)
	} else {
		rest(ctx, pause)
	}
	return min(2*pause, errorPause)
}

// know asks who the bot is: in groups, commands name the bot that they are for.
func (b *Bot) know(ctx context.Context) (err error) {
	if b.name == "" {
		b.name, err = b.opt.Client.Me(ctx)
	}
	return err
}

// offset is where the process before has stopped; 0 where that isn't known: Telegram
// knows what was confirmed.
func (b *Bot) offset(ctx context.Context) (int64, error) {
	n, err := b.opt.Redis.Get(ctx, b.key("offset")).Int64()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	return n, err
}

// remember notes which update is next. Where that fails, the next process handles
// the last ones again, to no effect.
func (b *Bot) remember(ctx context.Context, offset int64) {
	if err := b.opt.Redis.Set(ctx, b.key("offset"), strconv.FormatInt(offset, 10), offsetKeep).Err(); err != nil {
		b.opt.Log.Debug("the last update isn't noted", "err", err)
	}
}

// settle handles an update, and repeats that until Redis has taken what comes of it;
// false: ctx ended before. What fails otherwise is logged, and left.
func (b *Bot) settle(ctx context.Context, u telegram.Update) bool {
	for {
		err := b.handle(ctx, u)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		case !errors.Is(err, jobs.ErrUnavailable) && !errors.Is(err, hosts.ErrUnavailable):
			b.opt.Log.Error("a command failed", "update", u.ID, "chat", u.Chat, "err", err)
			return true
		}
		rest(ctx, firstPause)
	}
}

// handle does what an update asks for.
func (b *Bot) handle(ctx context.Context, u telegram.Update) error {
	if u.MovedTo != 0 && u.Chat != "" {
		if err := b.moves.Note(ctx, u.Chat, u.MovedTo); err != nil {
			return errors.Join(jobs.ErrUnavailable, err)
		}
		return nil
	}
	if u.Chat == "" {
		return nil
	}
	c, ok := b.parse(u)
	if !ok {
		return nil
	}
	listed, err := b.listed(ctx, u.Chat)
	if err != nil {
		return err
	}
	if !listed {
		b.stranger(u.Chat)
		return nil
	}
	a, err := b.do(ctx, c)
	if err != nil {
		return err
	}
	p := tasks.TelegramPayload{ChatID: u.Chat, Text: a.text, HTML: true, Buttons: a.buttons}
	if _, err := b.accept(ctx, c, "answer", tasks.NewTelegramAnswer(p)); err != nil {
		return err
	}
	if u.Query != "" {
		if err := b.opt.Client.Acknowledge(ctx, u.Query, a.short); err != nil && ctx.Err() == nil {
			b.opt.Log.Debug("the press of a button isn't acknowledged", "chat", u.Chat, "err", err)
		}
	}
	return nil
}

// listed reports whether the chat may give commands: it is one of the configured
// ones, or what one of them has become.
func (b *Bot) listed(ctx context.Context, chat string) (bool, error) {
	all := b.opt.Config.Telegram.Chats
	if slices.Contains(all, chat) {
		return true, nil
	}
	for _, x := range all {
		now, err := b.moves.Of(ctx, x)
		if err != nil {
			return false, errors.Join(jobs.ErrUnavailable, err)
		}
		if now == chat {
			return true, nil
		}
	}
	return false, nil
}

// mostStrangers is how many chats are remembered as logged.
const mostStrangers = 1000

// stranger logs the chat's id, once, for whoever wants to list it.
func (b *Bot) stranger(chat string) {
	if b.strangers[chat] || len(b.strangers) >= mostStrangers {
		return
	}
	b.strangers[chat] = true
	b.opt.Log.Info("a command came from a chat that telegram.chats doesn't name; it gets no answer", "chat", chat)
}

// accept makes a job of a draft, once for the update.
func (b *Bot) accept(ctx context.Context, c command, what string, d tasks.Draft) (jobs.Accepted, error) {
	a, err := b.opt.Store.Accept(ctx, jobs.Request{Draft: d, IdempotencyScope: b.scope(c, what), Fingerprint: []byte(what)})
	if err != nil {
		return a, err
	}
	b.opt.Meter.Accepted(string(d.Type), a.Joined, a.Replayed)
	if d.Type == tasks.Toggle {
		b.opt.Toggles.InfoContext(ctx, "toggle accepted", "host", d.Host, "subnet", d.Subnet, "port", tasks.Port(d.Subnet), "chat", c.chat,
			"job", a.ID, "joined", a.Joined, "replayed", a.Replayed)
	}
	if d.Type != tasks.Telegram {
		b.opt.Log.Info("job accepted", "job", a.ID, "type", d.Type, "chat", c.chat, "joined", a.Joined)
	}
	return a, nil
}

// scope is what a part of an update is accepted under.
func (b *Bot) scope(c command, what string) string {
	return "telegram:" + b.opt.Client.ID() + ":" + strconv.FormatInt(c.update, 10) + ":" + what
}

// rest waits for d, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
