package configs

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Ensure that a file with nothing in it, and no file at all, are the defaults.
func TestLoad_Empty(t *testing.T) {
	t.Parallel()
	want := Default()
	for _, yaml := range []string{"", "\n", "# nothing\n", "---\n", "---\n...\n", "~", "\uFEFF", "{}", "log:\nhost: ~\nworker: {}\nredis:\n  # none\n"} {
		got := accepted(t, yaml)
		got.origins = nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q gives %+v", yaml, got)
		}
	}
	got, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	got.origins = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("no file gives %+v", got)
	}
}

// Ensure that every kind of value gets from the file into its field.
func TestLoad_Values(t *testing.T) {
	t.Parallel()
	c := accepted(t, `
log: {level: debug}
redis: {db: 3, require_durable: false, username: app, password: "it's"}
http:
  listen: [localhost:9000]
  max_body: 0x1000
worker:
  concurrency: {delivery: 64, trading: 4}
host:
  name: seoul-1
  echo_urls: [https://ip.example.com]
  dongles:
    - subnet: 11
    - {subnet: 12, modem: "http://192.0.2.12"}
toggle:
  min_interval: 0
  dataswitch_holds: [1s, 2s, 3s]
callbacks:
  secrets:
    hooks.example.com: `+signing+`
delivery: {allow: []}
`)
	want := Default()
	want.Log.Level = "debug"
	want.Redis.DB, want.Redis.RequireDurable = 3, false
	want.Redis.Username, want.Redis.Password = "app", NewSecret("it's")
	want.HTTP.Listen, want.HTTP.MaxBody = []string{"localhost:9000"}, 4096
	// A map adds to its default, a list replaces it.
	want.Worker.Concurrency = map[string]int{"delivery": 64, "interactive": 32, "strategy": 2, "trading": 4, "default": 16}
	want.Host.Name, want.Host.EchoURLs = "seoul-1", []string{"https://ip.example.com"}
	want.Host.Dongles = []Dongle{{Subnet: 11}, {Subnet: 12, Modem: "http://192.0.2.12"}}
	want.Toggle.DataswitchHolds = []Duration{Duration(time.Second), Duration(2 * time.Second), Duration(3 * time.Second)}
	want.Callbacks.Secrets = map[string]Secret{"hooks.example.com": NewSecret(signing)}
	want.Delivery.Allow = []string{}

	c.origins = nil
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

// Ensure that what is not a plain and complete configuration is refused, with
// its line and key.
func TestLoad_Strict(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		yaml string
		want []string
	}{
		"unknown key":                {"log:\n  levvel: info\n", []string{"2: log.levvel: unknown key; did you mean level?"}},
		"unknown key in a list":      {"host:\n  name: a\n  echo_urls: ['http://example.com']\n  dongles:\n  - subnet: 11\n    moden: x\n", []string{"6: host.dongles[0].moden: unknown key; did you mean modem?"}},
		"unknown section":            {"loging:\n  level: info\n", []string{"1: loging: unknown key; did you mean log?"}},
		"key of another section":     {"listen: [127.0.0.1:1]\n", []string{"1: listen: unknown key here; did you mean http.listen?"}},
		"key like nothing":           {"log:\n  verbosity: 5\n", []string{"2: log.verbosity: unknown key; known here are level and format"}},
		"key that is no word":        {"log:\n  a.b: 5\n  \"\": 1\n", []string{`2: log["a.b"]: unknown key`, `3: log[""]: unknown key`}},
		"key that is no text":        {"log:\n  ? [a]\n  : 1\n  ? {a: 1}\n  : 1\n", []string{"2: log: a key must be plain text", "4: log: a key must be plain text"}},
		"key twice":                  {"log:\n  level: info\n  format: text\n  level: warn\n", []string{"4: log.level: is given twice, first in line 2: keep one"}},
		"section twice":              {"log: {level: info}\nredis: {db: 1}\nlog: {format: text}\n", []string{"3: log: is given twice, first in line 1"}},
		"map key twice":              {"worker:\n  concurrency: {default: 1, default: 2}\n", []string{"2: worker.concurrency.default: is given twice, first in line 2"}},
		"second document":            {"log: {level: info}\n---\nlog: {level: warn}\n", []string{"2: a second document begins here"}},
		"empty second document":      {"log: {level: info}\n---\n", []string{"2: a second document begins here"}},
		"broken second document":     {"log: {level: info}\n---\n}\n", []string{"3: is not valid YAML: did not find expected node content"}},
		"list for the whole":         {"- log\n", []string{"1: must be a section with keys, such as timezone"}},
		"text for a section":         {"log: info\n", []string{"1: log: must be a section with keys, such as level"}},
		"list for a section":         {"log: [info]\n", []string{"1: log: must be a section with keys"}},
		"text for a list":            {"http:\n  listen: 127.0.0.1:8080\n", []string{"2: http.listen: must be a list"}},
		"nothing for a list":         {"http:\n  listen:\n", []string{"2: http.listen: has no value: list its elements"}},
		"list for a map":             {"worker:\n  concurrency: [1]\n", []string{"2: worker.concurrency: must be a map"}},
		"text in a list of sections": {"callbacks:\n  toggle:\n  - http://example.com\n", []string{"3: callbacks.toggle[0]: must be a section with keys, such as name"}},
		"number for text":            {"log:\n  level: 5\n", []string{"2: log.level: must be text: put it in quotes"}},
		"bool for text":              {"host:\n  name: true\n", []string{"2: host.name: must be text: put it in quotes"}},
		"date for text":              {"host:\n  name: 2025-12-13\n", []string{"2: host.name: must be text: put it in quotes"}},
		"nothing for text":           {"host:\n  name:\n", []string{`2: host.name: has no value: give it one, write "" for none`}},
		"section for text":           {"host:\n  name: {a: b}\n", []string{"2: host.name: must be text"}},
		"text for a number":          {"redis:\n  db: \"1\"\n", []string{"2: redis.db: must be a whole number, without quotes"}},
		"fraction":                   {"redis:\n  db: 1.5\n", []string{"2: redis.db: must be a whole number"}},
		"large number":               {"redis:\n  db: 9223372036854775808\n", []string{"2: redis.db: 9223372036854775808 is too large a number"}},
		"larger number":              {"redis:\n  db: 99999999999999999999\n", []string{"2: redis.db: must be a whole number"}},
		"nothing for a number":       {"redis:\n  db:\n", []string{"2: redis.db: has no value: give it one, or take the key out"}},
		"text for a bool":            {"auth:\n  disabled: yes\n", []string{"2: auth.disabled: must be true or false"}},
		"number for a secret":        {"redis:\n  password: 12345\n", []string{"2: redis.password: must be text: put it in quotes"}},
		"number for a duration":      {"http:\n  read_timeout: 30\n", []string{`2: http.read_timeout: "30" has no unit: write 30s`}},
		"bool for a duration":        {"http:\n  read_timeout: true\n", []string{"2: http.read_timeout: must be a duration with its unit"}},
		"days":                       {"jobs:\n  retention: 7d\n", []string{`2: jobs.retention: "7d" is not a duration`}},
		"duration in a list":         {"toggle:\n  dataswitch_holds:\n  - 6s\n  - 15\n", []string{`4: toggle.dataswitch_holds[1]: "15" has no unit`}},
		"number in a map":            {"worker:\n  concurrency:\n    default: many\n", []string{"3: worker.concurrency.default: must be a whole number"}},
		"anchor":                     {"log: &a {level: info}\n", []string{"1: log: aliases and anchors are not supported"}},
		"alias":                      {"log:\n  level: &a info\n  format: *a\n", []string{"2: log.level: aliases and", "3: log.format: aliases and"}},
		"alias as key":               {"log:\n  level: &a info\n  *a : x\n", []string{"2: log.level: aliases", "3: log: aliases and anchors"}},
		"merge key":                  {"log:\n  <<: {level: info}\n", []string{"2: log: aliases and anchors are not supported"}},
		"unknown anchor":             {"log:\n  level: info\n\n  format: *a\n", []string{"4: aliases and anchors are not supported"}},
		"tag":                        {"log:\n  level: !!str info\n", []string{"2: log.level: tags are not supported"}},
		"tag on a key":               {"log:\n  !!str level: info\n", []string{"2: log: a key must be plain text"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, tt.yaml, nil, tt.want...)
		})
	}
}

