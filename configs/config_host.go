package configs

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
	// are read at the least. A push reads them too, once a minute at the most, and
	// counts. Defaults to 60s.
	CollectInterval Duration `yaml:"collect_interval"`
	// CollectLimit is the longest that reading all dongles may take. What a modem
	// hasn't said by then is unknown. Defaults to 10s.
	CollectLimit Duration `yaml:"collect_limit"`
	// ModemTimeout bounds one request to a modem's web API. Defaults to 4s.
	ModemTimeout Duration `yaml:"modem_timeout"`
	// ModemUser is who logs in at the modems that want a login. Defaults to
	// admin.
	ModemUser string `yaml:"modem_user"`
	// ModemPassword is the login's. Empty: none, and what a modem wants a login
	// for fails. A wrong one is tried once a modem, then not until a restart:
	// modems lock after five. Defaults to empty.
	ModemPassword Secret `yaml:"modem_password"`
	// StateDir holds the locks that guard the hardware between processes, what
	// has to be put back on a modem should one die, and the id by which this
	// machine is told from others with its name. It must outlive both.
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
