package configs

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Ensure that a printed configuration names every key in its order, and loads
// again to the same.
func TestConfig_YAML(t *testing.T) {
	t.Parallel()
	c := accepted(t, `
log: {level: warn}
http: {idle_timeout: 90m}
auth: {keys: [{name: a, hash: `+hashed+`, scopes: [admin]}], networks: [{cidr: '::1/128', scopes: [admin]}]}
host: {name: a, echo_urls: ['http://a'], dongles: [{subnet: 12}]}
callbacks: {toggle: [{name: a, start_url: 'http://a'}]}
push: {receivers: [{name: a, url: 'http://a'}]}
trading: {accounts: [`+paperAccount("id: 1")+`], groups: [{name: a, tokens: [{hash: `+hashed+`}], accounts: [{id: 1}]}]}
strategy: {commands: [{name: A, command: [/bin/true], parameters: [{name: a, type: number, default: 2, allowed: [2, 3.5]}]}]}
webhooks: {templates: [{id: a, text: 'x {y}'}], receivers: [{name: ops, type: discord, url: 'https://discord.example.com/x'}]}
alerts: {routes: [{levels: [error], sources: [exchange], telegram: ['@opsteam'], webhooks: [ops]}]}
deployments: {pipelines: [{project: a, dir: /a, branches: [main], secrets: [A], steps: [{name: a, command: [/bin/true]}], rollback: [{name: b, command: [/bin/true]}]}]}
`, "SWITCHYARD_DELIVERY_ALLOW=192.0.2.0/24")
	out, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	// A receiver needs its address, which is a secret.
	again := accepted(t, strings.Replace(string(out), "type: discord\n      url: '[redacted]'", "type: discord\n      url: 'https://discord.example.com/x'", 1))
	second, err := again.YAML()
	if err != nil || string(second) != string(out) {
		t.Errorf("%v: got\n%s\nwant\n%s", err, second, out)
	}
	if again.Log.Level != "warn" || again.HTTP.IdleTimeout != c.HTTP.IdleTimeout || again.Delivery.Allow[0] != "192.0.2.0/24" {
		t.Errorf("got %+v", again)
	}

	var doc yaml.Node
	if err := yaml.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}
	got, want := keysOfNode(doc.Content[0], reflect.TypeFor[Config](), ""), keysOfType(reflect.TypeFor[Config](), "")
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Ensure that printed secrets are [redacted], and that this is not taken for
// a secret when it comes back.
func TestConfig_YAML_Secrets(t *testing.T) {
	t.Parallel()
	c := accepted(t, "redis: {password: "+password+"}\ncallbacks: {secret: "+signing+", secrets: {example.com: "+signing+"}}\n")
	out, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	text := string(out)
	if leaks(text) || strings.Contains(text, "AAAA") || strings.Count(text, "'[redacted]'") != 3 {
		t.Errorf("got\n%s", text)
	}
	_, err = load(file, out, nil)
	if err == nil || strings.Count(err.Error(), "is what a printed configuration shows") != 3 {
		t.Errorf("got %v", err)
	}
}
