package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/tasks"
)

const asForm = "application/x-www-form-urlencoded"

// Ensure the addresses that the older infra API shows are taken to the letter,
// with their prefix and without, and become jobs of the right kind and chat.
func TestInfraTakesTheOlderExamples(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method, path string
		typ          tasks.Type
		chat         string
		payload      string
	}{
		{"GET", "/v1/cf/search?ip=1.1.1.1&chat_id=-12345678", tasks.CFSearch, "-12345678", `{"ip":"1.1.1.1"}`},
		{"GET", "/api/v1/cf/search?ip=1.1.1.1&chat_id=-12345678", tasks.CFSearch, "-12345678", `{"ip":"1.1.1.1"}`},
		{"POST", "/api/v1/cf/block?ip=1.1.1.1&chat_id=-12345678", tasks.CFBlock, "-12345678", `{"ip":"1.1.1.1"}`},
		{"POST", "/v1/cf/block/?ip=1.1.1.1&chat_id=-12345678", tasks.CFBlock, "-12345678", `{"ip":"1.1.1.1"}`},
		{"POST", "/api/v1/cf/release?ip=1.1.1.1&chat_id=-12345678", tasks.CFRelease, "-12345678", `{"ip":"1.1.1.1"}`},
		{"GET", "/v1/telegram?chat_id=-123456&text=test%20message", tasks.Telegram, "-123456", `{"chat_id":"-123456","text":"test message"}`},
		{"GET", "/api/v1/telegram/?chat_id=-123456&text=test+message", tasks.Telegram, "-123456", `{"chat_id":"-123456","text":"test message"}`},
		{"POST", "/v1/telegram?chat_id=-123456&text=test%20message", tasks.Telegram, "-123456", `{"chat_id":"-123456","text":"test message"}`},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			a := b.do(t, tt.method, tt.path, "")
			id := a.jobID(t)
			a.wants(t, http.StatusAccepted, `{"job_id":"`+id+`","status":"queued"}`)
			a.wantsHeader(t, "Location", "/api/v1/jobs/"+id)
			j := b.onlyJob(t)
			if j.Type != tt.typ || j.ChatID != tt.chat || string(j.Payload) != tt.payload || j.Queue != tasks.QueueInteractive || j.OrderKey != "chat:"+tt.chat {
				t.Errorf("job %+v, payload %s", j, j.Payload)
			}
			if n, err := b.rdb.LLen(b.ctx, "asynq:{interactive}:pending").Result(); err != nil || n != 1 {
				t.Errorf("%d tasks in the queue, %v", n, err)
			}
			b.get(t, "/api/v1/jobs?chat_id="+tt.chat).wantsType(t, "application/json")
		})
	}
}

// Ensure a parameter means the same wherever it stands, in any spelling.
func TestInfraTakesParametersFromAnywhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tt := range []struct{ name, query, contentType, body string }{
		{"query", "?ip=2001:db8::1&chat_id=42", "", ""},
		{"query, and an empty body", "?ip=2001:db8::1&chat_id=42", "application/json", ""},
		{"form", "", asForm, "ip=2001:DB8:0::1&chat_id=42"},
		{"form, with a charset", "", asForm + "; charset=UTF-8", "ip=2001%3Adb8%3A%3A1&chat_id=+42+"},
		{"JSON", "", "application/json", `{"ip":"2001:db8:0:0::1/128","chat_id":42}`},
		{"JSON, the chat as text", "", "application/json; charset=utf-8", ` {"chat_id":"42", "ip":" 2001:db8::1 "} `},
		{"some here, some there", "?chat_id=42", "application/json", `{"ip":"2001:db8::1"}`},
	} {
		for _, path := range []string{"/api/v1/cf/block", "/v1/cf/block"} {
			a := b.do(t, http.MethodPost, path+tt.query, tt.body, "Content-Type", tt.contentType)
			if a.status != http.StatusAccepted {
				t.Errorf("%s: answer %d %s", tt.name, a.status, a.body)
			}
		}
	}
	// All of them are one wish of one chat.
	if j := b.onlyJob(t); string(j.Payload) != `{"ip":"2001:db8::1"}` || j.ChatID != "42" {
		t.Errorf("job %+v, payload %s", j, j.Payload)
	}
}

