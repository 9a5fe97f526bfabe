package chatbot

import (
	"context"
	"errors"
	"fmt"
	"html"
	"strconv"
	"strings"
	"time"

	"switchyard/jobs"
	"switchyard/orders"
	"switchyard/tasks"
	"switchyard/telegram"
)

// command is one that a chat gives.
type command struct {
	update int64
	chat   string
	name   string
	args   []string
	// at is when it was written; zero for a button.
	at time.Time
}

// answer is what a chat is told.
type answer struct {
	// text is HTML.
	text    string
	buttons []tasks.TelegramButton
	// short is plain, for whoever has pressed a button.
	short string
}

// tooOld is how old a command may be: what was asked for while nobody listened may
// be wanted no longer.
const tooOld = 10 * time.Minute

// help is the answer to /help, and to what is none of the commands.
const help = `<b>/status</b>: all hosts and dongles
<b>/toggle 16</b>: change the address of dongle 16; with several hosts, <b>/toggle 16 host</b>
<b>/block 192.0.2.44</b>, <b>/release 192.0.2.44</b>, <b>/search 192.0.2.44</b>: an address or range at Cloudflare
<b>/jobs</b>: what this chat has asked for
<b>/cancel id</b>: cancel one of those
<b>/help</b>: this`

// commands are all of them.
var commands = map[string]func(*Bot, context.Context, command) (answer, error){
	"help":    func(*Bot, context.Context, command) (answer, error) { return answer{text: help}, nil },
	"start":   func(*Bot, context.Context, command) (answer, error) { return answer{text: help}, nil },
	"status":  (*Bot).status,
	"toggle":  (*Bot).toggle,
	"block":   cloudflare(tasks.CFBlock),
	"release": cloudflare(tasks.CFRelease),
	"search":  cloudflare(tasks.CFSearch),
	"jobs":    (*Bot).jobs,
	"cancel":  (*Bot).cancel,
}

// parse reads a command; ok is false for what isn't one, or one for another bot.
func (b *Bot) parse(u telegram.Update) (c command, ok bool) {
	words := strings.Fields(u.Text)
	if len(words) == 0 {
		return command{}, false
	}
	name := words[0]
	if u.Query == "" {
		if name, ok = strings.CutPrefix(name, "/"); !ok {
			return command{}, false
		}
		var bot string
		if name, bot, ok = strings.Cut(name, "@"); ok && !strings.EqualFold(bot, b.name) {
			return command{}, false
		}
	}
	return command{update: u.ID, chat: u.Chat, name: strings.ToLower(name), args: words[1:], at: u.At}, true
}

// do does what a command asks for. What is refused is an answer; an error means that
// Redis is out of reach, or worse.
func (b *Bot) do(ctx context.Context, c command) (answer, error) {
	if !c.at.IsZero() && b.opt.Store.Now().Sub(c.at) > tooOld {
		return answer{text: "That was written while nobody listened. Send it again if it is still wanted."}, nil
	}
	f := commands[c.name]
	if f == nil {
		return answer{text: "There is no such command.\n" + help, short: "There is no such command."}, nil
	}
	a, err := f(b, ctx, c)
	var refusal *orders.RefusalError
	if errors.As(err, &refusal) {
		return answer{text: html.EscapeString(refusal.Words), short: refusal.Words}, nil
	}
	return a, err
}

// refuse is why a command can't be done.
func refuse(format string, args ...any) error {
	return &orders.RefusalError{Words: fmt.Sprintf(format, args...)}
}

func (b *Bot) toggle(ctx context.Context, c command) (answer, error) {
	if len(c.args) < 1 || len(c.args) > 2 {
		return answer{}, refuse("Name the dongle, such as /toggle 16, and where there are several hosts the host: /toggle 16 host.")
	}
	subnet, err := strconv.Atoi(c.args[0])
	if err == nil && subnet > tasks.MaxSubnet {
		subnet -= tasks.Port(0)
	}
	if err != nil || !tasks.ValidSubnet(subnet) {
		return answer{}, refuse("A dongle is named by its subnet, %d to %d, or its port.", tasks.MinSubnet, tasks.MaxSubnet)
	}
	t := orders.Toggle{Subnet: subnet, Chat: c.chat}
	if len(c.args) == 2 {
		if t.Host = strings.ToLower(c.args[1]); !tasks.ValidHost(t.Host) {
			return answer{}, refuse("No such host has registered.")
		}
	}
	return b.order(ctx, c, fmt.Sprintf("Toggle of dongle %d", subnet), func() (tasks.Draft, error) { return b.opt.Desk.Toggle(ctx, &t) })
}

