package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/sim/receiver"
)

// Ensure an alert is seen by the WebSocket's clients that want its level, told to a chat
// and to a webhook once when it is raised and once when it is over, however many
// schedulers there are, and found and dismissed by the API; by processes with no more
// rights in Redis than their own.
func TestAlerts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s, messages := b.messenger(t)
	ops, err := receiver.Start(b.ctx, "127.0.0.1:0") // what arrives there says nothing of the other one
	must(t, err)
	t.Cleanup(func() { must(t, ops.Close()) })
	alerts := func(c *configs.Config) {
		messages(c)
		c.Alerts.Interval = configs.Duration(50 * time.Millisecond)
		for _, r := range []*configs.AlertValue{&c.Alerts.CPU, &c.Alerts.Memory, &c.Alerts.Disk} {
			r.Enabled = false // the machine of the test may be as busy as it likes
		}
		c.Webhooks.Receivers = []configs.WebhookReceiver{{Name: "ops", Type: "generic", URL: configs.NewSecret(ops.URL() + "/ops?key=canary-hook")}}
		c.Alerts.Routes = []configs.AlertRoute{
			{Levels: []string{"error"}, Telegram: []string{chatGroup}},
			{Sources: []string{"delivery_monitor"}, Telegram: []string{chatGroup}, Webhooks: []string{"ops"}},
			{Levels: []string{"info"}, Telegram: []string{"-5"}},
		}
		c.Callbacks.MaxAttempts = 1
	}
	api := b.start(t, b.config(alerts, b.user(t, "api", jobs.APIAccess())), app.API)
	b.start(t, b.config(alerts, b.user(t, "worker", jobs.WorkerAccess())), app.Worker)
	for _, name := range []string{"scheduler", "scheduler2"} {
		b.start(t, b.config(alerts, b.user(t, name, jobs.SchedulerAccess())), app.Scheduler)
	}
	c, resp, err := websocket.DefaultDialer.DialContext(b.ctx, "ws://"+api.Addrs()[0]+"/ws", http.Header{})
	must(t, err)
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	must(t, c.WriteJSON(map[string]any{"type": "subscribe", "data": map[string]any{"event_types": []string{"alert"}, "filters": map[string]any{"alert_levels": []string{"error"}}}}))
	type message struct {
		Type string
		Data struct {
			Level, Title, Message, Category, Source string
			Actions                                 []struct{ Label, Action string }
			Metadata                                map[string]any
		}
	}
	next := func() (m message) {
		t.Helper()
		for m.Type != "alert" {
			m = message{}
			must(t, c.ReadJSON(&m))
		}
		return m
	}
	execute := func(path string) {
		t.Helper()
		b.wants(t, api, http.MethodPost, "/strategies/execute", `{"strategy_name":"MovingAverageCrossover","callback_url":"`+b.receiver.URL()+path+`"}`, 202, "execution_id")
	}
	// A scheduler has begun to look at how deliveries end.
	b.eventually(t, "they are looked at", func() bool {
		n, err := b.redis(t).Exists(b.ctx, "sw:v1:alerts:cursor:jobs").Result()
		return err == nil && n == 1
	})
	b.receiver.Behave(receiver.Behaviour{Path: "/dead", Status: 500})
	execute("/dead")
	raised := next()
	host := strings.TrimPrefix(b.receiver.URL(), "http://")
	if d := raised.Data; d.Level != "error" || d.Title != "전달 실패" || d.Source != "delivery_monitor" || d.Metadata["subject"] != host || d.Metadata["state"] != "open" || d.Actions[0].Action != "dismiss_alert" {
		t.Errorf("raised: %+v", raised)
	}
	id, _ := raised.Data.Metadata["id"].(string)
	b.wants(t, api, http.MethodGet, "/api/v1/alerts?state=open&level=error&source=delivery_monitor", "", 200, `"id":"`+id+`","state":"open"`)
	b.hears(t, s, chatGroup, "전달 실패")
	posts := func() (out []string) {
		for _, r := range ops.Received() {
			if strings.HasPrefix(r.Path, "/ops") {
				out = append(out, r.Body)
			}
		}
		return out
	}
	b.eventually(t, "the webhook is told", func() bool { return len(posts()) == 1 })
	b.receiver.Behave(receiver.Behaviour{})
	execute("/fine")
	if over := next(); over.Data.Level != "info" || over.Data.Title != "전달 복구" || over.Data.Metadata["state"] != "resolved" || over.Data.Metadata["id"] != id {
		t.Errorf("over: %+v", over)
	}
	b.hears(t, s, chatGroup, "전달 복구")
	b.eventually(t, "the webhook is told of the end", func() bool { return len(posts()) == 2 })
	b.wants(t, api, http.MethodPost, "/api/v1/alerts/"+id+"/dismiss", "", 409, "alert_over")
	var told struct{ Variables map[string]string }
	must(t, json.Unmarshal([]byte(posts()[1]), &told))
	if told.Variables["state"] != "resolved" || told.Variables["alert_id"] != id || told.Variables["title"] != "전달 복구" {
		t.Errorf("the webhook got %s", posts()[1])
	}

	// One that is dismissed is over without a word.
	b.receiver.Behave(receiver.Behaviour{Path: "/dead", Status: 500})
	execute("/dead")
	second, _ := next().Data.Metadata["id"].(string)
	b.eventually(t, "the webhook is told", func() bool { return len(posts()) == 3 })
	b.wants(t, api, http.MethodPost, "/api/v1/alerts/"+second+"/dismiss", "", 200, `"state":"dismissed"`)
	if m := next(); m.Data.Metadata["state"] != "dismissed" {
		t.Errorf("dismissed: %+v", m)
	}
	execute("/fine")
	if m := next(); m.Data.Metadata["state"] != "resolved" || m.Data.Metadata["id"] != second {
		t.Errorf("over: %+v", m)
	}
	b.wants(t, api, http.MethodGet, "/api/v1/alerts/"+second, "", 200, `"state":"resolved"`)
	// The book is told of no more, so nothing more can come.
	if n, err := b.redis(t).ZCard(b.ctx, "sw:v1:alerts:untold").Result(); err != nil || n != 0 {
		t.Errorf("%d are to be told, %v", n, err)
	}
	texts := 0
	for _, m := range s.Messages(chatGroup) {
		texts += strings.Count(m.Text, "전달")
	}
	if got := len(posts()); got != 3 || texts != 6 || len(s.Messages("-5")) != 0 { // title and message each
		t.Errorf("the webhook was told %d times, the chat %d: %+v", got, texts, s.Messages(chatGroup))
	}
	for _, d := range b.denied(t) {
		t.Errorf("Redis denied %s", d)
	}
	if strings.Contains(api.log.String(), "canary-hook") {
		t.Error("the webhook's address is in the log")
	}
}