// Ensure what can't be asked for is refused with the code and the field that are
// documented, and leaves nothing behind.
func TestInfraRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Cloudflare.Protected = []string{"198.51.100.0/24", "203.0.113.77"} })
	b.register(t, seoul, busan)
	before := b.keys(t)
	const cf, telegram, asJSON = "/api/v1/cf/block", "/api/v1/telegram", "application/json"
	for _, tt := range []struct {
		path, contentType, body string
		status                  int
		code, field             string
	}{
		{cf + "?chat_id=1", "", "", 400, "invalid_ip", "ip"},
		{cf + "?ip=&chat_id=1", "", "", 400, "invalid_ip", "ip"},
		{cf + "?ip=300.1.1.1&chat_id=1", "", "", 400, "invalid_ip", "ip"},
		{cf + "?ip=1.1.1&chat_id=1", "", "", 400, "invalid_ip", "ip"},
		{cf + "?ip=01.1.1.1&chat_id=1", "", "", 400, "invalid_ip", "ip"},
		{cf + "?ip=example.com&chat_id=1", "", "", 400, "invalid_ip", "ip"},
		{cf + "?ip=fe80::1%25eth0&chat_id=1", "", "", 400, "invalid_ip", "ip"},
		{cf + "?ip=1.1.1.1,1.1.1.2&chat_id=1", "", "", 400, "invalid_ip", "ip"},
		{cf + "?ip=192.0.2.0/25&chat_id=1", "", "", 400, "invalid_ip", "ip"},
		{cf + "?ip=192.0.0.0/8&chat_id=1", "", "", 400, "invalid_ip", "ip"},
		{cf + "?ip=192.0.2.7/24&chat_id=1", "", "", 400, "invalid_ip", "ip"},
		{cf + "?ip=2001:db8::/56&chat_id=1", "", "", 400, "invalid_ip", "ip"},
		{cf, asJSON, `{"ip":16843009,"chat_id":1}`, 400, "invalid_ip", "ip"},
		{cf, asJSON, `{"ip":null,"chat_id":1}`, 400, "invalid_ip", "ip"},
		{cf, asJSON, `{"ip":["192.0.2.1"],"chat_id":1}`, 400, "invalid_ip", "ip"},

		{cf + "?ip=10.1.2.3&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=::ffff:10.1.2.3&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=192.168.0.0/16&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=172.16.5.0/24&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=127.0.0.2&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=::1&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=0.0.0.0&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=::&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=224.0.0.1&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=ff02::1&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=fd00::1&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=169.254.169.254&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=255.255.255.255&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=104.16.132.229&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=172.64.0.0/16&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=173.245.0.0/16&chat_id=1", "", "", 422, "forbidden_ip", "ip"}, // holds a part of it
		{cf + "?ip=2606:4700::/32&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=203.0.113.9&chat_id=1", "", "", 422, "forbidden_ip", "ip"}, // busan's
		{cf + "?ip=203.0.113.0/24&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=198.51.100.99&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{cf + "?ip=203.0.113.77&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{"/api/v1/cf/release?ip=10.1.2.3&chat_id=1", "", "", 422, "forbidden_ip", "ip"},
		{"/api/v1/cf/search?ip=10.1.2.3&chat_id=1", "", "", 422, "forbidden_ip", "ip"},

		{cf + "?ip=192.0.2.1", "", "", 400, "missing_chat_id", "chat_id"},
		{cf + "?ip=192.0.2.1&chat_id=", "", "", 400, "missing_chat_id", "chat_id"},
		{cf, asJSON, `{"ip":"192.0.2.1","chat_id":null}`, 400, "missing_chat_id", "chat_id"},
		{cf + "?ip=192.0.2.1&chat_id=abc", "", "", 400, "invalid_chat_id", "chat_id"},
		{cf + "?ip=192.0.2.1&chat_id=1.5", "", "", 400, "invalid_chat_id", "chat_id"},
		{cf + "?ip=192.0.2.1&chat_id=0", "", "", 400, "invalid_chat_id", "chat_id"},
		{cf + "?ip=192.0.2.1&chat_id=@a", "", "", 400, "invalid_chat_id", "chat_id"},
		{cf + "?ip=192.0.2.1&chat_id=9223372036854775808", "", "", 400, "invalid_chat_id", "chat_id"},
		{cf, asJSON, `{"ip":"192.0.2.1","chat_id":true}`, 400, "invalid_chat_id", "chat_id"},
		{cf, asJSON, `{"ip":"192.0.2.1","chat_id":1e3}`, 400, "invalid_chat_id", "chat_id"},

		{telegram + "?chat_id=1", "", "", 400, "missing_text", "text"},
		{telegram + "?chat_id=1&text=", "", "", 400, "missing_text", "text"},
		{telegram + "?chat_id=1&text=%20%0A", "", "", 400, "missing_text", "text"},
		{telegram + "?chat_id=1&text=%ff", "", "", 400, "invalid_text", "text"},
		{telegram, asJSON, `{"chat_id":1,"text":7}`, 400, "invalid_text", "text"},
		{telegram, asJSON, `{"chat_id":1,"text":{}}`, 400, "invalid_text", "text"},
		{telegram + "?text=a", "", "", 400, "missing_chat_id", "chat_id"},
		{telegram + "?text=a&chat_id=-", "", "", 400, "invalid_chat_id", "chat_id"},
		{telegram + "?text=a&chat_id=1&ip=192.0.2.1", "", "", 400, "unknown_parameter", "ip"},

		{cf + "?ip=192.0.2.1&chat_id=1&IP=192.0.2.1", "", "", 400, "unknown_parameter", "IP"},
		{cf + "?ip=192.0.2.1&chat_id=1&chat_id=1", "", "", 400, "duplicate_field", "chat_id"},
		{cf + "?ip=192.0.2.1&chat_id=1", asForm, "ip=192.0.2.1", 400, "duplicate_field", "ip"},
		{cf + "?ip=192.0.2.1&chat_id=1", asForm, "x=192.0.2.1", 400, "unknown_field", "x"},
		{cf + "?chat_id=1", asForm, "ip=%zz", 400, "invalid_body", ""},
		{cf + "?chat_id=1&ip=%zz", "", "", 400, "invalid_query", ""},
		{cf + "?chat_id=1;ip=192.0.2.1", "", "", 400, "invalid_query", ""},
		{cf, asJSON, `{"ip":"192.0.2.1","chat_id":1,"ip":"192.0.2.1"}`, 400, "duplicate_field", "ip"},
		{cf, asJSON, `{"ip":"192.0.2.1","chat_id":1,"wait":5}`, 400, "unknown_field", "wait"},
		{cf, asJSON, `{"ip":"192.0.2.1","chat_id":1`, 400, "invalid_body", ""},
		{cf, asJSON, `{"ip":"192.0.2.1","chat_id":1}{}`, 400, "invalid_body", ""},
		{cf, asJSON, `{"ip" "192.0.2.1"}`, 400, "invalid_body", ""},
		{cf, asJSON, `["192.0.2.1",1]`, 400, "invalid_body", ""},
		{cf, asJSON, "{\"ip\":\"\xff\",\"chat_id\":1}", 400, "invalid_body", ""},
		{cf, asForm, `{"ip":"192.0.2.1","chat_id":1}`, 400, "invalid_body", ""},
		{cf, "", "ip=192.0.2.1&chat_id=1", 415, "unsupported_media_type", ""},
		{cf, "text/plain", "ip=192.0.2.1&chat_id=1", 415, "unsupported_media_type", ""},
		{cf, "multipart/form-data; boundary=x", "--x--", 415, "unsupported_media_type", ""},
	} {
		t.Run(tt.path+" "+tt.body, func(t *testing.T) {
			t.Parallel()
			a := b.do(t, http.MethodPost, tt.path, tt.body, "Content-Type", tt.contentType)
			a.wantsProblem(t, tt.status, tt.code, tt.field)
			b.untouched(t, before)
		})
	}
}