// Ensure that a syntax error names the line that is wrong, not the start of
// the block around it.
func TestLoad_Syntax(t *testing.T) {
	t.Parallel()
	const head = "# comment\n\nlog:\n  level: info\nhttp:\n  max_body: 5000\n" // 6 lines
	const tail = "\n# comment\n\nauth:\n  disabled: true\n"
	for name, tt := range map[string]struct{ yaml, want string }{
		"first line":          {"}\n" + head, "1: is not valid YAML: did not find expected node content"},
		"two colons":          {head + "redis: db: 5\n" + tail, "7: is not valid YAML: mapping values are not allowed"},
		"list for a key":      {head + "- a\n" + tail, "7: is not valid YAML: did not find expected key"},
		"indented too little": {head + "redis:\n  db: 1\n addr: x\n" + tail, "9: is not valid YAML: did not find expected key"},
		"tab":                 {head + "redis:\n\tdb: 1\n" + tail, "8: is not valid YAML: found character that cannot start any token"},
		"open bracket":        {head + "toggle:\n  methods: [a, b\n" + tail, "8: is not valid YAML: did not find expected ',' or ']'"},
		"open quote":          {head + "timezone: \"Asia\n" + tail, "7: is not valid YAML: found unexpected end of stream"},
		"IPv6 without quotes": {head + "redis:\n  addr: [::1]:6379\n" + tail, "8: is not valid YAML: did not find expected node content"},
		"after the quotes":    {head + "timezone: 'Asia'/Seoul\n" + tail, "7: is not valid YAML: did not find expected key"},
		"after comments":      {head + "timezone: 'a'b\n" + strings.Repeat("# comment\n", 200) + "auth:\n", "7: is not valid YAML: did not find expected key"},
		"nothing before":      {strings.Repeat("# comment\n", 20) + "timezone: 'a'b\n", "21: is not valid YAML"},
		"control character":   {head + "timezone: \x01\n", "7: holds a byte that YAML does not allow"},
		"Latin-1":             {head + "timezone: S\xe9oul\n", "7: holds a byte that YAML does not allow"},
		"UTF-16":              {"\xff\xfea\x00", "1: holds a byte that YAML does not allow"},
		"too deep":            {strings.Repeat("[", 20_000), "1: is not valid YAML: exceeded max depth"},
		"long open list":      {head + "toggle: [\n" + strings.Repeat("  a,\n", 200) + "}\n", "7: is not valid YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, tt.yaml, nil, tt.want)
		})
	}
}

