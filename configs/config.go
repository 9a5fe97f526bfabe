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

	Log       Log       `yaml:"log"`
	Redis     Redis     `yaml:"redis"`
	HTTP      HTTP      `yaml:"http"`
	Auth      Auth      `yaml:"auth"`
	Jobs      Jobs      `yaml:"jobs"`
	Worker    Worker    `yaml:"worker"`
	Scheduler Scheduler `yaml:"scheduler"`
	Host      Host      `yaml:"host"`
	Toggle    Toggle    `yaml:"toggle"`
	Callbacks Callbacks `yaml:"callbacks"`
	Delivery  Delivery  `yaml:"delivery"`

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

// Redis is the one database of this environment.
type Redis struct {
	// Addr is host:port. Defaults to 127.0.0.1:6379.
	Addr string `yaml:"addr"`
	// DB is the database number, 0 to 15. One database per environment.
	// Defaults to 0.
	DB int `yaml:"db"`
	// Username is the ACL user; empty is Redis' default user.
	Username string `yaml:"username"`
	// Password of that user. Empty means none.
	Password Secret `yaml:"password"`
	// PoolSize is the number of connections for commands. 0 derives it from
	// the number of handlers that this process runs. Defaults to 0.
	PoolSize int `yaml:"pool_size"`
	// DialTimeout bounds one connection attempt. Defaults to 500ms.
	DialTimeout Duration `yaml:"dial_timeout"`
	// CommandTimeout bounds what one HTTP request may spend on Redis before it
	// is answered with 503. Defaults to 800ms.
	CommandTimeout Duration `yaml:"command_timeout"`
	// RequireDurable refuses to start on a Redis that may lose or evict jobs
	// (appendonly off, or maxmemory-policy other than noeviction).
	// Defaults to true.
	RequireDurable bool `yaml:"require_durable"`
}

// HTTP is the server of the api role.
type HTTP struct {
	// Listen holds the addresses served; every route is on each of them.
	// Defaults to ports 8080 and 8000 on 127.0.0.1 and [::1]. Addresses that
	// are not loopback need auth.disabled: true for now.
	Listen []string `yaml:"listen"`
	// MaxBody is the largest request body in bytes, 1 KiB to 1 GiB.
	// Defaults to 1 MiB.
	MaxBody int64 `yaml:"max_body"`
	// ReadHeaderTimeout bounds reading a request's header. Defaults to 5s.
	ReadHeaderTimeout Duration `yaml:"read_header_timeout"`
	// ReadTimeout bounds reading a whole request. Defaults to 15s.
	ReadTimeout Duration `yaml:"read_timeout"`
	// IdleTimeout closes a kept-alive connection after this. Defaults to 2m.
	IdleTimeout Duration `yaml:"idle_timeout"`
	// DrainTimeout bounds how long a stopping server lets requests under way
	// finish. Requests that wait for a job are answered at once. Defaults to 5s.
	DrainTimeout Duration `yaml:"drain_timeout"`
	// StatusWait is how long GET /status waits for a host that has never told
	// anything of its dongles. Defaults to 15s.
	StatusWait Duration `yaml:"status_wait"`
}

