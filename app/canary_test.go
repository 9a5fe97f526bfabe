package app_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"switchyard/app"
	"switchyard/configs"
)

// The canaries, each where a secret may stand. None is a word of anything else.
const (
	canaryRedis    = "canary-redis-password-7f3a"
	canarySigning  = "Y2FuYXJ5LXNpZ25pbmctc2VjcmV0LTkxYzIhISE=" // in base64, as whsec_ has it
	canaryReceiver = "canary-receiver-token-4be8"
	canaryBearer   = "canary-bearer-key-c05d"
	canaryHeader   = "canary-header-key-a917"
	canaryCookie   = "canary-cookie-33e0"
	canaryQuery    = "canary-query-58d1"
	canaryUser     = "canary-userinfo-e6b4"
	canaryCallback = "canary-callback-token-02fd"
	canaryFragment = "canary-bad-url-token-6aa3"
)

// Ensure secrets of the configuration and of requests are found in no log line,
// no figure, no page and no document, and in Redis nowhere, but for the query of
// a callback URL: it has to be kept until the callback is delivered, in the set
// of who wants to know of the job's end and in the delivery's own payload, and
// in nothing that is shown.
func TestSecretsStayWhereTheyBelong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	rdb := b.redis(t)
	must(t, rdb.ConfigSet(b.ctx, "requirepass", canaryRedis).Err())
	secret := func(c *configs.Config) {
		c.Redis.Password = configs.NewSecret(canaryRedis)
		c.Callbacks.Secret = configs.NewSecret("whsec_" + canarySigning)
		c.Callbacks.Toggle[0].StartURL += "?token=" + canaryReceiver
		c.Callbacks.Toggle[0].ResultURL += "?token=" + canaryReceiver
	}
	host := b.start(t, b.config(secret, b.asHost, alsoDelivers, func(c *configs.Config) { c.Metrics.Listen = "127.0.0.1:0" }), app.Worker)
	api := b.start(t, b.config(secret), app.API, app.Scheduler)
	callback := b.receiver.URL() + "/mine?token=" + canaryCallback
	dead := "http://127.0.0.1:9/mine?token=" + canaryCallback // refuses: what is said of failures is looked at, too

	shown := []string{}
	for _, call := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodPost, "/api/v1/proxies/toggle", `{"port":10011,"wait":60,"callback_url":"` + callback + `"}`, 200},
		{http.MethodPost, "/api/v1/proxies/toggle", `{"port":10012,"wait":60,"callback_url":"` + dead + `"}`, 200},
		{http.MethodPost, "/api/v1/proxies/toggle", `{"port":10011,"callback_url":"https://` + canaryUser + `:x@hooks.example.com/"}`, 400},
		{http.MethodPost, "/api/v1/proxies/toggle", `{"port":10011,"callback_url":"ftp://hooks.example.com/` + canaryFragment + `"}`, 400},
		{http.MethodPost, "/api/v1/proxies/toggle", `{"port":"10011","callback_url":"` + callback + `"}`, 400},
		{http.MethodGet, "/toggle/12?token=" + canaryQuery, "", 200},
		{http.MethodGet, "/toggle/99?token=" + canaryQuery, "", 400},
		{http.MethodGet, "/nowhere?token=" + canaryQuery, "", 404},
		{http.MethodGet, "/status?token=" + canaryQuery, "", 200},
	} {
		shown = append(shown, b.withCredentials(t, api, call.method, call.path, call.body, call.status))
	}
	b.eventually(t, "a callback to the dead receiver has failed", func() bool {
		return strings.Contains(b.figures(t, host.MetricsAddr()), `kind="toggle/result",outcome="connect"`)
	})
	jobs := b.wants(t, api, http.MethodGet, "/api/v1/jobs", "", 200, `"type":"callback"`)
	shown = append(shown, jobs, b.figures(t, host.MetricsAddr()), b.figures(t, api.Addrs()[0]), host.log.String(), api.log.String())
	for _, path := range []string{
		"/", "/docs", "/openapi.json", "/readyz", "/monitoring", "/monitoring/api/queues", "/monitoring/api/servers", "/monitoring/api/redis_info",
		"/monitoring/api/queues/delivery/scheduled_tasks", "/monitoring/api/queues/delivery/pending_tasks", "/monitoring/api/queues/host:seoul-1/active_tasks",
	} {
		shown = append(shown, b.wants(t, api, http.MethodGet, path, "", 200, ""))
	}
	for _, text := range shown {
		for _, c := range canaries(text) {
			t.Errorf("%s is shown: …%s…", c, around(text, c))
		}
	}

	rdb = redis.NewClient(&redis.Options{Addr: b.srv.Addr(), Password: canaryRedis})
	t.Cleanup(func() { _ = rdb.Close() })
	kept := 0
	for where, text := range b.dump(t, rdb) {
		for _, c := range canaries(where + text) {
			if c == canaryCallback && mayHoldCallback.MatchString(where) {
				kept++
				continue
			}
			t.Errorf("%s is in Redis at %s: …%s…", c, where, around(text, c))
		}
	}
	if kept == 0 {
		t.Error("no callback URL found where it has to be: is this the right place to look?")
	}
}

