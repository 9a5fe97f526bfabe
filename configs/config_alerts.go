package configs

import (
	"slices"
	"time"

	"switchyard/webhooks"
)

// Alerts are what people should know of, and who is told.
type Alerts struct {
	// Interval is the time between two looks. Defaults to 15s.
	Interval Duration `yaml:"interval"`
	// CPU, Memory and Disk of the machines of all processes, in percent of what there is.
	// Default to 90, 90 and 90 for 5m.
	CPU    AlertValue `yaml:"cpu"`
	Memory AlertValue `yaml:"memory"`
	Disk   AlertValue `yaml:"disk"`
	// QueueBacklog is about the jobs that wait in a queue. Defaults to 100 for 5m.
	QueueBacklog AlertValue `yaml:"queue_backlog"`
	// PoorSignal is about a dongle's RSRP in dBm, which is bad below the threshold.
	// Defaults to -110 for 10m.
	PoorSignal AlertValue `yaml:"poor_signal"`
	// HostOffline is about proxy hosts that are not heard of. Defaults to 1m.
	HostOffline AlertState `yaml:"host_offline"`
	// DongleLost is about dongles that have no connection. Defaults to 5m, which is longer
	// than a toggle takes.
	DongleLost AlertState `yaml:"dongle_lost"`
	// ToggleFailed is about toggles that failed at the last step.
	ToggleFailed AlertEvent `yaml:"toggle_failed"`
	// DeliveryFailed is about callbacks, webhooks and pushes that didn't arrive.
	DeliveryFailed AlertEvent `yaml:"delivery_failed"`
	// ExchangeBan is about exchanges that have shut out an address.
	ExchangeBan AlertEvent `yaml:"exchange_ban"`
	// Routes are who is told of which alerts beside the WebSocket's clients. Empty by
	// default.
	Routes []AlertRoute `yaml:"routes"`
}

// AlertValue is a rule about a value.
type AlertValue struct {
	Enabled bool `yaml:"enabled"`
	// Level is info, warning, error or critical.
	Level string `yaml:"level"`
	// Threshold that the value has to pass, for how long (For), and Hysteresis by which it
	// has to come back behind the threshold for the alert to be over.
	Threshold  int      `yaml:"threshold"`
	For        Duration `yaml:"for"`
	Hysteresis int      `yaml:"hysteresis"`
}

// AlertState is a rule about what is so, or is not.
type AlertState struct {
	Enabled bool     `yaml:"enabled"`
	Level   string   `yaml:"level"`
	For     Duration `yaml:"for"`
}

// AlertEvent is a rule about what happens.
type AlertEvent struct {
	Enabled bool   `yaml:"enabled"`
	Level   string `yaml:"level"`
}

// AlertRoute tells somebody of alerts, once when they are raised and once when they are
// over.
type AlertRoute struct {
	// Levels and Sources that it is for; empty: all.
	Levels  []string `yaml:"levels"`
	Sources []string `yaml:"sources"`
	// Telegram are chats, by their ids or @names.
	Telegram []string `yaml:"telegram"`
	// Webhooks are names of webhooks.receivers.
	Webhooks []string `yaml:"webhooks"`
}

// AlertLevels and AlertSources are the words that alerts have.
var (
	AlertLevels  = []string{"info", "warning", "error", "critical"}
	AlertSources = []string{"system_monitor", "proxy_monitor", "queue_monitor", "delivery_monitor", "exchange"}
)