// Auth says who may use the HTTP API.
type Auth struct {
	// Disabled allows everybody everything, on any address. Defaults to false:
	// the server then listens on loopback only.
	Disabled bool `yaml:"disabled"`
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
	// IdempotencyWindow is how long an Idempotency-Key is remembered.
	// Defaults to 24h.
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
	// Defaults to delivery: 128, default: 16.
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

// Host describes the proxy host that this process runs on. It is empty on
// machines without dongles.
type Host struct {
	// Name is the host's name in queues and requests ([a-z0-9-], at most 40).
	// Empty: this process serves no host.
	Name string `yaml:"name"`
	// ServerIP is the public address shown to clients. Empty: the address of
	// Uplink, else of the interface with the default route.
	ServerIP string `yaml:"server_ip"`
	// Uplink is the interface with the public address. Empty: the one with the
	// default route. Defaults to eno1.
	Uplink string `yaml:"uplink"`
	// Dongles are listed even when unplugged. Empty: those found by address
	// (an interface that holds 192.168.N.100).
	Dongles []Dongle `yaml:"dongles"`
	// EchoURLs answer a GET with the caller's address as plain text. HTTPS
	// ones are asked first, the first valid answer wins. Empty by default; a
	// process with a host needs at least one.
	EchoURLs []string `yaml:"echo_urls"`
	// ProbeTimeout bounds one look for the external address. Defaults to 3s.
	ProbeTimeout Duration `yaml:"probe_timeout"`
	// CollectInterval is how often every dongle's signal, traffic and address
	// are read. Defaults to 60s.
	CollectInterval Duration `yaml:"collect_interval"`
	// ModemTimeout bounds one request to a modem's web API. Defaults to 4s.
	ModemTimeout Duration `yaml:"modem_timeout"`
	// ModemUser is who logs in at the modems that want a login. Defaults to
	// admin.
	ModemUser string `yaml:"modem_user"`
	// ModemPassword is the login's. Empty: none, and what a modem wants a login
	// for fails. A wrong one is tried once a modem, then not until a restart:
	// modems lock after five. Defaults to empty.
	ModemPassword Secret `yaml:"modem_password"`
	// StateDir holds the locks that guard the hardware between processes, and
	// what has to be put back on a modem should one die. It must outlive both.
	// Defaults to /var/lib/switchyard.
	StateDir string `yaml:"state_dir"`
}

// Dongle is one HiLink modem of the host.
type Dongle struct {
	// Subnet is N of 192.168.N.0/24, 11 to 30. Its SOCKS5 port is 10000+N.
	Subnet int `yaml:"subnet"`
	// Modem is the base URL of its web API. Empty: http://192.168.N.1.
	Modem string `yaml:"modem"`
	// Gateway, host:port, is where all its probes are sent instead of into
	// the interface that holds 192.168.N.100. For simulated hosts only.
	Gateway string `yaml:"gateway"`
	// User and Password log in at this modem. Empty: host.modem_user,
	// host.modem_password.
	User     string `yaml:"user"`
	Password Secret `yaml:"password"`
}

// Toggle is the job that changes a dongle's IP.
type Toggle struct {
	// Concurrency is the number of toggles at once on one host, 0 to 20.
	// 0: all dongles. Defaults to 0.
	Concurrency int `yaml:"concurrency"`
	// Timeout bounds a whole toggle, 10s to 30m. Defaults to 180s.
	Timeout Duration `yaml:"timeout"`
	// MinInterval between the end of a dongle's toggle and its next one;
	// sooner is answered with 429. Defaults to 0s: none.
	MinInterval Duration `yaml:"min_interval"`
	// MaxWait is how long a toggle waits for a host that is away before it
	// ends without success. Defaults to 10m.
	MaxWait Duration `yaml:"max_wait"`
	// RequestWait is how long GET /toggle/{subnet} waits for the outcome
	// before it answers 202. 0s: it answers at once. At most, and by default,
	// 200s.
	RequestWait Duration `yaml:"request_wait"`
	// Methods of step 2, in order: net_mode, dataswitch. Defaults to both.
	Methods []string `yaml:"methods"`
	// Unchanged says what follows when every method brought the dongle back
	// with the address it had: escalate (on to step 3, then a success with the
	// old address) or accept (a success at step 2). Defaults to escalate.
	Unchanged string `yaml:"unchanged"`
	// StepLimit bounds each way of one step: a net mode change, one off and on
	// of the data switch. Defaults to 45s.
	StepLimit Duration `yaml:"step_limit"`
	// DataswitchHolds are the times mobile data is held off, one try each.
	// Defaults to 6s, 15s.
	DataswitchHolds []Duration `yaml:"dataswitch_holds"`
	// PollInterval is how often a modem is asked whether it is back.
	// Defaults to 100ms.
	PollInterval Duration `yaml:"poll_interval"`
	// DropLimit is how long a modem that was told to change its net mode may
	// stay on the network before it counts as having ignored it. Defaults to 3s.
	DropLimit Duration `yaml:"drop_limit"`
	// SettleLimit is how long a modem that never left the network is watched
	// for a new address. Defaults to 2s.
	SettleLimit Duration `yaml:"settle_limit"`
	// RestoreLimit bounds putting a modem's settings back, also beyond Timeout.
	// Defaults to 30s.
	RestoreLimit Duration `yaml:"restore_limit"`
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

// Location returns the zone of Timezone, which Load has checked.
func (c *Config) Location() *time.Location {
	loc, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return time.UTC
	}
	return loc
}
