package configs

import (
	"encoding/json"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// builtInStrategies have their names.
var builtInStrategies = []string{"BoldAssetAllocation", "MovingAverageCrossover"}

// parameterTypes are those that a parameter may have.
var parameterTypes = []string{"string", "integer", "number", "boolean", "date"}

var (
	strategyName    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)
	strategyVersion = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)
)

const (
	leastMemoryMiB = 16
	mostMemoryMiB  = 1 << 20
	// maxDescription is more than a line of a list shows.
	maxDescription = 500
)

func (k *checker) strategy() {
	s := k.c.Strategy
	k.between("strategy.limit", s.Limit, time.Second, 24*time.Hour)
	k.atLeast("strategy.first_retry", s.FirstRetry, time.Second) // asynq counts in those
	k.atLeast("strategy.max_retry", s.MaxRetry, time.Second)
	if k.sound("strategy.first_retry", "strategy.max_retry") && s.MaxRetry < s.FirstRetry {
		k.fault(k.blame("strategy.max_retry", "strategy.first_retry"),
			"strategy.max_retry is %s and strategy.first_retry %s: the first must not be shorter", s.MaxRetry, s.FirstRetry)
	}
	k.strategyPrices(s.Prices)
	first := map[string]int{}
	for i, c := range s.Commands {
		path := item("strategy.commands", i)
		switch {
		case !strategyName.MatchString(c.Name):
			k.fault(path+".name", "must be a name of letters, digits and _, at most 64, that begins with a letter")
		case slices.Contains(builtInStrategies, c.Name):
			k.fault(path+".name", "is that of a built-in strategy: choose another")
		default:
			k.ownName("strategy.commands", i, "name", c.Name, "give each strategy its own", first)
		}
		k.strategyCommand(path, c)
	}
}

func (k *checker) strategyPrices(p StrategyPrices) {
	const rooted = "must be a path from the root, such as /var/lib/switchyard/prices"
	if p.Folder != "" && !filepath.IsAbs(p.Folder) {
		k.fault("strategy.prices.folder", rooted)
	}
	if p.CacheDir != "" && !filepath.IsAbs(p.CacheDir) {
		k.fault("strategy.prices.cache_dir", rooted)
	}
	if !p.URL.IsZero() {
		u := p.URL.Reveal()
		switch plain := strings.NewReplacer("{symbol}", "SPY", "{symbol_lower}", "spy").Replace(u); {
		case plain == u:
			k.fault("strategy.prices.url", "must have {symbol} or {symbol_lower} where the name of the asset goes")
		case webAddress(plain) != "":
			k.fault("strategy.prices.url", "must be an address that begins with http:// or https://")
		}
	}
	k.between("strategy.prices.timeout", p.Timeout, shortest, 10*time.Minute)
	k.atLeast("strategy.prices.cache_time", p.CacheTime, shortest)
}

func (k *checker) strategyCommand(path string, c StrategyCommand) {
	if c.Version != "" && !strategyVersion.MatchString(c.Version) {
		k.fault(path+".version", "must be letters, digits, dots, _ and -, at most 32, such as 1.2.0")
	}
	if len(c.Description) > maxDescription {
		k.fault(path+".description", "is longer than %d characters", maxDescription)
	}
	switch {
	case len(c.Command) == 0:
		k.fault(path+".command", "is missing: the program, a path from the root, and its arguments")
	case !filepath.IsAbs(c.Command[0]):
		k.fault(item(path+".command", 0), "must be a path from the root, such as /usr/bin/python3")
	}
	if c.Dir != "" && !filepath.IsAbs(c.Dir) {
		k.fault(path+".dir", "must be a path from the root")
	}
	k.variables(path+".environment", c.Environment)
	if c.Timeout != 0 {
		k.between(path+".timeout", c.Timeout, shortest, k.c.Strategy.Limit.Std())
	}
	if c.CPU != 0 {
		k.atLeast(path+".cpu", c.CPU, time.Second) // the kernel counts in those
	}
	if c.MemoryMiB != 0 {
		k.number(path+".memory_mib", int64(c.MemoryMiB), leastMemoryMiB, mostMemoryMiB)
	}
	first := map[string]int{}
	for i, p := range c.Parameters {
		at := item(path+".parameters", i)
		if strategyName.MatchString(p.Name) {
			k.ownName(path+".parameters", i, "name", p.Name, "give each parameter its own", first)
		} else {
			k.fault(at+".name", "must be a name of letters, digits and _, at most 64, that begins with a letter")
		}
		k.strategyParameter(at, p)
	}
}

func (k *checker) strategyParameter(at string, p StrategyParameter) {
	if !k.oneOf(at+".type", "type", p.Type, parameterTypes...) {
		return
	}
	if len(p.Description) > maxDescription {
		k.fault(at+".description", "is longer than %d characters", maxDescription)
	}
	numeric := p.Type == "integer" || p.Type == "number"
	for key, bound := range map[string]Decimal{".min": p.Min, ".max": p.Max} {
		if bound.Given() && !numeric {
			k.fault(at+key, "is for integers and numbers, and this is of type %s", p.Type)
		}
	}
	if p.Min.Given() && p.Max.Given() && p.Min.Value().GreaterThan(p.Max.Value()) {
		k.fault(at+".max", "must not be less than min")
	}
	for i, v := range p.Allowed {
		if problem := p.takes(v); problem != "" {
			k.fault(item(at+".allowed", i), "%s", problem)
		}
	}
	switch {
	case p.Default == "":
	case p.Required:
		k.fault(at+".default", "is never used: the parameter is required")
	case p.takes(p.Default) != "":
		k.fault(at+".default", "%s", p.takes(p.Default))
	case len(p.Allowed) > 0 && !slices.Contains(p.Allowed, p.Default):
		k.fault(at+".default", "is not among those that are allowed")
	}
}

// takes returns what is wrong with a value of the parameter.
func (p StrategyParameter) takes(v Literal) string {
	switch p.Type {
	case "boolean":
		if v != "true" && v != "false" {
			return "must be true or false"
		}
	case "date":
		if _, err := time.Parse(time.DateOnly, string(v)); err != nil {
			return "must be a date such as 2024-06-28"
		}
	case "integer", "number":
		f, err := strconv.ParseFloat(string(v), 64)
		switch {
		case err != nil || math.IsInf(f, 0) || math.IsNaN(f) || !json.Valid([]byte(v)): // 007, .5: programs get it as JSON
			return "must be a number"
		case p.Type == "integer" && strings.ContainsAny(string(v), ".eE"):
			return "must be a whole number"
		case p.Min.Given() && f < p.Min.Value().InexactFloat64(), p.Max.Given() && f > p.Max.Value().InexactFloat64():
			return "is not between min and max"
		}
	}
	return ""
}
