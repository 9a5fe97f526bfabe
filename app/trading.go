package app

import (
	"log/slog"

	"switchyard/configs"
	"switchyard/intake"
	"switchyard/limits"
	"switchyard/trading/book"
	"switchyard/trading/execution"
	"switchyard/trading/pace"
	"switchyard/trading/venue"
)

// trading is how accounts and groups are configured now.
func (a *App) trading() configs.Trading { return a.live.Load().Trading }

// intake keeps what the trading webhook was sent.
func (a *App) intake() *intake.Store { return intake.New(a.rdb) }

// newTrader opens what executes orders.
func (a *App) newTrader(log *slog.Logger) *execution.Trader {
	pacer := &pace.Pacer{Limits: limits.New(a.rdb), Address: func() string { return a.trading().Address }, Log: log, Banned: a.banned(log)}
	a.venues = venue.New(venue.Options{
		Hooks: pacer.Hooks,
		Redis: a.rdb, Now: a.store.Now, UserAgent: "switchyard/" + a.opt.Version,
	})
	return &execution.Trader{
		Venues: a.venues, Book: book.New(a.rdb), Config: a.trading, Now: a.store.Now, Events: a.events, Observe: a.meter.Ordered, Log: log,
	}
}
