package configs

import "time"

// Config is everything a switchyard process can be told. The zero value is
// not usable: start from Default, or from Load.
//
// Field tags name the key in the file. The environment overlay takes the same
// path in capitals: `http.listen` is SWITCHYARD_HTTP_LISTEN.
type Config struct {
	// Timezone is the IANA name used for the local times that proxy documents
	// show ("2025-12-13 22:49:25"). Defaults to Asia/Seoul.
	Timezone string `yaml:"timezone"`

	Log        Log        `yaml:"log"`
	Logs       Logs       `yaml:"logs"`
	Redis      Redis      `yaml:"redis"`
	HTTP       HTTP       `yaml:"http"`
	WS         WS         `yaml:"ws"`
	Auth       Auth       `yaml:"auth"`
	Jobs       Jobs       `yaml:"jobs"`
	Worker     Worker     `yaml:"worker"`
	Scheduler  Scheduler  `yaml:"scheduler"`
	Host       Host       `yaml:"host"`
	Toggle     Toggle     `yaml:"toggle"`
	Callbacks  Callbacks  `yaml:"callbacks"`
	Push       Push       `yaml:"push"`
	Delivery   Delivery   `yaml:"delivery"`
	Cloudflare Cloudflare `yaml:"cloudflare"`
	Telegram   Telegram   `yaml:"telegram"`
	Trading    Trading    `yaml:"trading"`
	Strategy   Strategy   `yaml:"strategy"`
	Webhooks   Webhooks   `yaml:"webhooks"`
	Alerts     Alerts     `yaml:"alerts"`

	Deployments Deployments `yaml:"deployments"` // of projects, not of this program

	Metrics Metrics `yaml:"metrics"`

	// origins remembers where each value was set, for messages about it. It
	// is nil in a Config that Load did not make, and never written after Load.
	origins *origins
}

// Log says how a process writes its structured log to standard error.
type Log struct {
	// Level is debug, info, warn or error. Defaults to info.
	Level string `yaml:"level"`
	// Format is text or json. Defaults to text.
	Format string `yaml:"format"`
}

// Logs are files that a process writes beside the log on standard error.
type Logs struct {
	// Dir is the directory of app.log, toggle_api.log, push_status.log and
	// last_push_status.json, a path from the root. No two processes may have the
	// same. It is made where it isn't there. Empty by default: no files.
	Dir string `yaml:"dir"`
	// MaxBackups is how many old files are kept of each log, which begins anew
	// at 10 MiB. 0: all of them. Defaults to 5.
	MaxBackups int `yaml:"max_backups"`
	// Compress has old files compressed (.gz). Defaults to true.
	Compress bool `yaml:"compress"`
}

// Jobs is about the records of jobs.
type Jobs struct {
	// Retention is how long a finished job stays readable, at least 1h.
	// Defaults to 168h.
	Retention Duration `yaml:"retention"`
	// MaxPerType is the number of records kept of one job type; beyond it the
	// oldest finished ones go first. Defaults to 100000.
	MaxPerType int `yaml:"max_per_type"`
	// EventStream is the number of job events kept for late readers.
	// Defaults to 10000.
	EventStream int `yaml:"event_stream"`
	// IdempotencyWindow is how long an Idempotency-Key is remembered, with the
	// answer to its request. Defaults to 24h.
	IdempotencyWindow Duration `yaml:"idempotency_window"`
	// MaxCrashes is how many workers a job may take down before it is failed
	// instead of tried again. Defaults to 5.
	MaxCrashes int `yaml:"max_crashes"`
}

// Worker is about executing jobs.
type Worker struct {
	// Queues are the queues taken by this worker beside those of its host:
	// trading, interactive, delivery, strategy, default. Empty means: all of them where the process has no
	// host, none where it has one.
	Queues []string `yaml:"queues"`
	// Concurrency is the number of handlers per queue, by queue name, 1 to
	// 10000. A queue that is not named keeps its default. A host's queue is
	// sized by toggle.concurrency instead.
	// Defaults to trading: 64, delivery: 128, interactive: 32, strategy: 2,
	// default: 16.
	Concurrency map[string]int `yaml:"concurrency"`
	// Heartbeat is how often a process says it is alive. Defaults to 3s.
	Heartbeat Duration `yaml:"heartbeat"`
	// TTL is how long it is believed after that; then its jobs are taken over.
	// At least three heartbeats. Defaults to 12s.
	TTL Duration `yaml:"ttl"`
	// FetchHold is how long an idle fetch waits for the doorbell before it
	// looks by itself. Defaults to 5s.
	FetchHold Duration `yaml:"fetch_hold"`
	// FetchPoll is the polling interval used when the doorbell can't be used
	// with this version of asynq. Defaults to 50ms.
	FetchPoll Duration `yaml:"fetch_poll"`
	// DelayedCheck is how often delayed jobs are looked through for due ones.
	// Defaults to 2s.
	DelayedCheck Duration `yaml:"delayed_check"`
	// HeldDelay is when a task is looked at again that was found in the hands of
	// another worker. Defaults to 5s.
	HeldDelay Duration `yaml:"held_delay"`
	// ShutdownTimeout bounds how long a stopping worker lets its cancelled
	// handlers finish; a modem has to be left in order. Defaults to 20s.
	ShutdownTimeout Duration `yaml:"shutdown_timeout"`
	// LeaveTimeout bounds what a stopping worker then tells Redis: what became
	// of its jobs, and that it is gone. Defaults to 3s.
	LeaveTimeout Duration `yaml:"leave_timeout"`
}

