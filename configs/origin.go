package configs

import (
	"fmt"
	"strconv"
	"strings"
)

// Origin is the place where a value was set: a line of the file, or an
// environment variable. The zero Origin is a default.
type Origin struct {
	// File is the path as it was given to Load.
	File string
	// Line counts from 1. 0 where the whole file is meant.
	Line int
	// Variable is the environment variable; File and Line are empty then.
	Variable string
}

// String prints "switchyard.yaml:12", "SWITCHYARD_HTTP_LISTEN" or, for a
// default, nothing.
func (o Origin) String() string {
	switch {
	case o.Variable != "":
		return o.Variable
	case o.Line > 0:
		return o.File + ":" + strconv.Itoa(o.Line)
	default:
		return o.File
	}
}

// Origin tells where the value under key was set, for messages about it. Keys
// are written as faults show them: redis.addr, host.dongles[0].subnet,
// callbacks.secrets["example.com"]. For a key that stands nowhere it is the
// nearest list or section around it that does, else the zero Origin.
func (c *Config) Origin(key string) Origin { return c.origins.near(key) }

// Fault makes an error about key that names its place, for what only shows
// when the value is used: a Redis that refuses the password, an address that
// is taken.
func (c *Config) Fault(key, format string, args ...any) Fault {
	return Fault{Origin: c.Origin(key), Key: key, Message: fmt.Sprintf(format, args...)}
}

// origins holds the place of every key that was set. A nil *origins is that
// of a Config made by hand.
type origins struct {
	file string
	at   map[string]Origin
}

// near finds the place of key or of what encloses it.
func (o *origins) near(key string) Origin {
	if o == nil {
		return Origin{}
	}
	for ; key != ""; key = parent(key) {
		if at, ok := o.at[key]; ok {
			return at
		}
	}
	return Origin{File: o.file}
}

// has reports whether key itself was set.
func (o *origins) has(key string) bool {
	if o == nil {
		return false
	}
	_, ok := o.at[key]
	return ok
}

// override gives key and all below it to a variable.
func (o *origins) override(key, variable string) {
	for k := range o.at {
		if within(k, key) {
			delete(o.at, k)
		}
	}
	o.at[key] = Origin{Variable: variable}
}

// child appends a key to a path. What is not a plain word is put in quotes so
// that the dots of a host name don't read as levels.
func child(path, name string) string {
	switch {
	case !plainWord(name):
		return path + "[" + strconv.Quote(name) + "]"
	case path == "":
		return name
	default:
		return path + "." + name
	}
}

// item appends a list index to a path.
func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// parent cuts the last part off a path.
func parent(key string) string {
	if strings.HasSuffix(key, `"]`) {
		// Inside the quotes every further quote is escaped.
		return key[:strings.LastIndex(key, `["`)]
	}
	return key[:max(strings.LastIndexAny(key, ".["), 0)]
}

// within reports whether key is outer or lies below it.
func within(key, outer string) bool {
	for ; key != ""; key = parent(key) {
		if key == outer {
			return true
		}
	}
	return false
}

func plainWord(s string) bool {
	for _, r := range s {
		if r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return s != ""
}