func defaultAlerts() Alerts {
	const warning, failure, critical = "warning", "error", "critical"
	used := AlertValue{Enabled: true, Level: warning, Threshold: 90, Hysteresis: 5, For: Duration(5 * time.Minute)}
	return Alerts{
		Interval: Duration(15 * time.Second),
		CPU:      used, Memory: used, Disk: used,
		QueueBacklog:   AlertValue{Enabled: true, Level: warning, Threshold: 100, Hysteresis: 50, For: Duration(5 * time.Minute)},
		PoorSignal:     AlertValue{Enabled: true, Level: warning, Threshold: -110, Hysteresis: 3, For: Duration(10 * time.Minute)},
		HostOffline:    AlertState{Enabled: true, Level: critical, For: Duration(time.Minute)},
		DongleLost:     AlertState{Enabled: true, Level: failure, For: Duration(5 * time.Minute)},
		ToggleFailed:   AlertEvent{Enabled: true, Level: critical},
		DeliveryFailed: AlertEvent{Enabled: true, Level: failure},
		ExchangeBan:    AlertEvent{Enabled: true, Level: critical},
	}
}

func (k *checker) alerts() {
	a := k.c.Alerts
	k.between("alerts.interval", a.Interval, shortest, time.Minute)
	for key, v := range map[string]AlertValue{"cpu": a.CPU, "memory": a.Memory, "disk": a.Disk} {
		k.alertValue("alerts."+key, v, 1, 100)
	}
	k.alertValue("alerts.queue_backlog", a.QueueBacklog, 0, 1e9)
	k.alertValue("alerts.poor_signal", a.PoorSignal, -150, 0)
	for key, s := range map[string]AlertState{"host_offline": a.HostOffline, "dongle_lost": a.DongleLost} {
		k.oneOf("alerts."+key+".level", "level", s.Level, AlertLevels...)
		k.between("alerts."+key+".for", s.For, 0, 24*time.Hour)
	}
	for key, e := range map[string]AlertEvent{"toggle_failed": a.ToggleFailed, "delivery_failed": a.DeliveryFailed, "exchange_ban": a.ExchangeBan} {
		k.oneOf("alerts."+key+".level", "level", e.Level, AlertLevels...)
	}
	for i, r := range a.Routes {
		k.alertRoute(item("alerts.routes", i), r)
	}
}

func (k *checker) alertValue(path string, v AlertValue, low, high int) {
	k.oneOf(path+".level", "level", v.Level, AlertLevels...)
	k.between(path+".for", v.For, 0, 24*time.Hour)
	k.number(path+".threshold", int64(v.Threshold), int64(low), int64(high))
	k.number(path+".hysteresis", int64(v.Hysteresis), 0, int64(high-low))
}

func (k *checker) alertRoute(path string, r AlertRoute) {
	for i, l := range r.Levels {
		k.oneOf(item(path+".levels", i), "level", l, AlertLevels...)
	}
	for i, s := range r.Sources {
		k.oneOf(item(path+".sources", i), "source", s, AlertSources...)
	}
	if len(r.Telegram) == 0 && len(r.Webhooks) == 0 {
		k.fault(path, "tells nobody: set telegram or webhooks")
	}
	for i, chat := range r.Telegram {
		if !chatID.MatchString(chat) {
			k.fault(item(path+".telegram", i), "must be a chat's id, an integer, or @ and the name of a channel")
		}
	}
	for i, name := range r.Webhooks {
		if !slices.ContainsFunc(k.c.Webhooks.Receivers, func(w WebhookReceiver) bool { return w.Name == name }) {
			k.fault(item(path+".webhooks", i), "is %q, and webhooks.receivers has none of that name", name)
		}
	}
}

func (k *checker) webhookReceivers() {
	first := map[string]int{}
	for i, r := range k.c.Webhooks.Receivers {
		path := item("webhooks.receivers", i)
		if templateID.MatchString(r.Name) {
			k.ownName("webhooks.receivers", i, "name", r.Name, "give each receiver its own", first)
		} else {
			k.fault(path+".name", "must be a name of a-z, 0-9, _ and -, at most 64")
		}
		k.oneOf(path+".type", "type", r.Type, string(webhooks.Discord), string(webhooks.Slack), string(webhooks.Generic))
		switch {
		case r.URL.IsZero():
			k.fault(path+".url", "is missing: where the messages are posted")
		case webAddress(r.URL.Reveal()) != "": // which would tell what there is instead
			k.fault(path+".url", "is no address that begins with http:// or https://")
		}
	}
}
