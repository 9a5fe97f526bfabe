package configs

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// Ensure that variables of every kind win over the file.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	c := accepted(t, "log: {level: warn}\nredis: {db: 2, password: old}\nhttp: {listen: [127.0.0.1:1]}\n",
		"SWITCHYARD_LOG_LEVEL=error",
		"SWITCHYARD_REDIS_DB=7",
		"SWITCHYARD_REDIS_PASSWORD=env:PW",
		"SWITCHYARD_REDIS_REQUIRE_DURABLE=False",
		"SWITCHYARD_HTTP_LISTEN=127.0.0.1:8081, [::1]:8081",
		"SWITCHYARD_HTTP_MAX_BODY=2048",
		"SWITCHYARD_HTTP_READ_TIMEOUT=1m",
		"SWITCHYARD_TOGGLE_DATASWITCH_HOLDS=1s,2s",
		"SWITCHYARD_TOGGLE_MIN_INTERVAL=0",
		"SWITCHYARD_DELIVERY_ALLOW=",
		"SWITCHYARD_HOST_UPLINK=",
		"SWITCHYARD_CONFIG=/etc/switchyard/switchyard.yaml",
		"PW=first", "PW="+password, // the last one counts
		"switchyard_log_level=debug", "NOEQUALS", "OTHER=1",
	)
	want := Default()
	want.Log.Level = "error"
	want.Redis.DB, want.Redis.Password, want.Redis.RequireDurable = 7, NewSecret(password), false
	want.HTTP.Listen = []string{"127.0.0.1:8081", "[::1]:8081"}
	want.HTTP.MaxBody, want.HTTP.ReadTimeout = 2048, Duration(time.Minute)
	want.Toggle.DataswitchHolds = []Duration{Duration(time.Second), Duration(2 * time.Second)}
	want.Delivery.Allow, want.Host.Uplink = []string{}, ""
	c.origins = nil
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

// Ensure that every fault of a variable names it in place of file and line.
func TestEnvironment_Refused(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]string{
		// Values that can't be read, or are not valid.
		"REDIS_DB=zero":                       `redis.db: "zero" is not a whole number`,
		"REDIS_DB=":                           `redis.db: "" is not a whole number`,
		"REDIS_DB=99999999999999999999":       "redis.db: 99999999999999999999 is too large a number",
		"HTTP_MAX_BODY=1MiB":                  `http.max_body: "1MiB" is not a whole number`,
		"HTTP_READ_TIMEOUT=30":                `http.read_timeout: "30" has no unit`,
		"HTTP_READ_TIMEOUT=":                  "http.read_timeout: is empty: write a duration",
		"AUTH_DISABLED=yes":                   `auth.disabled: "yes" is neither true nor false`,
		"LOG_LEVEL=":                          `log.level: unknown level ""; use debug`,
		"HTTP_LISTEN=127.0.0.1:80,,[::1]:80":  "http.listen[1]: is empty: take out the comma",
		"HTTP_LISTEN=127.0.0.1:80,0.0.0.0:80": "http.listen[1]: 0.0.0.0:80 can be reached from other machines",
		"HTTP_LISTEN=":                        "http.listen: names no address",
		"TOGGLE_DATASWITCH_HOLDS=6s,15":       `toggle.dataswitch_holds[1]: "15" has no unit`,
		"TOGGLE_METHODS=net_mode,reboot":      `toggle.methods[1]: unknown method "reboot"`,
		"WORKER_HEARTBEAT=5s":                 "worker.heartbeat: worker.ttl is 12s and worker.heartbeat 5s",
		"CALLBACKS_SECRET=" + password:        "callbacks.secret: must begin with whsec_",

		// What only the file can say.
		"HOST_DONGLES=11,12":              "host.dongles: can be set only in the file",
		"HOST_DONGLES_0_SUBNET=11":        "host.dongles: can be set only in the file",
		"CALLBACKS_TOGGLE=x":              "callbacks.toggle: can be set only in the file",
		"CALLBACKS_SECRETS=x":             "callbacks.secrets: can be set only in the file",
		"CALLBACKS_SECRETS_EXAMPLE_COM=x": "callbacks.secrets: can be set only in the file",
		"WORKER_CONCURRENCY=4":            "worker.concurrency: can be set only in the file",
		"WORKER_CONCURRENCY_DELIVERY=4":   "worker.concurrency: can be set only in the file",
		"REDIS=localhost":                 "redis: is a section: set its keys one by one, such as SWITCHYARD_REDIS_ADDR",

		// What nothing is called.
		"HTTP_LISTENS=x":        "unknown variable; did you mean SWITCHYARD_HTTP_LISTEN?",
		"REDIS_PASSWORD_FILE=x": "unknown variable; did you mean SWITCHYARD_REDIS_PASSWORD?",
		"REDIS_HOST=x":          "unknown variable; the keys of redis are addr, db, sentinel, tls, username,",
		"LISTEN=x":              "unknown variable; did you mean SWITCHYARD_HTTP_LISTEN?",
		"QUITE_ANOTHER_THING=x": "unknown variable; one is named after the path of a key",
		"=x":                    "unknown variable; one is named after",
		strings.Repeat("X", maxCompared+1) + "=x": "unknown variable; one is named after",
	} {
		entry = variablePrefix + entry
		name, _, _ := strings.Cut(entry, "=")
		refused(t, "", []string{entry}, name+": "+want)
	}
}

// Ensure that a value in the file which a variable replaces is read, but not
// judged.
func TestEnvironment_Replaces(t *testing.T) {
	t.Parallel()
	env := []string{"SWITCHYARD_LOG_LEVEL=info", "SWITCHYARD_HTTP_LISTEN=127.0.0.1:1"}
	accepted(t, "log: {level: loud}\nhttp: {listen: [0.0.0.0:80, 0.0.0.0:81]}", env...)
	refused(t, "log: {level: 5}", env, "1: log.level: must be text")
}

// Ensure that no two keys share a variable, that none is taken for another's,
// and that every key has a type which can be set.
func TestEnvironment_Names(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, k := range allKeys {
		v := k.variable()
		if other, twice := seen[v]; twice || passed[v] {
			t.Errorf("%s and %s are both %s", k.path, other, v)
		}
		seen[v] = k.path
		for _, outer := range allKeys {
			if outer.fileOnly() && k.path != outer.path && strings.HasPrefix(v, outer.variable()+"_") {
				t.Errorf("%s looks as if it set a part of %s", v, outer.path)
			}
		}
	}
	for _, typ := range leafTypes(reflect.TypeFor[Config]()) {
		l := newLoader("", nil)
		v := reflect.New(typ).Elem()
		ok := slices.ContainsFunc([]string{"1", "1s", "true", "text"}, func(s string) bool { return l.setText(v, s) == "" })
		if !ok {
			t.Errorf("a value of type %v can't be set", typ)
		}
	}
	if l, v := newLoader("", nil), reflect.New(reflect.TypeFor[float32]()).Elem(); l.setText(v, "1") == "" {
		t.Error("a float32 was set")
	}
}

// leafTypes are the types of all values in t.
func leafTypes(t reflect.Type) []reflect.Type {
	switch {
	case isSection(t):
		var out []reflect.Type
		for _, k := range fieldsOf(t) {
			out = append(out, leafTypes(k.typ)...)
		}
		return out
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Map:
		return leafTypes(t.Elem())
	default:
		return []reflect.Type{t}
	}
}
