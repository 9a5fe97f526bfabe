package configs

// HTTP is the server of the api role.
type HTTP struct {
	// Listen holds the addresses served; every route is on each of them.
	// Defaults to ports 8080 and 8000 on 127.0.0.1 and [::1]. Addresses that
	// are not loopback need auth.keys, auth.networks or auth.disabled: true.
	Listen []string `yaml:"listen"`
	// TLS serves HTTPS beside that. Off by default.
	TLS HTTPTLS `yaml:"tls"`
	// ServerNames are the names, without port, under which callers that are
	// let in by their address may ask for this server. IP addresses and
	// localhost always pass. Empty by default.
	ServerNames []string `yaml:"server_names"`
	// AllowedOrigins are the origins (https://app.example.com) whose pages may
	// use the API from a browser. Empty, the default: only its own.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	// Empty, the default: nobody's.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// RateLimit bounds the requests of one caller.
	RateLimit RateLimit `yaml:"rate_limit"`
	// MaxBody is the largest request body in bytes, 1 KiB to 1 GiB.
	// Defaults to 1 MiB.
	MaxBody int64 `yaml:"max_body"`
	// MaxHeader is the largest request header in bytes, 4 KiB to 1 MiB; a
	// larger one is answered with 431. Defaults to 64 KiB.
	MaxHeader int `yaml:"max_header"`
	// ReadHeaderTimeout bounds reading a request's header. Defaults to 5s.
	ReadHeaderTimeout Duration `yaml:"read_header_timeout"`
	// ReadTimeout bounds reading a whole request. Defaults to 15s.
	ReadTimeout Duration `yaml:"read_timeout"`
	// WriteTimeout bounds a request from its header to the end of its answer,
	// the wait for a job included, so it is longer than toggle.request_wait.
	// Defaults to 4m.
	WriteTimeout Duration `yaml:"write_timeout"`
	// IdleTimeout closes a kept-alive connection after this. Defaults to 2m.
	IdleTimeout Duration `yaml:"idle_timeout"`
	// DrainTimeout bounds how long a stopping server lets requests under way
	// finish. Requests that wait for a job are answered at once. Defaults to 5s.
	DrainTimeout Duration `yaml:"drain_timeout"`
	// StatusWait is how long GET /status waits for a host that has never told
	// anything of one of its dongles. Defaults to 15s.
	StatusWait Duration `yaml:"status_wait"`
}

// HTTPTLS is the HTTPS side of the server. TLS 1.2 is the least it takes.
type HTTPTLS struct {
	// Listen holds the addresses served with TLS. Empty, the default: none.
	Listen []string `yaml:"listen"`
	// Cert is the PEM file of the certificate and those that lead to its root.
	// It is read again when it changes. Empty by default.
	Cert string `yaml:"cert"`
	// Key is the PEM file of its private key, also read again. Empty by default.
	Key string `yaml:"key"`
}

// RateLimit bounds the requests of one caller: an API key, else an address (of
// IPv6, its /64). Beyond it, requests are answered with 429.
type RateLimit struct {
	// PerSecond is the number of requests a second, 0 to 1000000. 0: no limit.
	// Defaults to 50.
	PerSecond int `yaml:"per_second"`
	// Burst is how many may come at once after a pause, 1 to 1000000.
	// Defaults to 100.
	Burst int `yaml:"burst"`
}

// Auth says who may use the HTTP API. With neither keys nor networks, callers
// on this machine may do everything, and the server listens on loopback only.
// With either, every caller needs a key or an address in a network.
type Auth struct {
	// Disabled allows everybody everything, on any address. Defaults to false.
	Disabled bool `yaml:"disabled"`
	// Keys are the API keys. Empty by default.
	Keys []APIKey `yaml:"keys"`
	// Networks let callers in by their address. Empty by default.
	Networks []AuthNetwork `yaml:"networks"`
}

// APIKey is one key, of which the file holds only the hash.
type APIKey struct {
	// Name tells in logs who was calling: a-z, 0-9, _ and -.
	Name string `yaml:"name"`
	// Hash is sha256: and the SHA-256 of the key in hex, as "switchyard key
	// new" prints it.
	Hash string `yaml:"hash"`
	// Scopes are what the key allows.
	Scopes []Scope `yaml:"scopes"`
}

// AuthNetwork allows callers something by where they call from.
type AuthNetwork struct {
	// CIDR is the network, or one address as /32 or /128.
	CIDR string `yaml:"cidr"`
	// Scopes are what it allows. A caller in several networks has those of all.
	Scopes []Scope `yaml:"scopes"`
}

// WS is the WebSocket of the api role.
type WS struct {
	// MaxConnections is how many connections a process takes, 1 to 100000; more are
	// answered with 503. Defaults to 1000.
	MaxConnections int `yaml:"max_connections"`
	// PerClient is how many of them a client has (a key, else an address), 1 to 100000;
	// more are answered with 429. Defaults to 5.
	PerClient int `yaml:"per_client"`
	// MessagesPerSecond is how many messages a client sends, 1 to 10000; more are
	// dropped, and it is told. Defaults to 10.
	MessagesPerSecond int `yaml:"messages_per_second"`
	// BroadcastsPerSecond is how often events are handed out, 1 to 100. Defaults to 5.
	BroadcastsPerSecond int `yaml:"broadcasts_per_second"`
	// MaxMessage is the largest message of a client's in bytes, 1 KiB to 16 MiB.
	// Defaults to 1 MiB.
	MaxMessage int64 `yaml:"max_message"`
	// IdleTimeout closes a connection from which nothing came, not even an answer to a
	// ping. Defaults to 5m.
	IdleTimeout Duration `yaml:"idle_timeout"`
	// PingInterval is how often a connection is pinged, shorter than IdleTimeout.
	// Defaults to 30s.
	PingInterval Duration `yaml:"ping_interval"`
	// Debug shows the connections and their last messages at GET /api/v1/ws/clients.
	// Defaults to false.
	Debug bool `yaml:"debug"`
}