// Ensure that all faults come together, in the order of the file and then of
// the variables.
func TestLoad_All(t *testing.T) {
	t.Parallel()
	refused(t, `timezone: Asia/Soul
log:
  level: loud
redis:
  db: 16
  dbb: 1
host:
  dongles:
    - subnet: 5
toggle:
  methods: [net_mode, reboot]
`, []string{"SWITCHYARD_WORKER_TTL=5", "SWITCHYARD_LOG_FORMAT=xml"},
		`1: timezone: unknown time zone "Asia/Soul"`,
		`3: log.level: unknown level "loud"; use debug, info, warn or error`,
		"5: redis.db: is 16: it must be 0 to 15",
		"6: redis.dbb: unknown key; did you mean db?",
		"8: host.dongles: needs host.name too",
		"9: host.dongles[0].subnet: is 5: it must be 11 to 30",
		`11: toggle.methods[1]: unknown method "reboot"; use net_mode or dataswitch`,
		`SWITCHYARD_LOG_FORMAT: log.format: unknown format "xml"; use text or json`,
		`SWITCHYARD_WORKER_TTL: worker.ttl: "5" has no unit`,
	)
}

// Ensure that a value which can't be read is one fault: neither itself nor
// what depends on it is judged again.
func TestLoad_NoFollowUps(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"worker: {ttl: 1, heartbeat: 1h}":                                    `1: worker.ttl: "1" has no unit`,
		"host: {name: a, echo_urls: http://example.com}":                     "1: host.echo_urls: must be a list",
		"host: {name: 5, dongles: [{subnet: 11}]}":                           "1: host.name: must be text",
		"callbacks: {toggle: [{name: a, start_ulr: http://example.com}]}":    "1: callbacks.toggle[0].start_ulr: unknown key; did you mean start_url?",
		"toggle: {methods: [5]}":                                             "1: toggle.methods[0]: must be text",
		"redis: {username: a, password: 5}":                                  "1: redis.password: must be text",
		"callbacks: {first_retry: 1h, max_retry: long}":                      `1: callbacks.max_retry: "long" is not a duration`,
		"host: {name: a, echo_urls: ['http://a'], dongles: [{subnet: ten}]}": "1: host.dongles[0].subnet: must be a whole number",
	} {
		refused(t, yaml, nil, want)
	}
}

// Ensure that a file which can't be read is a fault that names it.
func TestLoad_Unreadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.yaml")
	for path, want := range map[string]string{
		missing: missing + ": there is no such file: check the path",
		dir:     dir + ": can't be read: is a directory",
		large:   large + ": is larger than 1 MiB",
	} {
		c, err := Load(path, nil)
		var faults Errors
		if c != nil || !errors.As(err, &faults) || len(faults) != 1 || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, %v", path, c, err)
		}
	}
	if err := unreadable(os.ErrPermission); !strings.HasPrefix(err.Error(), "may not be read by this user") {
		t.Error(err)
	}
}

// Ensure that faults name the file by the path it was loaded from, and that
// both the list and its first fault are found with errors.As.
func TestLoad_Path(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "other.yaml")
	if err := os.WriteFile(path, []byte("log:\n  level: loud\nauth: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path, nil)
	var fault Fault
	if !errors.As(err, &fault) {
		t.Fatalf("got %T, want a Fault inside", err)
	}
	want := Fault{Origin: Origin{File: path, Line: 2}, Key: "log.level", Message: `unknown level "loud"; use debug, info, warn or error`}
	if fault != want {
		t.Errorf("got %+v, want %+v", fault, want)
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 2 || lines[0] != want.Error() {
		t.Errorf("got %q", lines)
	}
}
