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
	// ReadLimit bounds reading one modem's traffic and signal, all requests
	// together. One that takes longer costs its own figures and holds nothing
	// else up. Defaults to 2500ms.
	ReadLimit Duration `yaml:"read_limit"`
	// ModemUser is who logs in at the modems that want a login. Defaults to
	// admin.
	ModemUser string `yaml:"modem_user"`
	// ModemPassword is the login's. Empty: none, and what a modem wants a login
	// for fails. A wrong one is tried once a modem, then not until a restart:
	// modems lock after five. Defaults to empty.
	ModemPassword Secret `yaml:"modem_password"`
	// KeepRouted repairs rule and routes of a dongle as soon as they are seen to
	// be wrong, also while nobody toggles, and gives an interface that lost its
	// address the address again. Defaults to true.
	KeepRouted bool `yaml:"keep_routed"`
	// Address is how a dongle's interface comes to 192.168.N.100.
	Address Address `yaml:"address"`
	// StateDir holds the locks that guard the hardware between processes, what
	// has to be put back on a modem should one die, and the id by which this
	// machine is told from others with its name. It must outlive both.
	// Defaults to /var/lib/switchyard.
	StateDir string `yaml:"state_dir"`
	// USB is what steps 3 and 4 of a toggle may do to the host's USB.
	USB USB `yaml:"usb"`
}

// USB is the bus that the dongles hang on.
type USB struct {
	// Hubs are those whose ports may be switched off, by path ("1-3.4"): external
	// ones that cut the power of single ports. Empty, the default: none, so step 4
	// is passed over.
	Hubs []string `yaml:"hubs"`
	// IDs are further kinds of modems, vendor:product as lsusb writes it, beside
	// the HiLink sticks that are known. Defaults to none.
	IDs []string `yaml:"ids"`
	// Rest is how long a device is left off its driver in step 3. Defaults to
	// 500ms.
	Rest Duration `yaml:"rest"`
	// CallLimit is how long a call into the kernel about a device may take before
	// the device counts as stuck. Defaults to 20s.
	CallLimit Duration `yaml:"call_limit"`
}

// Address is how the interface of a dongle that has just come, or has come
// back, gets the host's address in its network.
type Address struct {
	// Client asks for it: auto (a network manager or DHCP client that looks
	// after the interface; where there is none, nobody), none, or command.
	// Defaults to auto.
	Client string `yaml:"client"`
	// Command is what Client command runs, program and arguments, without a
	// shell; {interface} stands for the interface's name. It has to ask for an
	// address and end. Empty by default.
	Command []string `yaml:"command"`
	// Wait is how long the address is waited for. Defaults to 10s.
	Wait Duration `yaml:"wait"`
	// Static sets 192.168.N.100/24 where nobody has brought it, in that time
	// or because there is nobody. Defaults to true.
	Static bool `yaml:"static"`
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
	// USB is where it is plugged in ("1-3.4.2"), for steps 3 and 4 before it was
	// ever seen there. What is read from the USB counts more. Empty: it is read.
	USB string `yaml:"usb"`
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
	// Power is step 4.
	Power Power `yaml:"power"`
}

// Power is how step 4 cycles the power of a hub's ports.
type Power struct {
	// OffTime is how long a port is without power. Defaults to 5s.
	OffTime Duration `yaml:"off_time"`
	// BackLimit bounds the wait for a dongle to be back and connected after its
	// power came back. Defaults to 60s.
	BackLimit Duration `yaml:"back_limit"`
	// HubWait is how long toggles of other dongles on the hub are waited for; then
	// the step is passed over. Defaults to 30s.
	HubWait Duration `yaml:"hub_wait"`
	// Budget is how often a dongle may lose power within BudgetTime, 0 to 100.
	// 0: never. Defaults to 1.
	Budget int `yaml:"budget"`
	// BudgetTime is the time that Budget is for. Defaults to 30m.
	BudgetTime Duration `yaml:"budget_time"`
	// WholeHub: where the dongle's own port didn't help, all dongles of its hub
	// lose power. Defaults to true.
	WholeHub bool `yaml:"whole_hub"`
}
