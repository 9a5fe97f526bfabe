package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/jobs"
	simtelegram "switchyard/sim/telegram"
)

// watch connects to an api's WebSocket and returns what waits for a message whose type
// and text are these.
func (b *bundle) watch(t *testing.T, p *process) func(kind string, parts ...string) {
	t.Helper()
	c, resp, err := websocket.DefaultDialer.DialContext(b.ctx, "ws://"+p.Addrs()[0]+"/ws", http.Header{})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	var before []string
	return func(kind string, parts ...string) {
		t.Helper()
		fits := func(text string) bool {
			var m struct{ Type string }
			if json.Unmarshal([]byte(text), &m) != nil || m.Type != kind {
				return false
			}
			for _, part := range parts {
				if !strings.Contains(text, part) {
					return false
				}
			}
			return true
		}
		for i, text := range before {
			if fits(text) {
				before = append(before[:i], before[i+1:]...)
				return
			}
		}
		for {
			_, text, err := c.ReadMessage()
			if err != nil {
				t.Fatalf("no %s with %q: %v; before it %.3000s", kind, parts, err, before)
			}
			if fits(string(text)) {
				return
			}
			before = append(before, string(text))
		}
	}
}

// Ensure the clients of either of two api processes see what three workers do, the log
// of all of them and the figures of their machines, by processes with no more rights in
// Redis than their own.
func TestLive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	api := func(c *configs.Config) {
		c.Push.Receivers = []configs.PushReceiver{{Name: "a", URL: b.receiver.URL() + "/api/proxy"}}
	}
	first := b.start(t, b.config(b.user(t, "api", jobs.APIAccess()), api), app.API)
	second := b.start(t, b.config(b.user(t, "api2", jobs.APIAccess()), api), app.API)
	one, other := b.watch(t, first), b.watch(t, second)
	one("connection_status", `"features":["real_time_metrics","log_streaming","webhook_notifications","posco_integration"]`)
	for _, name := range []string{"worker", "worker2"} {
		b.start(t, b.config(b.user(t, name, jobs.WorkerAccess())), app.Worker)
	}
	b.start(t, b.config(b.asHost, b.user(t, "host", jobs.HostAccess("seoul-1")), api), app.Worker)
	b.wants(t, first, http.MethodPost, "/strategies/execute", `{"strategy_name":"MovingAverageCrossover"}`, 202, `"execution_id":1`)
	b.wants(t, second, http.MethodPost, "/api/v1/hosts/seoul-1/push", `{"wait":30}`, 200, `"document"`)
	b.wants(t, first, http.MethodPost, "/api/v1/proxies/toggle", `{"port":10011,"wait":60}`, 200, `"success":true`)
	for _, saw := range []func(string, ...string){one, other} {
		saw("job_event", `"type":"strategy"`, `"state":"completed"`)
		saw("job_event", `"type":"toggle"`, `"state":"running"`, `"host":"seoul-1"`)
		saw("job_event", `"type":"toggle"`, `"state":"completed"`, `"subnet":11`)
		saw("status_update", `"cpu_percent":`, `"active_services":0}`)
		saw("status_update", `"host":"seoul-1","server_ip":"198.51.100.7"`)
		saw("log_update", `"file_name":"app.log"`, `job ended`, `"thread_id":"worker"`, `"logger_name":"worker"`, `"module":"run.go"`)
	}
	b.wants(t, first, http.MethodGet, "/metrics", "", 200, "switchyard_websocket_connections 1")
	for _, d := range b.denied(t) {
		t.Errorf("Redis denied %s", d)
	}
}

// Ensure the documentation's Python client runs as it stands, where its library is
// installed; make test-api installs it.
func TestLiveClients(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t, b.config(), app.API, app.Worker)
	python := "/usr/bin/python3"
	if err := exec.CommandContext(b.ctx, python, "-c", "import websockets").Run(); err != nil {
		if os.Getenv("CLIENTS") != "" {
			t.Fatalf("%s has no websockets: %v", python, err)
		}
		t.Skip(err)
	}
	b.wants(t, p, http.MethodPost, "/strategies/execute", `{"strategy_name":"MovingAverageCrossover"}`, 202, `"execution_id":1`)
	cmd := exec.CommandContext(b.ctx, python, filepath.Join("testdata", "ws", "client.py"), "ws://"+p.Addrs()[0]+"/ws", "connection_status", "pong", "status_update")
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "done" {
		t.Errorf("%v: %s", err, out)
	}
}

