package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchyard/configs"
)

// Ensure a toggle request with any fault is refused with the fault's status,
// code and field as the one error document, and leaves nothing behind.
func TestToggleRefusesFaultyRequests(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	before := b.keys(t)
	long := func(n int) string { return strings.Repeat("a", n) }
	for _, tt := range []struct {
		name, body  string
		status      int
		code, field string
	}{
		{"no body", ``, 400, "invalid_body", ""},
		{"cut off", `{"port": 10016`, 400, "invalid_body", ""},
		{"no JSON", `port=10016`, 400, "invalid_body", ""},
		{"two documents", `{"port":10016}{"port":10017}`, 400, "invalid_body", ""},
		{"something behind", `{"port":10016} x`, 400, "invalid_body", ""},
		{"null", `null`, 400, "invalid_body", ""},
		{"array", `[{"port":10016}]`, 400, "invalid_body", ""},
		{"string", `"10016"`, 400, "invalid_body", ""},
		{"number", `10016`, 400, "invalid_body", ""},

		{"neither port nor subnet", `{}`, 400, "missing_port", "port"},
		{"port and subnet null", `{"port":null,"subnet":null}`, 400, "missing_port", "port"},
		{"unknown field", `{"port":10016,"dongle":16}`, 400, "unknown_field", "dongle"},

		{"port below", `{"port":10010}`, 400, "invalid_port", "port"},
		{"port above", `{"port":10031}`, 400, "invalid_port", "port"},
		{"port negative", `{"port":-10016}`, 400, "invalid_port", "port"},
		{"port is the subnet", `{"port":16}`, 400, "invalid_port", "port"},
		{"port of text", `{"port":"10016"}`, 400, "invalid_port", "port"},
		{"port of truth", `{"port":true}`, 400, "invalid_port", "port"},
		{"port in a list", `{"port":[10016]}`, 400, "invalid_port", "port"},
		{"port with a fraction", `{"port":10016.5}`, 400, "invalid_port", "port"},
		{"port with an empty fraction", `{"port":10016.0}`, 400, "invalid_port", "port"},
		{"port beyond int64", `{"port":99999999999999999999}`, 400, "invalid_port", "port"},
		{"port beyond float64", `{"port":1e400}`, 400, "invalid_body", ""},
		{"subnet below", `{"subnet":10}`, 400, "invalid_subnet", "subnet"},
		{"subnet above", `{"subnet":31}`, 400, "invalid_subnet", "subnet"},
		{"subnet is the port", `{"subnet":10016}`, 400, "invalid_subnet", "subnet"},
		{"subnet of text", `{"subnet":"16"}`, 400, "invalid_subnet", "subnet"},
		{"subnet beyond int64", `{"subnet":99999999999999999999}`, 400, "invalid_subnet", "subnet"},
		{"port and subnet differ", `{"port":10016,"subnet":17}`, 400, "invalid_port", "port"},

		{"host of a number", `{"port":10016,"host":5}`, 400, "invalid_host", "host"},
		{"host too long", `{"port":10016,"host":"` + long(41) + `"}`, 400, "invalid_host", "host"},
		{"host unknown", `{"port":10016,"host":"nowhere"}`, 404, "unknown_host", "host"},
		{"server_ip of a number", `{"port":10016,"server_ip":5}`, 400, "invalid_server_ip", "server_ip"},
		{"server_ip too long", `{"port":10016,"server_ip":"` + long(46) + `"}`, 400, "invalid_server_ip", "server_ip"},
		{"server_ip unknown", `{"port":10016,"server_ip":"203.0.113.99"}`, 404, "unknown_host", "server_ip"},
		{"host and server_ip differ", `{"port":10016,"host":"seoul-1","server_ip":"203.0.113.99"}`, 404, "unknown_host", "host"},
		{"dongle unknown", `{"subnet":25}`, 404, "unknown_dongle", "port"},

		{"chat_id of truth", `{"port":10016,"chat_id":true}`, 400, "invalid_chat_id", "chat_id"},
		{"chat_id in a list", `{"port":10016,"chat_id":[1]}`, 400, "invalid_chat_id", "chat_id"},
		{"chat_id in an object", `{"port":10016,"chat_id":{}}`, 400, "invalid_chat_id", "chat_id"},
		{"chat_id with a fraction", `{"port":10016,"chat_id":1.5}`, 400, "invalid_chat_id", "chat_id"},
		{"chat_id with an exponent", `{"port":10016,"chat_id":1e3}`, 400, "invalid_chat_id", "chat_id"},
		{"chat_id empty", `{"port":10016,"chat_id":""}`, 400, "invalid_chat_id", "chat_id"},
		{"chat_id zero", `{"port":10016,"chat_id":0}`, 400, "invalid_chat_id", "chat_id"},
		{"chat_id with a leading zero", `{"port":10016,"chat_id":"0123"}`, 400, "invalid_chat_id", "chat_id"},
		{"chat_id beyond int64", `{"port":10016,"chat_id":12345678901234567890}`, 400, "invalid_chat_id", "chat_id"},
		{"chat_id just beyond int64", `{"port":10016,"chat_id":-9223372036854775809}`, 400, "invalid_chat_id", "chat_id"},
		{"chat_id of words", `{"port":10016,"chat_id":"operators"}`, 400, "invalid_chat_id", "chat_id"},
		{"channel too short", `{"port":10016,"chat_id":"@ops"}`, 400, "invalid_chat_id", "chat_id"},
		{"channel too long", `{"port":10016,"chat_id":"@` + long(33) + `"}`, 400, "invalid_chat_id", "chat_id"},
		{"channel with a dash", `{"port":10016,"chat_id":"@op-erators"}`, 400, "invalid_chat_id", "chat_id"},
		{"channel and a line", `{"port":10016,"chat_id":"@operators\n"}`, 400, "invalid_chat_id", "chat_id"},
		{"chat_id too long", `{"port":10016,"chat_id":"` + long(65) + `"}`, 400, "invalid_chat_id", "chat_id"},

		{"callback_url of a number", `{"port":10016,"callback_url":5}`, 400, "invalid_callback_url", "callback_url"},
		{"callback_url no URL", `{"port":10016,"callback_url":"hooks.example.com"}`, 400, "invalid_callback_url", "callback_url"},
		{"callback_url of another scheme", `{"port":10016,"callback_url":"ftp://hooks.example.com/"}`, 400, "invalid_callback_url", "callback_url"},
		{"callback_url without a host", `{"port":10016,"callback_url":"http:///x"}`, 400, "invalid_callback_url", "callback_url"},
		{"callback_url with a password", `{"port":10016,"callback_url":"http://user:secret@hooks.example.com/"}`, 400, "invalid_callback_url", "callback_url"},
		{"callback_url too long", `{"port":10016,"callback_url":"http://hooks.example.com/` + long(2048) + `"}`, 400, "invalid_callback_url", "callback_url"},

		{"wait negative", `{"port":10016,"wait":-1}`, 400, "invalid_wait", "wait"},
		{"wait too long", `{"port":10016,"wait":200.5}`, 400, "invalid_wait", "wait"},
		{"wait of text", `{"port":10016,"wait":"60"}`, 400, "invalid_wait", "wait"},
		{"wait of truth", `{"port":10016,"wait":true}`, 400, "invalid_wait", "wait"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := b.toggle(t, tt.body)
			p := a.wantsProblem(t, tt.status, tt.code, tt.field)
			if strings.Contains(p.Detail, "secret") {
				t.Errorf("the answer tells the password: %s", p.Detail)
			}
			b.untouched(t, before)
		})
	}
}