// cloudflare is the command for jobs of this type.
func cloudflare(t tasks.Type) func(*Bot, context.Context, command) (answer, error) {
	return func(b *Bot, ctx context.Context, c command) (answer, error) {
		if len(c.args) != 1 {
			return answer{}, refuse("Name one address, such as /%s 192.0.2.44.", c.name)
		}
		target, err := tasks.ParseTarget(c.args[0])
		if err != nil {
			return answer{}, refuse("%s is not %v.", c.args[0], err)
		}
		what := strings.ToUpper(c.name[:1]) + c.name[1:] + " of " + target.String()
		return b.order(ctx, c, what, func() (tasks.Draft, error) { return b.opt.Desk.Cloudflare(ctx, t, target, c.chat) })
	}
}

// order makes a job of what draft returns. One that this update has made before is
// answered as then, whatever is said against it now.
func (b *Bot) order(ctx context.Context, c command, what string, draft func() (tasks.Draft, error)) (answer, error) {
	a, ok, err := b.opt.Store.Seen(ctx, b.scope(c, "job"), []byte("job"))
	if err != nil {
		return answer{}, err
	}
	if !ok {
		d, err := draft()
		if err != nil {
			return answer{}, err
		}
		if a, err = b.accept(ctx, c, "job", d); err != nil {
			return answer{}, err
		}
	}
	said := "accepted"
	if a.Joined {
		said = "is under way already, asked for before; you are told, too"
	}
	return answer{
		text:    fmt.Sprintf("%s: %s. <code>%s</code>", html.EscapeString(what), said, a.ID),
		short:   what + ": " + said + ".",
		buttons: []tasks.TelegramButton{{Text: "Cancel", Command: "cancel " + a.ID}},
	}, nil
}

func (b *Bot) cancel(ctx context.Context, c command) (answer, error) {
	if len(c.args) != 1 {
		return answer{}, refuse("Name the job, such as /cancel j_…; /jobs shows those of this chat.")
	}
	id := strings.ToLower(c.args[0])
	j, err := b.own(ctx, c.chat, id)
	if err != nil {
		return answer{}, err
	}
	state, err := b.opt.Store.Cancel(ctx, j.ID)
	said := "is cancelled"
	switch {
	case errors.Is(err, jobs.ErrFinal):
		said = "has ended already: " + string(state)
	case errors.Is(err, jobs.ErrUnknown):
		return answer{}, refuse("This chat has no such job.")
	case err != nil:
		return answer{}, err
	case state == jobs.Running:
		said = "is being cancelled"
	}
	return answer{text: fmt.Sprintf("%s %s.", html.EscapeString(sentence(about(j))), said), short: sentence(about(j)) + " " + said + "."}, nil
}

// own is a job that the chat has asked for, or joined.
func (b *Bot) own(ctx context.Context, chat, id string) (*jobs.Job, error) {
	none := refuse("This chat has no such job.")
	if !jobs.ValidID(id) {
		return nil, none
	}
	j, err := b.opt.Store.Get(ctx, id)
	if errors.Is(err, jobs.ErrUnknown) {
		return nil, none
	}
	if err != nil {
		return nil, err
	}
	chats, _, err := b.opt.Store.Audience(ctx, j)
	if err != nil {
		return nil, err
	}
	for _, x := range chats {
		now, err := b.moves.Of(ctx, x)
		switch {
		case x == chat || err == nil && now == chat:
			return j, nil
		case err != nil:
			return nil, errors.Join(jobs.ErrUnavailable, err)
		}
	}
	return nil, none
}