// Ensure a client's webhook is composed, sent as a job and told of, and that what can't
// be sent is an error that says why and sends nothing.
func TestLiveWebhooks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t, b.config(func(c *configs.Config) {
		c.WS.MessagesPerSecond = 100
		c.Webhooks.Templates = []configs.WebhookTemplate{{ID: "news_alert", Text: "{title}: {url} ({timestamp})"}}
	}), app.API, app.Worker)
	c, resp, err := websocket.DefaultDialer.DialContext(b.ctx, "ws://"+p.Addrs()[0]+"/ws", nil)
	must(t, err)
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	next := func(kind string) string {
		t.Helper()
		for {
			_, text, err := c.ReadMessage()
			must(t, err)
			if strings.HasPrefix(string(text), `{"type":"`+kind+`"`) {
				return string(text)
			}
		}
	}
	send := func(data string) {
		t.Helper()
		must(t, c.WriteMessage(websocket.TextMessage, []byte(`{"type":"send_webhook","data":`+data+`,"timestamp":"2024-01-01T12:00:00Z"}`)))
	}
	url := b.receiver.URL() + "/api/webhooks/canary-token"
	send(`{"webhook_type":"discord","url":"` + url + `","message":"테스트 메시지","template_id":"news_alert","variables":{"title":"뉴스 제목","url":"https://example.com","timestamp":"2024-01-01 12:00:00"}}`)
	if m := next("webhook_event"); !strings.Contains(m, `"event_type":"sent","webhook_type":"discord","url":"`+b.receiver.URL()+`/…","status":"success","response_code":200`) || strings.Contains(m, "canary") {
		t.Errorf("told %s", m)
	}
	if got := b.receiver.Received(); len(got) != 1 || got[0].Body != `{"content":"뉴스 제목: https://example.com (2024-01-01 12:00:00)","allowed_mentions":{"parse":[]}}` {
		t.Errorf("received %+v", got)
	}
	for data, want := range map[string]string{
		`{"webhook_type":"pager","url":"` + url + `","message":"x"}`:                                          "unknown kind",
		`{"webhook_type":"slack","url":"` + url + `","message":" "}`:                                          "empty",
		`{"webhook_type":"slack","url":"ftp://example.com","message":"x"}`:                                    "neither http nor https",
		`{"webhook_type":"discord","url":"` + url + `","template_id":"none"}`:                                 "unknown template",
		`{"webhook_type":"discord","url":"` + url + `","template_id":"news_alert","variables":{"title":"x"}}`: "needs the variable",
		`{"webhook_type":"discord","url":"` + url + `","message":"x","variables":{"a":[1]}}`:                  "variables are text",
		`{"webhook_type":7}`: "wrong type",
		`{"webhook_type":"telegram","message":"x","chat_id":"y"}`: "chat_id",
		`{"webhook_type":"telegram","message":"x"}`:               "chat_id",
	} {
		send(data)
		if m := next("error"); !strings.Contains(m, "INVALID_MESSAGE_FORMAT") || !strings.Contains(m, want) {
			t.Errorf("%s: got %s, want %s", data, m, want)
		}
	}
	if got := b.receiver.Received(); len(got) != 1 {
		t.Errorf("received %d", len(got))
	}
	page, err := p.Store().List(b.ctx, jobs.Filter{}, 100, "")
	if err != nil || len(page.Jobs) != 1 {
		t.Errorf("%d jobs, %v", len(page.Jobs), err)
	}
}

// Ensure a client's webhook to a chat is told of as the others are, sent or refused.
func TestLiveTelegramWebhooks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s, at := b.messenger(t)
	p := b.start(t, b.config(at), app.API, app.Worker)
	c, resp, err := websocket.DefaultDialer.DialContext(b.ctx, "ws://"+p.Addrs()[0]+"/ws", nil)
	must(t, err)
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	s.Fail(simtelegram.Fault{Chat: "-7", Status: 403, Description: "Forbidden: bot was kicked from the group chat"})
	for chat, want := range map[string]string{
		"-42": `"event_type":"sent","webhook_type":"telegram","url":"https://api.telegram.org/…","status":"success","response_code":200`,
		"-7":  `"event_type":"failed","webhook_type":"telegram","url":"https://api.telegram.org/…","status":"failed","response_code":403`,
	} {
		must(t, c.WriteMessage(websocket.TextMessage, []byte(`{"type":"send_webhook","data":{"webhook_type":"telegram","chat_id":`+chat+`,"message":"<알림>"}}`)))
		for {
			_, text, err := c.ReadMessage()
			must(t, err)
			if strings.HasPrefix(string(text), `{"type":"webhook_event"`) {
				if !strings.Contains(string(text), want) || strings.Contains(string(text), canaryBot) {
					t.Errorf("chat %s: told %s, want %s", chat, text, want)
				}
				break
			}
		}
	}
	b.hears(t, s, "-42", "<알림>")
}