// Ensure a body that isn't declared as JSON, or is too large, declared so or
// not, is refused by its own status and leaves nothing behind.
func TestToggleRefusesUnfitBodies(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.HTTP.MaxBody = 1 << 10 }).register(t, seoul)
	before := b.keys(t)
	large := `{"port":10016` + strings.Repeat(" ", 1<<10) + `}`
	for _, tt := range []struct {
		name, contentType, body string
		undeclared              bool // the length
		status                  int
		code                    string
	}{
		{"text", "text/plain", `{"port":10016}`, false, 415, "unsupported_media_type"},
		{"form", "application/x-www-form-urlencoded", `port=10016`, false, 415, "unsupported_media_type"},
		{"CBOR", "application/cbor", `{"port":10016}`, false, 415, "unsupported_media_type"},
		{"multipart", "multipart/form-data; boundary=x", `{"port":10016}`, false, 415, "unsupported_media_type"},
		{"too large", "application/json", large, false, 413, "too_large"},
		{"too large and undeclared", "application/json", large, true, 413, "too_large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var body interface {
				Read([]byte) (int, error)
			} = strings.NewReader(tt.body)
			if tt.undeclared {
				body = struct{ *strings.Reader }{strings.NewReader(tt.body)}
			}
			a, err := b.try(http.MethodPost, togglePath, body, "Content-Type", tt.contentType)
			must(t, err)
			a.wantsProblem(t, tt.status, tt.code, "")
			b.untouched(t, before)
		})
	}
}