// Scheduler is about what happens by the clock.
type Scheduler struct {
	// SweepInterval is how often unfinished jobs are checked for orphans,
	// expiry and retention. Defaults to 5s.
	SweepInterval Duration `yaml:"sweep_interval"`
}

// Callbacks are what is owed to others when a job starts and ends.
type Callbacks struct {
	// Toggle lists the receivers of every toggle.
	Toggle []ToggleReceiver `yaml:"toggle"`
	// MaxAttempts is how often a result is tried, 1 to 50. Defaults to 8.
	MaxAttempts int `yaml:"max_attempts"`
	// FirstRetry is the pause after the first failed try; it doubles with each
	// further one, up to MaxRetry. Defaults to 2s.
	FirstRetry Duration `yaml:"first_retry"`
	// MaxRetry is the longest pause between two tries. Defaults to 10m.
	MaxRetry Duration `yaml:"max_retry"`
	// Timeout of one try. Defaults to 5s.
	Timeout Duration `yaml:"timeout"`
	// StrategyAttempts is how often the result of a strategy is tried, 1 to 50.
	// Defaults to 1.
	StrategyAttempts int `yaml:"strategy_attempts"`
	// StrategyTimeout of one try at it. Defaults to 10s.
	StrategyTimeout Duration `yaml:"strategy_timeout"`
	// Secret signs every callback (Standard Webhooks, whsec_…). Empty: no
	// signature.
	Secret Secret `yaml:"secret"`
	// Secrets are used instead of Secret for the host names they are under,
	// which are in lower case and without a port. Empty by default.
	Secrets map[string]Secret `yaml:"secrets"`
}

// ToggleReceiver is one server that hears of every toggle.
type ToggleReceiver struct {
	// Name is shown in place of the address, and must not change while
	// deliveries are under way.
	Name string `yaml:"name"`
	// StartURL gets {"server_ip","port"} once when a toggle starts. Empty: none.
	StartURL string `yaml:"start_url"`
	// ResultURL gets the result document. Empty: none.
	ResultURL string `yaml:"result_url"`
}

// Push is the status document that every host posts once a minute, at its
// beginning. It is posted by the host itself, once: the next minute brings
// another. It is signed as callbacks are.
type Push struct {
	// Receivers are those that get it, of this process' host. Empty: it is only
	// kept.
	Receivers []PushReceiver `yaml:"receivers"`
	// ConnectTimeout bounds name lookup, connect and TLS handshake of a post.
	// Defaults to 5s.
	ConnectTimeout Duration `yaml:"connect_timeout"`
	// Timeout of a whole post. Defaults to 10s.
	Timeout Duration `yaml:"timeout"`
	// MaxAge is when a push is too old: no post begins later after the beginning
	// of its minute, or after it was asked for. 1s to 59s. Defaults to 55s.
	MaxAge Duration `yaml:"max_age"`
}

// PushReceiver is one server that gets the status documents.
type PushReceiver struct {
	// Name is shown in place of the address. Under another name its outcomes
	// begin anew.
	Name string `yaml:"name"`
	// URL gets the document.
	URL string `yaml:"url"`
}

// Delivery is about outgoing HTTP.
type Delivery struct {
	// Allow opens what request-given URLs can't reach by default (loopback,
	// private, link-local, metadata addresses): CIDRs, addresses and host
	// names. Empty by default.
	Allow []string `yaml:"allow"`
	// PerDestination is how many deliveries to one host:port run at once in
	// one process; others wait without a try being counted. Defaults to 16.
	PerDestination int `yaml:"per_destination"`
	// LongestWait is the longest that one of those others waits before it looks
	// again whether it is its turn. Defaults to 1m.
	LongestWait Duration `yaml:"longest_wait"`
	// MaxResponse is how much of an answer is read and kept. Defaults to 4096.
	MaxResponse int64 `yaml:"max_response"`
	// SettleInterval is how often a process that delivers looks for callbacks
	// to be made without having been rung for. Defaults to 5s.
	SettleInterval Duration `yaml:"settle_interval"`
}

// Metrics is where a process without the api role tells its figures; with it,
// they are at /metrics of the API.
type Metrics struct {
	// Listen is the address, host:port, of /metrics for Prometheus. Empty by
	// default: none. An address that is not loopback needs Open.
	Listen string `yaml:"listen"`
	// Open lets everybody who can reach Listen read the figures, among them the
	// names of hosts and queues. Defaults to false: loopback only.
	Open bool `yaml:"open"`
}

// Location returns the zone of Timezone, which Load has checked.
func (c *Config) Location() *time.Location {
	loc, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return time.UTC
	}
	return loc
}