// Ensure what lies just beside what is refused is taken.
func TestInfraTakesWhatIsPublic(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Cloudflare.Protected = []string{"198.51.100.0/24", "203.0.113.77"} })
	b.register(t, seoul, busan)
	for _, ip := range []string{"1.1.1.1", "198.51.101.0/24", "2001:db8::/64", "2001:db8::/32", "9.255.255.255", "203.0.113.8"} {
		if a := b.do(t, http.MethodPost, "/api/v1/cf/block?chat_id=1&ip="+url.QueryEscape(ip), ""); a.status != http.StatusAccepted {
			t.Errorf("%s: answer %d %s", ip, a.status, a.body)
		}
	}
}

// Ensure Cloudflare's networks as configured take the place of those that this
// version knows.
func TestInfraProxyRangesAreConfigured(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Cloudflare.ProxyRanges = []string{"203.0.113.0/24"} })
	b.get(t, "/v1/cf/search?chat_id=1&ip=203.0.113.5").wantsProblem(t, 422, "forbidden_ip", "ip")
	if a := b.get(t, "/v1/cf/search?chat_id=1&ip=104.16.132.229"); a.status != http.StatusAccepted {
		t.Errorf("answer %d %s", a.status, a.body)
	}
}

// Ensure the same wish of the same chat joins the job that is under way, and
// only that; messages never join.
func TestInfraJoins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	post := func(path string) string { return b.do(t, http.MethodPost, path, "").jobID(t) }
	first := post("/v1/cf/block?ip=192.0.2.1&chat_id=@operators")
	a := b.do(t, http.MethodPost, "/api/v1/cf/block?ip=::ffff:192.0.2.1&chat_id=@Operators", "")
	a.wants(t, http.StatusAccepted, `{"job_id":"`+first+`","status":"queued","joined":true}`)
	all := map[string]string{first: "the first"}
	for _, path := range []string{
		"/v1/cf/block?ip=192.0.2.2&chat_id=@operators", "/v1/cf/block?ip=192.0.2.0/24&chat_id=@operators", "/v1/cf/block?ip=192.0.2.1&chat_id=5",
		"/v1/cf/release?ip=192.0.2.1&chat_id=@operators", "/v1/cf/search?ip=192.0.2.1&chat_id=@operators",
		"/v1/telegram?chat_id=5&text=a", "/v1/telegram?chat_id=5&text=a&",
	} {
		id := post(path)
		if before, twice := all[id]; twice {
			t.Errorf("%s joined %s", path, before)
		}
		all[id] = path
	}
	b.complete(t, first, `{}`)
	if again := post("/v1/cf/block?ip=192.0.2.1&chat_id=@operators"); again == first {
		t.Error("a wish joined a job that has ended")
	}
}

