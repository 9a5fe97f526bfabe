package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// commented is a key, or an element, that the example shows switched off.
var commented = regexp.MustCompile(`(?m)^( *)#([^# \n])`)

// uncommented is the example with all its examples switched on.
func uncommented() []byte { return commented.ReplaceAll(Example, []byte("$1$2")) }

// exampleVault holds what the secrets of the example refer to.
func exampleVault(t *testing.T) vault {
	v := newVault(t, map[string]string{"redis-password": password + "\n", "sentinel-password": password + "\n", "callback-secret": signing + "\n", "modem-password": password, "modem-12": password, "cloudflare-token": password, "trading-key": password, "trading-secret": password, "trading-passphrase": password, "telegram-token": "110201543:" + password})
	v.environ = append(v.environ, "HOOKS_SECRET="+signing, "OPS_WEBHOOK=https://discord.example.com/hook")
	return v
}

// Ensure that the example is the defaults, so that nobody who starts from it
// changes anything by doing so.
func TestExample_Defaults(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, Example, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.origins = nil
	if want := Default(); !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

// Ensure that the example loads with everything in it switched on.
func TestExample_Uncommented(t *testing.T) {
	t.Parallel()
	v := exampleVault(t)
	c := accepted(t, string(uncommented()), v.environ...)
	if len(c.Host.Dongles) != 2 || len(c.Callbacks.Toggle) != 2 || c.Callbacks.Secret.Reveal() != signing {
		t.Errorf("not everything was switched on: %+v", c)
	}
	// What stands there beside the examples is still the default.
	shown := accepted(t, string(Example))
	for _, k := range allKeys {
		if k.section() || !shown.origins.has(k.path) {
			continue
		}
		got := reflect.ValueOf(c).Elem().FieldByIndex(k.index).Interface()
		want := reflect.ValueOf(Default()).Elem().FieldByIndex(k.index).Interface()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", k.path, got, want)
		}
	}
}

// Ensure that the example names every key of Config in its order, and no
// other; and that it comments out no key that has a default.
func TestExample_Complete(t *testing.T) {
	t.Parallel()
	var doc yaml.Node
	if err := yaml.Unmarshal(uncommented(), &doc); err != nil {
		t.Fatal(err)
	}
	got, want := keysOfNode(doc.Content[0], reflect.TypeFor[Config](), ""), keysOfType(reflect.TypeFor[Config](), "")
	if !slices.Equal(got, want) {
		t.Errorf("the example has\n%s\nConfig has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	shown := accepted(t, string(Example))
	for _, k := range allKeys {
		v := reflect.ValueOf(Default()).Elem().FieldByIndex(k.index)
		if !shown.origins.has(k.path) && !v.IsZero() {
			t.Errorf("%s is commented out, but its default is %v", k.path, v)
		}
	}
}

// keysOfType lists the keys of a type, those of a list's elements once.
func keysOfType(t reflect.Type, path string) []string {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if !isSection(t) {
		return nil
	}
	var out []string
	for _, k := range fieldsOf(t) {
		out = append(out, child(path, k.name))
		out = append(out, keysOfType(k.typ, child(path, k.name))...)
	}
	return out
}

// keysOfNode lists the keys of a file likewise: of several elements, all keys
// in the order in which they first stand.
func keysOfNode(n *yaml.Node, t reflect.Type, path string) []string {
	var out []string
	switch {
	case t.Kind() == reflect.Slice:
		for _, element := range n.Content {
			for _, name := range keysOfNode(element, t.Elem(), path) {
				if !slices.Contains(out, name) {
					out = append(out, name)
				}
			}
		}
	case isSection(t):
		fields := fieldsOf(t)
		for i := 0; i < len(n.Content); i += 2 {
			path := child(path, n.Content[i].Value)
			out = append(out, path)
			if j := slices.IndexFunc(fields, func(k key) bool { return k.name == n.Content[i].Value }); j >= 0 {
				out = append(out, keysOfNode(n.Content[i+1], fields[j].typ, path)...)
			}
		}
	}
	return out
}

// Ensure that every key of the example has a comment above it, and that the
// addresses in it belong to nobody.
func TestExample_Text(t *testing.T) {
	t.Parallel()
	text := string(Example)
	for _, address := range regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+\b`).FindAllString(text, -1) {
		if !regexp.MustCompile(`^(127\.0\.0\.1|192\.0\.2|198\.51\.100|203\.0\.113)`).MatchString(address) {
			t.Errorf("%s is no documentation address", address)
		}
	}
	for _, name := range regexp.MustCompile(`//[a-z][a-z0-9.-]*`).FindAllString(text, -1) {
		if !strings.HasSuffix(name, "example.com") {
			t.Errorf("%s is no documentation name", name)
		}
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		// A hash can't be broken.
		if len(line) > 80 && !strings.Contains(line, "hash: sha256:") {
			t.Errorf("line %d is longer than 80 letters", i+1)
		}
		if strings.TrimRight(line, " \t") != line || strings.Contains(line, "\t") {
			t.Errorf("line %d has white space at its end, or tabs", i+1)
		}
	}
	// In section after section: a blank line, its comment, the key.
	for _, k := range allKeys {
		depth := strings.Count(k.path, ".")
		start := slices.IndexFunc(lines, func(l string) bool {
			return regexp.MustCompile(fmt.Sprintf(`^ {%d}#?%s:`, 2*depth, k.name)).MatchString(l)
		})
		if start < 1 || !strings.Contains(lines[start-1], "#") && !strings.HasSuffix(lines[start-1], ":") {
			t.Errorf("%s has no comment above it", k.path)
		}
	}
}
