package app

import (
	"fmt"
	"log/slog"
	"time"

	"switchyard/configs"
	"switchyard/events"
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

// banned raises an alert when an exchange has shut out the address that this process
// calls from: nothing is sent there from it for a while.
func (a *App) banned(log *slog.Logger) func(exchangeName, address string, d time.Duration) {
	return func(exchangeName, address string, d time.Duration) {
		now := a.store.Now()
		until := now.Add(d).UTC()
		e, err := events.New(events.Alerts, events.AlertKind, now, events.Alert{
			Level: events.Critical, Category: "trading", Source: "exchange", Actions: []events.AlertAction{},
			Title:   fmt.Sprintf("%s has shut out an address", exchangeName),
			Message: fmt.Sprintf("%s answers nothing that comes from the address %q until %s. Orders for it wait, and fail when they are too old.", exchangeName, address, until.Format(time.RFC3339)),
			Metadata: map[string]any{
				"id": "exchange-ban:" + exchangeName + ":" + address, "exchange": exchangeName, "address": address, "until": until,
			},
		})
		if err != nil {
			log.Error("an alert could not be written", "err", err)
			return
		}
		a.events.Publish(e)
	}
}