// Ensure the jobs of a chat come into the queue one after the other as they were
// accepted, whatever they are, and those of another chat beside them.
func TestInfraKeepsTheOrderOfAChat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	for _, path := range []string{"cf/block?ip=192.0.2.1&", "telegram?text=a&", "cf/release?ip=192.0.2.1&", "telegram?text=b&", "cf/search?ip=192.0.2.1&"} {
		want = append(want, b.do(t, http.MethodPost, "/v1/"+path+"chat_id=-5", "").jobID(t))
	}
	other := b.do(t, http.MethodPost, "/v1/telegram?text=c&chat_id=-6", "").jobID(t)
	runnable := func() (out []string) {
		for _, j := range b.jobs(t) {
			if !j.Waiting && j.State == jobs.Queued {
				out = append(out, j.ID)
			}
		}
		slices.Sort(out)
		return out
	}
	for _, id := range want {
		ready := []string{other, id} // accepted in one millisecond, they sort either way
		slices.Sort(ready)
		if diff := cmp.Diff(ready, runnable()); diff != "" {
			t.Fatalf("ready to run (-want +got):\n%s", diff)
		}
		b.complete(t, id, `{}`)
	}
}

// Ensure a POST under an Idempotency-Key makes one job, whatever has happened to
// it since.
func TestInfraIdempotency(t *testing.T) {
	t.Parallel()
	b := setup(t)
	send := func(path, text string) answer {
		doc, err := json.Marshal(map[string]any{"chat_id": -5, "text": text})
		must(t, err)
		return b.do(t, http.MethodPost, path, string(doc), "Content-Type", "application/json", "Idempotency-Key", "k")
	}
	first := send("/v1/telegram", "a")
	b.complete(t, first.jobID(t), `{}`)
	again := send("/api/v1/telegram", "a")
	again.wants(t, http.StatusAccepted, strings.TrimSuffix(first.body, "\n"))
	again.wantsHeader(t, "Idempotency-Replayed", "true")
	again.wantsHeader(t, "Location", "/api/v1/jobs/"+first.jobID(t))
	send("/v1/telegram", "b").wantsProblem(t, 422, "idempotency_key_reused", "Idempotency-Key")
	b.onlyJob(t)
	b.do(t, http.MethodPost, "/v1/telegram?chat_id=1&text=a", "", "Idempotency-Key", "a b").wantsProblem(t, 400, "invalid_idempotency_key", "Idempotency-Key")
}

