package app

import (
	"log/slog"

	"switchyard/limits"
	"switchyard/telegram"
	"switchyard/worker"
)

// messages sets up what executes the messages to chats.
func (a *App) messages(log *slog.Logger) (*worker.Telegram, error) {
	if err := a.startBot(); err != nil {
		return nil, err
	}
	return &worker.Telegram{
		Client: a.bot, Windows: limits.NewWindows(a.rdb, a.store.Now), Moves: telegram.Moves{Client: a.rdb}, Config: a.cfg.Telegram, Log: log,
	}, nil
}

// startBot makes the client that the process' roles share.
func (a *App) startBot() (err error) {
	if a.bot == nil {
		a.bot, err = telegram.New(a.cfg.Telegram, "switchyard/"+a.opt.Version)
	}
	return err
}
