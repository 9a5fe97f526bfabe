package configs

import (
	"errors"
	"testing"
)

// Ensure that no file makes Load panic, and that each one gives either a valid
// configuration, which prints and loads again, or faults with a line and words.
func FuzzLoad(f *testing.F) {
	f.Add(Example)
	f.Add(uncommented())
	for _, seed := range []string{
		"", "a: *b", "a: &b [*b]", "<<: {a: 1}", "log: {level: info, level: warn}", "---\n---\n", "? [a]\n: b", "\xff\xfe",
		"redis: {password: 'env:X'}", "redis: {db: 0o7, pool_size: 1_0}", "worker: {concurrency: {default: 1, \"\": 2}}",
		"callbacks: {secrets: {a.b: whsec_}}", "toggle: {dataswitch_holds: [1s, 0, .inf]}", "log: !!map {level: !!str x}",
		"host: {dongles: [~, {}, [], 1, {subnet: 11, modem: http://[::1]}]}", "timezone: |\n  UTC\n", "%YAML 1.1\n---\n", "{", "- [",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := load(file, data, []string{"X=secret"})
		if (c == nil) == (err == nil) {
			t.Fatalf("got %v and %v", c, err)
		}
		if err != nil {
			var faults Errors
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Fatalf("got %T %v", err, err)
			}
			for _, fault := range faults {
				if fault.File != file || fault.Line < 1 || fault.Message == "" {
					t.Errorf("incomplete: %+v", fault)
				}
			}
			return
		}
		out, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if c.Redis.Password.IsZero() && c.Callbacks.Secret.IsZero() && len(c.Callbacks.Secrets) == 0 {
			if _, err := load(file, out, nil); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		}
	})
}
