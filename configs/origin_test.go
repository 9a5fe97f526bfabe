package configs

import "testing"

// Ensure that the place of every value is known: its line, its variable, or
// that of what is around it.
func TestOrigin(t *testing.T) {
	t.Parallel()
	c := accepted(t, `
log:
  format: json
http:
  listen:
    - 127.0.0.1:1
    - 127.0.0.1:2
toggle:
  methods: [net_mode]
host:
  name: a
  echo_urls: [http://example.com]
  dongles:
    - subnet: 11
      modem: http://192.0.2.1
    - {subnet: 12}
callbacks:
  secrets:
    hooks.example.com: `+signing+`
`, "SWITCHYARD_LOG_LEVEL=info", "SWITCHYARD_TOGGLE_METHODS=dataswitch", "SWITCHYARD_REDIS_DB=1")
	for key, want := range map[string]string{
		"log":                                    "switchyard.yaml:2",
		"log.format":                             "switchyard.yaml:3",
		"log.level":                              "SWITCHYARD_LOG_LEVEL",
		"http.listen":                            "switchyard.yaml:5",
		"http.listen[1]":                         "switchyard.yaml:7",
		"http.listen[7]":                         "switchyard.yaml:5",
		"http.max_body":                          "switchyard.yaml:4",
		"toggle.methods[0]":                      "SWITCHYARD_TOGGLE_METHODS",
		"host.dongles[0].modem":                  "switchyard.yaml:15",
		"host.dongles[1].subnet":                 "switchyard.yaml:16",
		"host.dongles[1].modem":                  "switchyard.yaml:16",
		`callbacks.secrets["hooks.example.com"]`: "switchyard.yaml:19",
		`callbacks.secrets["x[\"y"]`:             "switchyard.yaml:18",
		"redis.db":                               "SWITCHYARD_REDIS_DB",
		"redis.addr":                             "switchyard.yaml",
		"timezone":                               "switchyard.yaml",
	} {
		if got := c.Origin(key).String(); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
	f := c.Fault("log.format", "is %s", "wrong")
	if got, want := f.Error(), "switchyard.yaml:3: log.format: is wrong"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Ensure that a configuration without a file, or made by a program, has no
// places, and that faults of it still name the key.
func TestOrigin_None(t *testing.T) {
	t.Parallel()
	if o := Default().Origin("log.level"); o != (Origin{}) {
		t.Errorf("got %+v", o)
	}
	c, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if o := c.Origin("log.level"); o != (Origin{}) {
		t.Errorf("got %+v", o)
	}
	if got := c.Fault("log.level", "is wrong").Error(); got != "log.level: is wrong" {
		t.Errorf("got %s", got)
	}
}