// Ensure what acts by GET can't be cached, nor followed from another site's page,
// and that blocking takes no GET at all.
func TestInfraGetsThatAct(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.keys(t)
	for _, path := range []string{"/v1/cf/search", "/api/v1/cf/search/", "/v1/telegram/", "/api/v1/telegram"} {
		b.get(t, path).wantsHeader(t, "Cache-Control", "no-store")
		if a := b.do(t, http.MethodHead, path+"?chat_id=1&ip=192.0.2.1", ""); a.status != http.StatusMethodNotAllowed {
			t.Errorf("HEAD %s: answer %d", path, a.status)
		}
		a := b.do(t, http.MethodGet, path+"?chat_id=1&ip=192.0.2.1&text=a", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
		a.wantsProblem(t, 403, "foreign_page", "")
		a.wantsHeader(t, "Cache-Control", "no-store")
	}
	for _, path := range []string{"/v1/cf/block", "/v1/cf/release", "/api/v1/cf/block", "/api/v1/cf/release"} {
		a := b.get(t, path+"?ip=192.0.2.1&chat_id=1")
		a.wantsProblem(t, 405, "method_not_allowed", "")
		a.wantsHeader(t, "Allow", "POST")
	}
	b.get(t, "/v1/cf").wantsProblem(t, 404, "not_found", "")
	b.untouched(t, before)
}

// Ensure each of the infra API's addresses asks for its own scope, by either
// prefix.
func TestInfraScopes(t *testing.T) {
	t.Parallel()
	key := map[configs.Scope]string{configs.CFRead: "key-of-cf-read", configs.CFWrite: "key-of-cf-write", configs.TelegramSend: "key-of-telegram"}
	b := setup(t, func(c *configs.Config) {
		for scope, text := range key {
			name := strings.ReplaceAll(string(scope), ":", "-")
			c.Auth.Keys = append(c.Auth.Keys, configs.APIKey{Name: name, Hash: configs.HashAPIKey(text), Scopes: []configs.Scope{scope}})
		}
	})
	for path, scope := range map[string]configs.Scope{
		"/cf/search?ip=192.0.2.1&chat_id=1": configs.CFRead, "/cf/block?ip=192.0.2.1&chat_id=1": configs.CFWrite,
		"/cf/release?ip=192.0.2.1&chat_id=1": configs.CFWrite, "/telegram?text=a&chat_id=1": configs.TelegramSend,
	} {
		for _, prefix := range []string{"/v1", "/api/v1"} {
			for of, text := range key {
				want := http.StatusForbidden
				if of == scope {
					want = http.StatusAccepted
				}
				if a := b.do(t, http.MethodPost, prefix+path, "", "X-API-Key", text); a.status != want {
					t.Errorf("%s%s with %s: answer %d %s", prefix, path, of, a.status, a.body)
				}
			}
			if a := b.do(t, http.MethodPost, prefix+path, "", "Cookie", "session="+key[scope]); a.status != http.StatusUnauthorized {
				t.Errorf("%s%s with a cookie: answer %d %s", prefix, path, a.status, a.body)
			}
		}
	}
}
