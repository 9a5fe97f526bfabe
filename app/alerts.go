package app

import (
	"context"
	"fmt"
	"html"
	"log/slog"
	"os"
	"slices"
	"time"

	"switchyard/alerts"
	"switchyard/configs"
	"switchyard/delivery"
	"switchyard/events"
	"switchyard/scheduler"
	"switchyard/tasks"
	"switchyard/vitals"
	"switchyard/webhooks"
)

// alertRules are the rules as configured.
func alertRules(c configs.Alerts) alerts.Rules {
	value := func(v configs.AlertValue) alerts.Rule {
		return alerts.Rule{
			Enabled: v.Enabled, Level: events.AlertLevel(v.Level), Threshold: float64(v.Threshold), Hysteresis: float64(v.Hysteresis), For: v.For.Std(),
		}
	}
	state := func(s configs.AlertState) alerts.Rule {
		return alerts.Rule{Enabled: s.Enabled, Level: events.AlertLevel(s.Level), For: s.For.Std()}
	}
	event := func(e configs.AlertEvent) alerts.Rule {
		return alerts.Rule{Enabled: e.Enabled, Level: events.AlertLevel(e.Level)}
	}
	return alerts.Rules{
		alerts.CPU: value(c.CPU), alerts.Memory: value(c.Memory), alerts.Disk: value(c.Disk),
		alerts.QueueBacklog: value(c.QueueBacklog), alerts.PoorSignal: value(c.PoorSignal),
		alerts.HostOffline: state(c.HostOffline), alerts.DongleLost: state(c.DongleLost),
		alerts.ToggleFailed: event(c.ToggleFailed), alerts.DeliveryFailed: event(c.DeliveryFailed), alerts.ExchangeBan: event(c.ExchangeBan),
	}
}

// alertBook is the book of alerts.
func (a *App) alertBook() *alerts.Book { return alerts.NewBook(a.rdb, a.store.Now) }

// watch is what looks at what may go wrong, of a scheduler.
func (a *App) watch(log *slog.Logger) *scheduler.Watch {
	return &scheduler.Watch{
		Store: a.store, Registry: a.registry, Book: a.alertBook(), Rules: alertRules(a.cfg.Alerts), Interval: a.cfg.Alerts.Interval.Std(), Route: a.routeAlert, Log: log,
	}
}

// watchMachine looks at the machine of a process that is no proxy host's: those tell
// how they are with their heartbeats.
func (a *App) watchMachine(ctx context.Context) {
	name, err := os.Hostname()
	if err != nil {
		a.log.Warn("no alerts about this machine: it has no name", "err", err)
		return
	}
	book, rules := a.alertBook(), alertRules(a.cfg.Alerts)
	t := time.NewTicker(a.cfg.Alerts.Interval.Std())
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		s, err := vitals.Read(ctx)
		if err == nil {
			bound, cancel := context.WithTimeout(ctx, a.cfg.Redis.CommandTimeout.Std())
			_, err = book.Observe(bound, rules, rules.Machine(name, s.CPU, s.Memory, s.Disk)...)
			cancel()
		}
		if err != nil && ctx.Err() == nil {
			a.log.Debug("this machine could not be looked at", "err", err)
		}
	}
}

// banned raises an alert when an exchange has shut out the address that this process
// calls from: nothing is sent there from it for a while.
func (a *App) banned(log *slog.Logger) func(exchangeName, address string, d time.Duration) {
	book, rules := a.alertBook(), alertRules(a.cfg.Alerts)
	return func(exchangeName, address string, d time.Duration) {
		ctx, cancel := context.WithTimeout(context.Background(), a.cfg.Redis.CommandTimeout.Std())
		defer cancel()
		until := a.store.Now().Add(d).UTC()
		_, err := book.Observe(ctx, rules, alerts.Observation{
			Kind: alerts.ExchangeBan, Subject: exchangeName + " " + address, Verdict: alerts.Bad, Until: until,
			Details: map[string]any{"exchange": exchangeName, "address": address, "until": until},
		})
		if err != nil {
			log.Error("an alert could not be raised", "exchange", exchangeName, "address", address, "until", until, "err", err)
		}
	}
}

// routeAlert is who is to be told, by the routes.
func (a *App) routeAlert(n alerts.News) map[string]tasks.Draft {
	out := map[string]tasks.Draft{}
	in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	for _, r := range a.cfg.Alerts.Routes {
		if !in(r.Levels, string(n.Alert.Level)) || !in(r.Sources, n.Alert.Source) {
			continue
		}
		title, text := a.alertWords(n)
		for _, chat := range r.Telegram {
			out["telegram:"+chat] = tasks.NewTelegramNotice(tasks.TelegramPayload{
				ChatID: chat, HTML: true, Text: "<b>" + html.EscapeString(title) + "</b>\n" + html.EscapeString(text),
			}, "")
		}
		for _, name := range r.Webhooks {
			w, ok := a.cfg.Webhooks.Receiver(name)
			if !ok {
				continue // the configuration was refused
			}
			kind := webhooks.Kind(w.Type)
			body, err := webhooks.Compose(kind, webhooks.Message{Text: title + "\n" + text, Variables: alertVariables(kind, n)}, nil, n.At)
			if err != nil {
				a.log.Error("an alert could not be worded", "id", n.Alert.ID, "webhook", name, "err", err)
				continue
			}
			p := tasks.CallbackPayload{URL: w.URL.Reveal(), Kind: tasks.HookKind(w.Type), Body: string(body)}
			out["webhook:"+name] = tasks.NewHook(p, delivery.Host(p.URL), a.hookLimit())
		}
	}
	return out
}

// alertVariables are what programs are told beside the words.
func alertVariables(kind webhooks.Kind, n alerts.News) map[string]string {
	if kind != webhooks.Generic {
		return nil
	}
	a := n.Alert
	return map[string]string{
		"alert_id": a.ID, "state": string(n.State), "kind": string(a.Kind), "subject": a.Subject, "level": string(a.Level), "source": a.Source,
		"category": a.Category, "title": a.TitleNow(), "raised_at": a.Raised.UTC().Format(tasks.MilliTime),
	}
}

// icons of the levels, and of what is over.
var icons = map[events.AlertLevel]string{events.Info: "ℹ️", events.Warning: "⚠️", events.Failure: "❗", events.Critical: "🚨"}

// alertWords are what people are told.
func (a *App) alertWords(n alerts.News) (title, text string) {
	icon := icons[n.Alert.Level]
	if n.State == alerts.Over {
		icon = "✅"
	}
	at := *tasks.LocalTime(n.At, a.cfg.Location())
	return icon + " " + n.Alert.TitleNow(), fmt.Sprintf("%s\n대상: %s\n시각: %s", n.Alert.MessageNow(), n.Alert.Subject, at)
}
