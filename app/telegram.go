package app

import (
	"context"
	"fmt"
	"log/slog"

	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/limits"
	"switchyard/orders"
	"switchyard/telegram"
	"switchyard/telegram/chatbot"
	"switchyard/worker"
)

// messages sets up what executes the messages to chats.
func (a *App) messages(log *slog.Logger) (*worker.Telegram, error) {
	if err := a.openBot(); err != nil {
		return nil, err
	}
	return &worker.Telegram{
		Client: a.bot, Windows: limits.NewWindows(a.rdb, nil), Moves: telegram.Moves{Client: a.rdb}, Config: a.cfg.Telegram, Log: log, Events: a.events,
	}, nil
}

// listenToChats takes commands from chats until ctx ends, if that is configured.
func (a *App) listenToChats(ctx context.Context) error {
	if !a.cfg.Telegram.Commands {
		return nil
	}
	if err := a.openBot(); err != nil {
		return err
	}
	b := chatbot.New(chatbot.Options{
		Client: a.bot, Redis: a.rdb, Store: a.store, Registry: a.registry, Config: a.cfg, Holder: jobs.NewID(a.store.Now()),
		Desk: &orders.Desk{Store: a.store, Registry: a.registry, Directory: hosts.NewDirectory(a.registry, a.store.Now), Config: a.cfg},
		Log:  a.log.With("role", "chatbot"), Toggles: a.opt.Files.Toggles(), Meter: a.meter,
	})
	a.byClock.Go(func() { b.Run(ctx) })
	return nil
}

// openBot makes the client that the process' roles share.
func (a *App) openBot() (err error) {
	if a.bot != nil {
		return nil
	}
	if a.bot, err = telegram.New(a.cfg.Telegram, "switchyard/"+a.opt.Version); err != nil {
		return fmt.Errorf("setting up Telegram: %w", err)
	}
	return nil
}