// mayHoldCallback are the places in Redis where a callback URL is kept.
var mayHoldCallback = regexp.MustCompile(`^sw:v1:(h:seoul-1:job:j_\w+ spec|h:seoul-1:audience:j_\w+|job:j_\w+ payload)$`)

func canaries(text string) (found []string) {
	for _, c := range []string{
		canaryRedis, canarySigning, canaryReceiver, canaryBearer, canaryHeader, canaryCookie, canaryQuery, canaryUser, canaryCallback, canaryFragment,
	} {
		if strings.Contains(text, c) {
			found = append(found, c)
		}
	}
	return found
}

func around(text, word string) string {
	i := strings.Index(text, word)
	return text[max(0, i-80):min(len(text), i+len(word)+20)]
}

// withCredentials sends a request as a client with all sorts of credentials
// would, and returns the whole answer.
func (b *bundle) withCredentials(t *testing.T, p *process, method, path, body string, status int) string {
	t.Helper()
	req, err := http.NewRequestWithContext(b.ctx, method, "http://"+p.Addrs()[0]+path, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+canaryBearer)
	req.Header.Set("X-API-Key", canaryHeader)
	req.Header.Set("Cookie", "session="+canaryCookie)
	res, err := b.client.Do(req)
	must(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	must(t, err)
	if res.StatusCode != status {
		t.Errorf("%s %s: answer %d %s; want %d", method, path, res.StatusCode, answer, status)
	}
	return fmt.Sprint(res.Header, string(answer))
}

// dump is all that stands in Redis: by key, and for a hash by key and field.
func (b *bundle) dump(t *testing.T, rdb *redis.Client) map[string]string {
	t.Helper()
	all := map[string]string{}
	scan := rdb.Scan(b.ctx, 0, "*", 100).Iterator()
	for scan.Next(b.ctx) {
		key := scan.Val()
		kind, err := rdb.Type(b.ctx, key).Result()
		must(t, err)
		var v any
		switch kind {
		case "string":
			v, err = rdb.Get(b.ctx, key).Result()
		case "list":
			v, err = rdb.LRange(b.ctx, key, 0, -1).Result()
		case "set":
			v, err = rdb.SMembers(b.ctx, key).Result()
		case "zset":
			v, err = rdb.ZRange(b.ctx, key, 0, -1).Result()
		case "stream":
			v, err = rdb.XRange(b.ctx, key, "-", "+").Result()
		case "hash":
			var fields map[string]string
			fields, err = rdb.HGetAll(b.ctx, key).Result()
			for f, value := range fields {
				all[key+" "+f] = value
			}
		case "none": // it has gone meanwhile
		default:
			t.Errorf("key %s is of a kind that this test can't read: %s", key, kind)
		}
		if err != nil && err != redis.Nil { //nolint:errorlint // as it comes
			t.Fatal(err)
		}
		all[key] += fmt.Sprint(v)
	}
	must(t, scan.Err())
	if len(all) < 10 {
		t.Errorf("only %d keys in Redis", len(all))
	}
	return all
}