// Ensure an Idempotency-Key that is too long is refused by name.
func TestToggleRefusesLongIdempotencyKeys(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	before := b.keys(t)
	a := b.toggle(t, `{"port":10016}`, "Idempotency-Key", strings.Repeat("k", 256))
	a.wantsProblem(t, 400, "invalid_idempotency_key", "Idempotency-Key")
	b.untouched(t, before)
}

// Ensure the host may be left out only where there is one, and that each way
// of naming it finds it.
func TestToggleFindsTheHost(t *testing.T) {
	t.Parallel()
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		a := b.toggle(t, `{"port":10016}`)
		a.wantsProblem(t, 503, "no_host", "")
		a.wantsRetryAfter(t)
		b.toggle(t, `{"port":10016,"host":"seoul-1"}`).wantsProblem(t, 404, "unknown_host", "host")
		b.untouched(t, []string{})
	})
	t.Run("one", func(t *testing.T) {
		t.Parallel()
		b := setup(t).register(t, seoul)
		b.toggle(t, `{"port":10016}`)
		if got := b.onlyJob(t).Host; got != "seoul-1" {
			t.Errorf("the job is for %q", got)
		}
	})
	t.Run("several", func(t *testing.T) {
		t.Parallel()
		b := setup(t).register(t, seoul, busan)
		before := b.keys(t)
		p := b.toggle(t, `{"port":10016}`).wantsProblem(t, 400, "missing_host", "host")
		if !strings.Contains(p.Detail, "busan-1, seoul-1") {
			t.Errorf("%q does not say what hosts there are", p.Detail)
		}
		b.toggle(t, `{"subnet":17,"host":"busan-1"}`).wantsProblem(t, 404, "unknown_dongle", "port")
		b.untouched(t, before)
		for i, naming := range []string{`"host":"busan-1"`, `"server_ip":"203.0.113.9"`, `"host":"busan-1","server_ip":"203.0.113.9"`} {
			a := b.toggle(t, fmt.Sprintf(`{"subnet":16,%s}`, naming))
			if a.status != 202 || strings.Contains(a.body, "joined") != (i > 0) {
				t.Errorf("%s: answer %d %s", naming, a.status, a.body)
			}
		}
		if got := b.onlyJob(t).Host; got != "busan-1" {
			t.Errorf("the job is for %q", got)
		}
	})
}

// Ensure a dongle that was toggled a moment ago is refused for the rest of
// toggle.min_interval, unless its toggle is still under way, and others aren't.
func TestToggleKeepsTheInterval(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Toggle.MinInterval = configs.Duration(5 * time.Minute) }).register(t, seoul)
	must(t, b.registry.SetLastToggle(b.ctx, "seoul-1", 16, b.store.Now()))
	before := b.keys(t)

	a := b.toggle(t, `{"subnet":16}`)
	a.wantsProblem(t, 429, "too_soon", "")
	a.wantsRetryAfter(t)
	if s := a.header.Get("Retry-After"); len(s) != 3 || s < "240" || s > "302" {
		t.Errorf("Retry-After %s, want nearly 300", s)
	}
	a = b.get(t, "/toggle/16")
	if a.status != 429 || !strings.HasPrefix(a.body, `{"error":"`) {
		t.Errorf("answer %d %s", a.status, a.body)
	}
	a.wantsRetryAfter(t)
	b.untouched(t, before)

	other := b.toggle(t, `{"subnet":17}`)
	if other.status != 202 {
		t.Errorf("another dongle: answer %d %s", other.status, other.body)
	}
	must(t, b.registry.SetLastToggle(b.ctx, "seoul-1", 17, b.store.Now()))
	if a := b.toggle(t, `{"subnet":17}`); a.status != 202 || a.jobID(t) != other.jobID(t) {
		t.Errorf("a toggle under way is not joined: answer %d %s", a.status, a.body)
	}
	b.wind(t, 5*time.Minute)
	if a := b.toggle(t, `{"subnet":16}`); a.status != 202 {
		t.Errorf("after the interval: answer %d %s", a.status, a.body)
	}
}
