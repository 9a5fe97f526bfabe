package configs

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const password = "correct-horse-battery"

// leaks reports whether the password shows in out, in any of the forms that
// a formatting verb could give it.
func leaks(out string) bool {
	for _, form := range []string{
		password,
		hex.EncodeToString([]byte(password)),
		fmt.Sprintf("% x", password),
		fmt.Sprintf("%v", []byte(password)),
		base64.StdEncoding.EncodeToString([]byte(password)),
	} {
		if strings.Contains(strings.ToLower(out), strings.ToLower(form)) {
			return true
		}
	}
	return false
}

// carriers are a secret in everything that may be printed with it inside.
func carriers() map[string]any {
	s := NewSecret(password)
	c := Default()
	c.Redis.Password = s
	c.Callbacks.Secret = s
	c.Callbacks.Secrets = map[string]Secret{"example.com": s}
	return map[string]any{
		"secret":     s,
		"pointer":    &s,
		"list":       []Secret{s},
		"map":        map[string]Secret{"k": s},
		"key":        map[Secret]int{s: 1},
		"interface":  []any{s},
		"config":     *c,
		"config ptr": c,
		// fmt can't call methods on these.
		"unexported":        struct{ s Secret }{s},
		"unexported ptr":    &struct{ s *Secret }{&s},
		"unexported config": struct{ c Config }{*c},
	}
}

// Ensure that no verb with any flag shows a secret, wherever it is nested.
func TestSecret_Format(t *testing.T) {
	t.Parallel()
	for name, value := range carriers() {
		for _, verb := range "vsqxXdboOeEfFgGtTcUpwz" {
			for _, flags := range []string{"", "+", "#", "-", " ", "0", "+#", "# ", "40", ".3", "[1]"} {
				format := "%" + flags + string(verb)
				if out := fmt.Sprintf(format, value); leaks(out) {
					t.Errorf("%s under %s: %s", name, format, out)
				}
			}
		}
		for _, out := range []string{
			fmt.Sprint(value), fmt.Sprintln(value), fmt.Errorf("wrapped: %v", value).Error(), errors.Join(fmt.Errorf("%q", value)).Error(),
		} {
			if leaks(out) {
				t.Errorf("%s: %s", name, out)
			}
		}
	}
}

// Ensure that a secret prints as [redacted] under the usual verbs, and an
// empty one as nothing.
func TestSecret_Redacted(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"%v", "%s", "%q", "%#v", "%+v"} {
		if out := fmt.Sprintf(format, NewSecret(password)); out != "[redacted]" {
			t.Errorf("%s: %q", format, out)
		}
		if out := fmt.Sprintf(format, NewSecret("")); out != "" {
			t.Errorf("%s of an empty secret: %q", format, out)
		}
	}
}

// Ensure that no encoding and no log handler shows a secret.
func TestSecret_Encodings(t *testing.T) {
	t.Parallel()
	for name, value := range carriers() {
		var out bytes.Buffer
		var errs []error
		collect := func(err error) { errs = append(errs, err) }

		// Not every carrier has every encoding; its refusal must not leak either.
		collect(json.NewEncoder(&out).Encode(value))
		collect(yaml.NewEncoder(&out).Encode(value))
		collect(xml.NewEncoder(&out).Encode(value))
		collect(gob.NewEncoder(&out).Encode(value))
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "key", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "key", value)
		slog.New(slog.NewTextHandler(&out, nil)).With("key", value).WithGroup("g").Info(fmt.Sprint(value))

		if all := out.String() + errors.Join(errs...).Error(); leaks(all) {
			t.Errorf("%s: %s", name, all)
		}
	}

	asJSON, err := json.Marshal(map[string]Secret{"empty": {}, "set": NewSecret(password)})
	if want := `{"empty":"","set":"[redacted]"}`; err != nil || string(asJSON) != want {
		t.Errorf("JSON: %s, %v, want %s", asJSON, err, want)
	}
	if v := NewSecret(password).LogValue(); v.String() != "[redacted]" {
		t.Errorf("LogValue: %s", v)
	}
}

// Ensure that Reveal, and nothing else, gives a secret away, and that Equal
// compares what it would give.
func TestSecret_Reveal(t *testing.T) {
	t.Parallel()
	s := NewSecret(password)
	if s.Reveal() != password || s.IsZero() {
		t.Errorf("Reveal: %q, IsZero: %v", s.Reveal(), s.IsZero())
	}
	if empty := (Secret{}); empty.Reveal() != "" || !empty.IsZero() || !NewSecret("").IsZero() {
		t.Error("an empty secret is not empty")
	}
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{password, password, true},
		{password, password + "x", false},
		{password, "", false},
		{"", "", true},
	} {
		if got := NewSecret(tt.a).Equal(NewSecret(tt.b)); got != tt.want {
			t.Errorf("%q equals %q: %v", tt.a, tt.b, got)
		}
	}
}
