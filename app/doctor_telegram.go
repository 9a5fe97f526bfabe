package app

import (
	"context"
	"errors"
	"slices"

	"switchyard/configs"
	"switchyard/tasks"
	"switchyard/telegram"
)

// telegramFindings examines whether the bot can work here, where a token is
// configured. It asks Telegram who the bot is.
func telegramFindings(ctx context.Context, opt DoctorOptions) []Finding {
	c := opt.Config.Telegram
	sends := slices.Contains(opt.Roles, Worker) && slices.Contains(sharedQueues(opt.Config), tasks.QueueInteractive)
	listens := slices.Contains(opt.Roles, API) && c.Commands
	if c.Token.IsZero() || !sends && !listens {
		return nil
	}
	return []Finding{check{"telegram.token", func(ctx context.Context) Finding { return botToken(ctx, c) }}.run(ctx)}
}

func botToken(ctx context.Context, c configs.Telegram) Finding {
	client, err := telegram.New(c, "switchyard-doctor")
	if err != nil {
		return fail(err.Error(), "correct telegram.base_url")
	}
	defer client.Close()
	name, err := client.Me(ctx)
	var refusal *telegram.Error
	switch {
	case err == nil:
		return ok("Telegram takes it: the bot is @" + name + "; which chats it may write to, only a message shows")
	case errors.As(err, &refusal) && refusal.Final():
		return fail(err.Error(), "give it the token that @BotFather shows for the bot")
	}
	return warn(err.Error(), "see that api.telegram.org can be reached from here (HTTPS), and try again")
}
