package configs

// Strategy is about executing strategies. The workers of the queue strategy need all of
// it, the api the names and parameters of Commands, and whether there are Prices.
type Strategy struct {
	// Limit bounds one try of an execution. Defaults to 10m.
	Limit Duration `yaml:"limit"`
	// FirstRetry is the pause before an execution is tried again whose prices could not
	// be had, or of which this worker doesn't know the strategy (yet); it doubles with
	// each further try, up to MaxRetry. Four tries in all. Defaults to 2s.
	FirstRetry Duration `yaml:"first_retry"`
	// MaxRetry is the longest of those pauses. Defaults to 1m.
	MaxRetry Duration `yaml:"max_retry"`
	// Prices are those of use_real_data.
	Prices StrategyPrices `yaml:"prices"`
	// Commands are strategies of one's own, each a program. Empty by default.
	Commands []StrategyCommand `yaml:"commands"`
}

// StrategyPrices is where daily prices come from: a folder, a server, or neither. With
// both, the server has those that the folder lacks.
type StrategyPrices struct {
	// Folder holds a CSV file for each symbol, a path from the root. Empty by default.
	Folder string `yaml:"folder"`
	// URL of a server's CSV files, with {symbol} or {symbol_lower} in it. It may hold a
	// key. Empty by default.
	URL Secret `yaml:"url"`
	// Timeout of one request to it. Defaults to 20s.
	Timeout Duration `yaml:"timeout"`
	// CacheTime is how long what it said is used. Defaults to 6h.
	CacheTime Duration `yaml:"cache_time"`
	// CacheDir keeps what it said for the next process, a path from the root. Empty by
	// default: it is kept in memory.
	CacheDir string `yaml:"cache_dir"`
}

// Any reports whether there is a source.
func (p StrategyPrices) Any() bool { return p.Folder != "" || !p.URL.IsZero() }

// StrategyCommand is a strategy that is a program.
type StrategyCommand struct {
	// Name that requests use: letters, digits and _.
	Name string `yaml:"name"`
	// Version that documents tell. Empty: 1.0.0.
	Version string `yaml:"version"`
	// Description for people. Empty by default.
	Description string `yaml:"description"`
	// Command is the program, a path from the root, and its arguments.
	Command []string `yaml:"command"`
	// Dir is its working directory, a path from the root. Empty: one of its own, which
	// goes when it ends.
	Dir string `yaml:"dir"`
	// Environment names the variables that it gets of the worker's. Empty: none.
	Environment []string `yaml:"environment"`
	// Timeout of a run. 0: 5m.
	Timeout Duration `yaml:"timeout"`
	// CPU is the processor time of all its processes. 0: as long as Timeout.
	CPU Duration `yaml:"cpu"`
	// MemoryMiB bounds the memory of its processes together, 16 to 1048576. 0: 512.
	MemoryMiB int `yaml:"memory_mib"`
	// Parameters that it takes. Empty: none.
	Parameters []StrategyParameter `yaml:"parameters"`
}

// Variables are those of Environment that this process has, as NAME=value.
func (c StrategyCommand) Variables() []string { return Variables(c.Environment) }

// StrategyParameter is a parameter of such a strategy.
type StrategyParameter struct {
	// Name in requests: letters, digits and _.
	Name string `yaml:"name"`
	// Type is string, integer, number, boolean or date.
	Type string `yaml:"type"`
	// Description for people. Empty by default.
	Description string `yaml:"description"`
	// Default is used where a request gives none. Empty: there is none, and null is
	// what the program gets.
	Default Literal `yaml:"default"`
	// Required: a request has to give one.
	Required bool `yaml:"required"`
	// Allowed are the only values. Empty: all of the type.
	Allowed []Literal `yaml:"allowed"`
	// Min and Max are the bounds of numbers. Empty: there are none.
	Min Decimal `yaml:"min"`
	Max Decimal `yaml:"max"`
}

// Literal is a value whose type stands elsewhere, as it was written.
type Literal string
