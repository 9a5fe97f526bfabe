package configs

// Redis is the one database of this environment.
type Redis struct {
	// Addr is host:port. Not used where sentinel.master is set.
	// Defaults to 127.0.0.1:6379.
	Addr string `yaml:"addr"`
	// DB is the database number, 0 to 15. One database per environment.
	// Defaults to 0.
	DB int `yaml:"db"`
	// Sentinel finds the Redis that is the master now.
	Sentinel RedisSentinel `yaml:"sentinel"`
	// TLS of the connections to Redis and to the Sentinels.
	TLS RedisTLS `yaml:"tls"`
	// Username is the ACL user; empty is Redis' default user.
	Username string `yaml:"username"`
	// Password of that user. Empty means none.
	Password Secret `yaml:"password"`
	// PoolSize is the number of connections for commands. 0 derives it from
	// the number of handlers that this process runs. Defaults to 0.
	PoolSize int `yaml:"pool_size"`
	// DialTimeout bounds one connection attempt. Defaults to 500ms.
	DialTimeout Duration `yaml:"dial_timeout"`
	// ReadTimeout bounds one answer of Redis to one command. Defaults to 3s.
	ReadTimeout Duration `yaml:"read_timeout"`
	// CommandTimeout bounds what one HTTP request may spend on Redis before it
	// is answered with 503. Defaults to 800ms.
	CommandTimeout Duration `yaml:"command_timeout"`
	// RequireDurable refuses to start on a Redis that may lose or evict jobs
	// (appendonly off, or maxmemory-policy other than noeviction).
	// Defaults to true.
	RequireDurable bool `yaml:"require_durable"`
}

// RedisSentinel is how the master is found where Redis is watched by
// Sentinels, which make a replica the master when it dies.
type RedisSentinel struct {
	// Master is the name under which the Sentinels watch it. Empty: there are
	// no Sentinels, and redis.addr is the only Redis. Defaults to empty.
	Master string `yaml:"master"`
	// Addrs are the Sentinels, host:port, at least one; name all of them, since
	// one that is down can't be asked for the others. Empty without Master.
	Addrs []string `yaml:"addrs"`
	// Username is the ACL user at the Sentinels, which have users of their own;
	// empty is their default user.
	Username string `yaml:"username"`
	// Password at the Sentinels. Empty means none.
	Password Secret `yaml:"password"`
}

// RedisTLS encrypts the connections to Redis and to the Sentinels.
type RedisTLS struct {
	// Enabled turns TLS on; without it the rest has no effect. Defaults to false.
	Enabled bool `yaml:"enabled"`
	// CA is a file of certificates (PEM) that may have signed that of the
	// server. Empty: those that the system trusts.
	CA string `yaml:"ca"`
	// Cert and Key are files (PEM) with the certificate that Redis asks of its
	// clients (tls-auth-clients), both or none. They are read anew for every
	// connection. Empty: none is shown.
	Cert string `yaml:"cert"`
	// Key belongs to Cert.
	Key string `yaml:"key"`
	// ServerName must stand in the server's certificate. Empty: the host part
	// of the address that is dialled.
	ServerName string `yaml:"server_name"`
}
