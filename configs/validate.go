package configs

import (
	"fmt"
	"slices"
	"time"
)

// Validate checks a Config that was put together by a program. What Load
// returns has been checked already. The error is an Errors.
func (c *Config) Validate() error {
	if faults := c.check(nil); len(faults) > 0 {
		return faults.sorted()
	}
	return nil
}

// check returns everything that is wrong with the values. earlier are the
// faults of reading them: a value that could not be read is not judged again.
func (c *Config) check(earlier Errors) Errors {
	k := &checker{c: c, unread: newMarks(earlier), wrong: newMarks(earlier)}
	k.general()
	k.redis()
	k.http()
	k.tls()
	k.ws()
	k.auth()
	k.jobs()
	k.worker()
	k.host()
	k.dongles()
	k.usb()
	k.toggle()
	k.power()
	k.callbacks()
	k.receivers()
	k.push()
	k.secrets()
	k.delivery()
	k.cloudflare()
	k.telegram()
	k.trading()
	k.strategy()
	k.webhooks()
	k.alerts()
	k.deployments()
	k.metrics()
	return k.faults
}

// checker collects the faults of one Config.
type checker struct {
	c      *Config
	faults Errors
	// unread are the values that could not be read, wrong those and all that
	// were found to be at fault since.
	unread, wrong marks
}

// shortest is the least that a time which must not be zero can be: Redis and
// the modems count in milliseconds.
const shortest = time.Millisecond

// fault notes what is wrong with the value under key, unless it, what it is
// part of or a part of it could not even be read.
func (k *checker) fault(key, format string, args ...any) {
	if k.unread.touch(key) {
		return
	}
	k.faults = append(k.faults, k.c.Fault(key, format, args...))
	k.wrong.add(key)
}

// sound reports whether nothing is wrong with any of keys so far, for checks
// that compare them.
func (k *checker) sound(keys ...string) bool { return !slices.ContainsFunc(keys, k.wrong.touch) }

// marks are keys that are at fault (true), and what they are part of (false).
type marks map[string]bool

func newMarks(faults Errors) marks {
	m := marks{}
	for _, f := range faults {
		m.add(f.Key)
	}
	return m
}

func (m marks) add(key string) {
	if key == "" {
		return // a fault of no key says nothing about any
	}
	m[key] = true
	for key = parent(key); key != ""; key = parent(key) {
		if _, marked := m[key]; !marked {
			m[key] = false
		}
	}
}

// touch reports whether key, a part of it or what it is part of is at fault.
func (m marks) touch(key string) bool {
	if _, ok := m[key]; ok {
		return true
	}
	for key = parent(key); key != ""; key = parent(key) {
		if m[key] {
			return true
		}
	}
	return false
}

// blame returns the first of keys that somebody has set, to name the right
// line when two values don't go together and one of them is a default.
func (k *checker) blame(keys ...string) string {
	for _, key := range keys {
		if k.c.origins.has(key) {
			return key
		}
	}
	return keys[0]
}

// noted passes on the problem of a value, if there is one.
func (k *checker) noted(key, problem string) {
	if problem != "" {
		k.fault(key, "%s", problem)
	}
}

func (k *checker) number(key string, n, low, high int64) {
	if n < low || n > high {
		k.fault(key, "is %d: it must be %d to %d", n, low, high)
	}
}

func (k *checker) atLeast(key string, d Duration, low time.Duration) {
	if d.Std() < low {
		k.fault(key, "is %s: it must be at least %s", d, Duration(low))
	}
}

func (k *checker) between(key string, d Duration, low, high time.Duration) {
	if d.Std() < low || d.Std() > high {
		k.fault(key, "is %s: it must be %s to %s", d, Duration(low), Duration(high))
	}
}

// oneOf checks a word against those that have a meaning.
func (k *checker) oneOf(key, what, value string, known ...string) bool {
	for _, word := range known {
		if value == word {
			return true
		}
	}
	k.fault(key, "unknown %s %q; use %s", what, value, words(known, "or"))
	return false
}

// ownName checks that no earlier element of a list has the same value of a field as the
// i-th; first has those before it, and advice says what to do.
func (k *checker) ownName(list string, i int, field, value, advice string, first map[string]int) {
	if before, twice := first[value]; twice {
		k.fault(item(list, i)+"."+field, "is the same as %s.%s: %s", item(list, before), field, advice)
		return
	}
	first[value] = i
}

// distinct checks that nothing stands in a list twice.
func (k *checker) distinct(key string, list []string) {
	first := map[string]int{}
	for i, value := range list {
		if before, twice := first[value]; twice {
			k.fault(item(key, i), "is the same as %s: keep one", item(key, before))
			continue
		}
		first[value] = i
	}
}

// plural is for messages that count.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
