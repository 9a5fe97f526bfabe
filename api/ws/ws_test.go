package ws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"switchyard/api/access"
	"switchyard/api/ws"
	"switchyard/configs"
	"switchyard/events"
	"switchyard/sim/redisserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is what one test works with: a server, fed by the streams of a redis-server of
// its own.
type bundle struct {
	ctx       context.Context
	srv       *redisserver.Server
	rdb       *redis.Client
	server    *ws.Server
	http      *httptest.Server
	publisher *events.Publisher
	log       *lines
	kept      *configs.Config
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *lines) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func setup(t *testing.T, change ...func(*configs.Config)) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "always"})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	b := &bundle{ctx: ctx, srv: srv, log: &lines{}, kept: configs.Default()}
	b.kept.WS.BroadcastsPerSecond = 100
	for _, c := range change {
		c(b.kept)
	}
	must(t, b.kept.Validate())
	opt := &redis.Options{Addr: srv.Addr(), ContextTimeoutEnabled: true, MaxRetries: 1, DialerRetries: 1}
	b.rdb = redis.NewClient(opt)
	t.Cleanup(func() { _ = b.rdb.Close() })
	b.start(t, opt)
	return b
}

// start starts a process' part: another server of the same streams takes its place.
func (b *bundle) start(t *testing.T, opt *redis.Options) {
	t.Helper()
	hub := events.NewHub()
	b.server = ws.New(ws.Options{
		Config: b.kept.WS, Guard: access.New(b.kept), Hub: hub, Redis: b.rdb, Log: slog.New(slog.NewTextHandler(b.log, nil)), Version: "test",
	})
	stream := redis.NewClient(opt)
	b.publisher = events.NewPublisher(b.rdb, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { (&events.Reader{Client: stream, Hub: hub, Log: slog.New(slog.DiscardHandler)}).Run(ctx, ready) })
	all.Go(func() { b.publisher.Run(ctx) })
	all.Go(func() { b.server.Run(ctx) })
	b.http = httptest.NewServer(b.server.Handler(func(w http.ResponseWriter, r ws.Refusal) { http.Error(w, r.Code, r.Status) }))
	server, front := b.server, b.http
	t.Cleanup(func() {
		must(t, server.Close(b.ctx))
		front.Close()
		cancel()
		_ = stream.Close()
		all.Wait()
	})
	select {
	case <-ready:
	case <-b.ctx.Done():
		t.Fatal("the events are not read")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// message is one that came.
type message struct {
	Type      string          `json:"type"`
	Data      json.RawMessage `json:"data"`
	Timestamp string          `json:"timestamp"`
	ID        string          `json:"broadcast_id"`
}

// peer is a client.
type peer struct {
	*websocket.Conn
	t *testing.T
}

// dial returns a connection, or the status that refused it.
func (b *bundle) dial(t *testing.T, header ...string) (*websocket.Conn, int, error) {
	t.Helper()
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	c, resp, err := websocket.DefaultDialer.DialContext(b.ctx, "ws"+strings.TrimPrefix(b.http.URL, "http")+"/ws", h)
	if err == nil {
		must(t, c.SetReadDeadline(time.Now().Add(40*time.Second)))
		t.Cleanup(func() { _ = c.Close() })
	}
	status := 0
	if resp != nil {
		status = resp.StatusCode
		_ = resp.Body.Close()
	}
	return c, status, err
}

// connect connects a client, and takes its first message.
func (b *bundle) connect(t *testing.T, header ...string) *peer {
	t.Helper()
	c, _, err := b.dial(t, header...)
	must(t, err)
	p := &peer{c, t}
	if m := p.next(); m.Type != "connection_status" {
		t.Fatalf("the first message is %+v", m)
	}
	return p
}

func (p *peer) next() (m message) {
	p.t.Helper()
	kind, text, err := p.ReadMessage()
	must(p.t, err)
	if err := json.Unmarshal(text, &m); err != nil || kind != websocket.TextMessage || m.Type == "" || len(m.Data) == 0 {
		p.t.Fatalf("message %s: %v", text, err)
	}
	if _, err := time.Parse(time.RFC3339, m.Timestamp); err != nil {
		p.t.Errorf("timestamp of %s", text)
	}
	return m
}

func (p *peer) say(text string) {
	p.t.Helper()
	must(p.t, p.WriteMessage(websocket.TextMessage, []byte(text)))
}

// barrier returns when everything that was said before has been handled.
func (p *peer) barrier() {
	p.t.Helper()
	p.say(`{"type":"ping","data":{"client_time":"barrier"}}`)
	for {
		if m := p.next(); m.Type == "pong" {
			return
		}
	}
}

// closed is the code and the reason of the close that comes next.
func (p *peer) closed() (int, string) {
	p.t.Helper()
	for {
		_, _, err := p.ReadMessage()
		var c *websocket.CloseError
		if errors.As(err, &c) {
			return c.Code, c.Text
		}
		if err != nil {
			p.t.Fatalf("closed without a code: %v", err)
		}
	}
}

func (b *bundle) publish(t *testing.T, c events.Class, kind string, data any) {
	t.Helper()
	e, err := events.New(c, kind, time.Now(), data)
	must(t, err)
	b.publisher.Publish(e)
}

// Ensure every message of a client's gets the answer that its documentation shows.
func TestMessages(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.WS.MessagesPerSecond = 1000 })
	p := b.connect(t)
	for name, tt := range map[string]struct{ say, kind, want string }{
		"ping":                  {`{"type":"ping","data":{"client_time":"2024-01-01T12:00:00Z"},"timestamp":"2024-01-01T12:00:00Z"}`, "pong", `"client_time":"2024-01-01T12:00:00Z","server_time":"`},
		"ping, a number":        {`{"type":"ping","data":{"client_time":1704110400.50}}`, "pong", `"client_time":1704110400.50,`},
		"ping, of the future":   {`{"type":"ping","data":{"client_time":"2924-01-01T12:00:00Z"}}`, "pong", `"latency_ms":0`},
		"ping, nothing":         {`{"type":"ping","data":{}}`, "pong", `"client_time":null`},
		"further members":       {`{"type":"ping","data":{"client_time":"x","more":[1]},"more":{}}`, "pong", `"client_time":"x"`},
		"no JSON":               {`hello`, "error", `"error_code":"INVALID_MESSAGE_FORMAT"`},
		"no object":             {`[1]`, "error", `"error_code":"INVALID_MESSAGE_FORMAT"`},
		"null":                  {`null`, "error", `"expected_fields":["type","data"]`},
		"no type":               {`{"data":{}}`, "error", `"received_message":"{\"data\":{}}"`},
		"type is a number":      {`{"type":7,"data":{}}`, "error", `"error_code":"INVALID_MESSAGE_FORMAT"`},
		"no data":               {`{"type":"ping"}`, "error", `"error_message":"메시지 형식이 올바르지 않습니다"`},
		"data is a list":        {`{"type":"ping","data":[]}`, "error", `"error_code":"INVALID_MESSAGE_FORMAT"`},
		"timestamp is a number": {`{"type":"ping","data":{},"timestamp":7}`, "error", `timestamp is no text`},
		"client_id is a number": {`{"type":"ping","data":{},"client_id":7}`, "error", `client_id is no text`},
		"unknown":               {`{"type":"dance","data":{}}`, "error", `"error_code":"UNKNOWN_MESSAGE_TYPE"`},
		"client_info, wrong":    {`{"type":"client_info","data":{"features":"all"}}`, "error", `data.features is of the wrong type: string`},
		"client_info, no id":    {`{"type":"client_info","data":{"last_broadcast_id":"status_001"}}`, "error", `"error_code":"INVALID_MESSAGE_FORMAT"`},
		"subscribe, nothing":    {`{"type":"subscribe","data":{}}`, "error", `data.event_types is missing`},
		"subscribe, unknown":    {`{"type":"subscribe","data":{"event_types":["status_update","everything"]}}`, "error", `"event_type":"everything"`},
		"subscribe, wrong":      {`{"type":"subscribe","data":{"event_types":["alert"],"filters":{"alert_levels":"error"}}}`, "error", `"error_code":"INVALID_MESSAGE_FORMAT"`},
		"unsubscribe, unknown":  {`{"type":"unsubscribe","data":{"event_types":["everything"]}}`, "error", `"error_code":"INVALID_MESSAGE_FORMAT"`},
		"service":               {`{"type":"service_control","data":{"service_id":"nothing","action":"restart","options":{"force":false,"timeout":30}}}`, "error", `"error_code":"SERVICE_NOT_FOUND"`},
		"service, no action":    {`{"type":"service_control","data":{"service_id":"nothing","action":"dance"}}`, "error", `"error_code":"INVALID_MESSAGE_FORMAT"`},
		"long, clipped":         {`{"type":"` + strings.Repeat("가", 2000) + `","data":[]}`, "error", `가…"`},
	} {
		p.say(tt.say)
		m := p.next()
		if m.Type != tt.kind || !strings.Contains(string(m.Data), tt.want) {
			t.Errorf("%s: got %s %s, want %s with %s", name, m.Type, m.Data, tt.kind, tt.want)
		}
		var e struct {
			Code, Message, Timestamp string
			Details                  map[string]any
		}
		if tt.kind == "error" {
			var raw map[string]json.RawMessage
			must(t, json.Unmarshal(m.Data, &raw))
			must(t, json.Unmarshal(m.Data, &e))
			if len(raw) != 4 || e.Timestamp == "" || e.Details == nil {
				t.Errorf("%s: error %s", name, m.Data)
			}
		}
	}
	// What succeeds is not answered.
	p.say(`{"type":"client_info","data":{"client_id":"dashboard_client_1","user_agent":"x","timestamp":"2024-01-01T12:00:00Z"},"timestamp":"2024-01-01T12:00:00Z"}`)
	p.say(`{"type":"subscribe","data":{"event_types":["status_update","service_event","alert"],"filters":{"service_ids":["posco_news"],"alert_levels":["warning"],"log_levels":["INFO"]}}}`)
	p.say(`{"type":"unsubscribe","data":{"event_types":["log_update"]}}`)
	p.say(`{"type":"ping","data":{"client_time":1}}`)
	if m := p.next(); m.Type != "pong" {
		t.Errorf("got %+v", m)
	}
	for _, want := range []string{"WebSocket 클라이언트 연결: 127.0.0.1", "클라이언트 정보 수신: dashboard_client_1", "구독 요청: status_update, service_event, alert"} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("the log has no %q", want)
		}
	}
}

// Ensure the first message says what the documentation shows.
func TestConnectionStatus(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.connect(t)
	c, _, err := b.dial(t)
	must(t, err)
	m := (&peer{c, t}).next()
	var d map[string]any
	must(t, json.Unmarshal(m.Data, &d))
	delete(d, "server_time")
	want := map[string]any{
		"status": "connected", "server_version": "test", "client_count": 2.0, "uptime_seconds": 0.0,
		"features": []any{"real_time_metrics", "log_streaming", "webhook_notifications", "posco_integration"},
	}
	if diff := cmp.Diff(want, d); diff != "" || m.Type != "connection_status" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Ensure each limit is kept to, and what goes beyond it is told as documented.
//
//nolint:tparallel // they share the limits
func TestLimits(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) {
		c.WS.MaxConnections = 7
		c.WS.IdleTimeout = configs.Duration(50 * time.Second)
	}, withKeys)
	t.Run("connections", func(t *testing.T) {
		refused := func(status int, header ...string) {
			t.Helper()
			if _, got, err := b.dial(t, header...); err == nil || got != status {
				t.Errorf("a connection too many: %d, %v, want %d", got, err, status)
			}
		}
		var all []*peer
		for range 5 {
			all = append(all, b.connect(t, "X-API-Key", keyA))
		}
		refused(http.StatusTooManyRequests, "X-API-Key", keyA)
		all = append(all, b.connect(t, "X-API-Key", keyB), b.connect(t, "X-API-Key", keyB))
		refused(http.StatusServiceUnavailable, "X-API-Key", keyB)
		for _, p := range all {
			must(t, p.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second)))
			if code, _ := p.closed(); code != 1000 {
				t.Errorf("closed with %d", code)
			}
		}
	})
	connect := func(t *testing.T) *peer {
		t.Helper()
		for {
			c, status, err := b.dial(t, "X-API-Key", keyA)
			if err == nil {
				p := &peer{c, t}
				p.next()
				return p
			}
			if status == 0 || b.ctx.Err() != nil { // those before are just leaving
				t.Fatal(err)
			}
		}
	}
	t.Run("messages", func(t *testing.T) {
		p := connect(t)
		for range 30 {
			p.say(`{"type":"ping","data":{}}`)
		}
		pongs, errs := 0, 0
		for range 30 {
			switch m := p.next(); {
			case m.Type == "pong":
				pongs++
			case strings.Contains(string(m.Data), `"error_code":"RATE_LIMIT_EXCEEDED"`):
				errs++
			}
		}
		if pongs < 10 || errs < 1 || pongs+errs != 30 {
			t.Errorf("%d were answered, %d refused", pongs, errs)
		}
	})
	for name, tt := range map[string]struct {
		kind int
		text string
		code int
	}{
		"1 MiB + 1": {websocket.TextMessage, strings.Repeat("x", 1<<20+1), 1009},
		"binary":    {websocket.BinaryMessage, "{}", 1003},
		"bad UTF-8": {websocket.TextMessage, "{\"type\":\"\xff\"}", 1007},
	} {
		t.Run(name, func(t *testing.T) {
			p := connect(t)
			must(t, p.WriteMessage(tt.kind, []byte(tt.text)))
			if code, _ := p.closed(); code != tt.code {
				t.Errorf("closed with %d, want %d", code, tt.code)
			}
		})
	}
	t.Run("1 MiB", func(t *testing.T) {
		p := connect(t)
		p.say(`{"type":"ping","data":{"client_time":"` + strings.Repeat("x", 1<<20-42) + `"}}`)
		if m := p.next(); m.Type != "pong" && m.Type != "error" {
			t.Errorf("got %s", m.Type)
		}
	})
}

// Ensure who sends nothing, not even answers to pings, is closed, and who answers isn't.
func TestIdle(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) {
		c.WS.IdleTimeout, c.WS.PingInterval = configs.Duration(400*time.Millisecond), configs.Duration(50*time.Millisecond)
	})
	silent, lively := b.connect(t), b.connect(t)
	silent.SetPingHandler(func(string) error { return nil })
	pings := 0
	answer := lively.PingHandler()
	lively.SetPingHandler(func(s string) error {
		if pings++; pings == 20 { // longer than the silent one lived
			lively.say(`{"type":"ping","data":{}}`)
		}
		return answer(s)
	})
	var both sync.WaitGroup
	both.Go(func() {
		if code, _ := silent.closed(); code != 1001 {
			t.Errorf("the silent one is closed with %d", code)
		}
	})
	both.Go(func() {
		if m := lively.next(); m.Type != "pong" {
			t.Errorf("the lively one got %+v", m)
		}
	})
	both.Wait()
}

const (
	keyA = "key-of-a-client-who-may-read-0001"
	keyB = "key-of-a-client-who-may-all--0002"
	keyC = "key-of-a-client-who-may-none-0003"
)

func withKeys(c *configs.Config) {
	c.Auth.Keys = []configs.APIKey{
		{Name: "a", Hash: configs.HashAPIKey(keyA), Scopes: []configs.Scope{configs.EventsRead}},
		{Name: "b", Hash: configs.HashAPIKey(keyB), Scopes: []configs.Scope{configs.Admin}},
		{Name: "c", Hash: configs.HashAPIKey(keyC), Scopes: []configs.Scope{configs.CFRead}},
	}
}

// Ensure only those come in who may, and each sees and does only what it may.
func TestAccess(t *testing.T) {
	t.Parallel()
	b := setup(t, withKeys, func(c *configs.Config) { c.HTTP.AllowedOrigins = []string{"https://app.example.com"} })
	for name, tt := range map[string]struct {
		header []string
		code   string
	}{
		"nobody":    {nil, "AUTHENTICATION_REQUIRED"},
		"wrong key": {[]string{"Authorization", "Bearer nonsense"}, "AUTHENTICATION_REQUIRED"},
		"no scope":  {[]string{"X-API-Key", keyC}, "PERMISSION_DENIED"},
	} {
		c, _, err := b.dial(t, tt.header...)
		must(t, err)
		p := &peer{c, t}
		if m := p.next(); m.Type != "error" || !strings.Contains(string(m.Data), tt.code) {
			t.Errorf("%s: got %+v", name, m)
		}
		if code, _ := p.closed(); code != 1008 {
			t.Errorf("%s: closed with %d", name, code)
		}
	}
	for origin, ok := range map[string]bool{"https://evil.example.com": false, "https://app.example.com": true, b.http.URL: true, "null": false} {
		_, status, err := b.dial(t, "X-API-Key", keyB, "Origin", origin)
		if (err == nil) != ok || !ok && status != http.StatusForbidden {
			t.Errorf("a page of %s: %v", origin, err)
		}
	}
	d := websocket.Dialer{Subprotocols: []string{"switchyard", "key." + keyA}}
	c, resp, err := d.DialContext(b.ctx, "ws"+strings.TrimPrefix(b.http.URL, "http"), nil)
	must(t, err)
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != "switchyard" {
		t.Errorf("the protocol is %q", got)
	}
	reader := &peer{c, t}
	reader.next()
	all := b.connect(t, "X-API-Key", keyB)
	for _, say := range []string{`{"type":"send_webhook","data":{}}`, `{"type":"service_control","data":{"service_id":"x","action":"stop"}}`} {
		reader.say(say)
		if m := reader.next(); !strings.Contains(string(m.Data), "PERMISSION_DENIED") {
			t.Errorf("%s: got %s", say, m.Data)
		}
	}
	b.publish(t, events.Orders, events.OrderKind, map[string]any{"order": 1})
	b.publish(t, events.Alerts, events.AlertKind, map[string]any{"level": "info"})
	if m := all.next(); m.Type != events.OrderKind {
		if m2 := all.next(); m2.Type != events.OrderKind {
			t.Errorf("who may all got %+v, %+v", m, m2)
		}
	}
	if m := reader.next(); m.Type != events.AlertKind {
		t.Errorf("who may read events got %+v", m)
	}
}

// Ensure events arrive by subscription and filter, of each type and class.
//
//nolint:tparallel // each publishes for all
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.WS.PerClient, c.WS.MessagesPerSecond = 20, 1000 })
	for name, tt := range map[string]struct {
		say  []string
		want string
	}{
		"nothing said":        {nil, "alert:info alert:error service:a service:b job:toggle job:push host status:h1 log:DEBUG,ERROR"},
		"two types":           {[]string{`subscribe","data":{"event_types":["alert","log_update"]}`}, "alert:info alert:error log:DEBUG,ERROR"},
		"one more":            {[]string{`subscribe","data":{"event_types":["alert"]}`, `subscribe","data":{"event_types":["host_event"]}`}, "alert:info alert:error host"},
		"levels":              {[]string{`subscribe","data":{"event_types":["alert","log_update"],"filters":{"alert_levels":["error"],"log_levels":["ERROR"]}}`}, "alert:error log:ERROR"},
		"a filter replaced":   {[]string{`subscribe","data":{"event_types":["alert"],"filters":{"alert_levels":["error"]}}`, `subscribe","data":{"event_types":[],"filters":{"alert_levels":["info"]}}`}, "alert:info"},
		"none":                {[]string{`subscribe","data":{"event_types":[]}`}, ""},
		"services":            {[]string{`subscribe","data":{"event_types":["service_event"],"filters":{"service_ids":["b"]}}`}, "service:b"},
		"job types and chats": {[]string{`subscribe","data":{"event_types":["job_event"],"filters":{"job_types":["toggle"],"chat_ids":[-5]}}`}, "job:toggle"},
		"another chat":        {[]string{`subscribe","data":{"event_types":["job_event"],"filters":{"chat_ids":["7"]}}`}, ""},
		"hosts":               {[]string{`subscribe","data":{"event_types":["status_update","job_event","host_event"],"filters":{"hosts":["h2"]}}`}, "job:push"},
		"unsubscribed":        {[]string{`unsubscribe","data":{"event_types":["alert","service_event","job_event","log_update"]}`}, "host status:h1"},
		"both":                {[]string{`subscribe","data":{"event_types":["alert","host_event"]}`, `unsubscribe","data":{"event_types":["alert"]}`}, "host"},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.connect(t)
			for _, s := range tt.say {
				p.say(`{"type":"` + s + `}`)
			}
			p.barrier()
			must(t, b.rdb.XAdd(b.ctx, &redis.XAddArgs{Stream: events.JobStream, Values: []any{"id", "j_1", "about", "toggle|h1|16|-5", "state", "queued", "attempt", "1"}}).Err())
			must(t, b.rdb.XAdd(b.ctx, &redis.XAddArgs{Stream: events.JobStream, Values: []any{"id", "j_2", "about", "push|h2||", "state", "queued", "attempt", "1"}}).Err())
			b.publish(t, events.Alerts, events.AlertKind, map[string]any{"level": "info"})
			b.publish(t, events.Alerts, events.AlertKind, map[string]any{"level": "error"})
			b.publish(t, events.Services, "service_event", map[string]any{"service_id": "a"})
			b.publish(t, events.Services, "service_event", map[string]any{"service_id": "b"})
			b.publish(t, events.Hosts, events.PushKind, map[string]any{"host": "h1"})
			b.publish(t, events.Hosts, "something_new", map[string]any{})
			b.publish(t, events.Status, "status_update", map[string]any{"host": "h1"})
			b.publish(t, events.Logs, "log_update", map[string]any{"level": "DEBUG"})
			b.publish(t, events.Logs, "log_update", map[string]any{"level": "ERROR"})
			got := map[string]bool{}
			var levels []string
			want := strings.Fields(tt.want)
			// Whatever isn't wanted would be there before what this asks for afterwards.
			if len(tt.say) > 0 && strings.HasPrefix(tt.say[0], "subscribe") {
				p.say(`{"type":"subscribe","data":{"event_types":["posco_event"]}}`)
			}
			p.say(`{"type":"ping","data":{"client_time":"before the last"}}`)
			// In the stream that is read last.
			p.collect(got, &levels, func() { b.publish(t, events.Status, "posco_event", map[string]any{}) })
			if len(levels) > 0 {
				got["log:"+strings.Join(levels, ",")] = true
			}
			for _, w := range want {
				if !got[w] {
					t.Errorf("no %s", w)
				}
				delete(got, w)
			}
			if len(got) > 0 {
				t.Errorf("also got %v", got)
			}
			_ = p.Close()
		})
	}
}

// collect notes the messages until a deployment's, which last publishes.
func (p *peer) collect(got map[string]bool, levels *[]string, last func()) {
	p.t.Helper()
	for {
		m := p.next()
		var d struct {
			Level   string
			Service string `json:"service_id"`
			Type    string
			Host    string
			Entries []struct{ Level string }
		}
		must(p.t, json.Unmarshal(m.Data, &d))
		switch m.Type {
		case "posco_event":
			return
		case "pong":
			last()
		case "alert":
			got["alert:"+d.Level] = true
		case "service_event":
			got["service:"+d.Service] = true
		case "job_event":
			got["job:"+d.Type] = true
		case "host_event":
			got["host"] = true
		case "status_update":
			got["status:"+d.Host] = true
		case "log_update":
			for _, e := range d.Entries {
				*levels = append(*levels, e.Level)
			}
		default:
			got[m.Type] = true
		}
	}
}

// Ensure figures come as the newest of each host, lines of the log together in messages
// that aren't too long, and of other events none is left out, in order.
func TestBroadcast(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.WS.BroadcastsPerSecond = 2 })
	p := b.connect(t)
	p.barrier()
	b.publish(t, events.Services, "service_event", map[string]any{"n": 0}) // the next flush is half a second later
	if m := p.next(); m.Type != "service_event" {
		t.Fatalf("got %+v", m)
	}
	const many = 300
	for i := range many {
		b.publish(t, events.Status, "status_update", map[string]any{"host": fmt.Sprint("h", i%2), "n": i})
		b.publish(t, events.Logs, "log_update", map[string]any{"level": "INFO", "message": strings.Repeat("x", 1000), "n": i})
		b.publish(t, events.Services, "service_event", map[string]any{"n": i + 1})
	}
	var services, entries, status, batches int
	ids := map[string]bool{}
	for services < many || entries < many {
		m := p.next()
		if ids[m.ID] || m.ID == "" {
			t.Errorf("the id %q twice, or empty", m.ID)
		}
		ids[m.ID] = true
		var d struct {
			N       int
			File    string `json:"file_name"`
			Entries []struct{ N int }
			Total   int `json:"total_new_entries"`
		}
		must(t, json.Unmarshal(m.Data, &d))
		switch m.Type {
		case "service_event":
			if services++; d.N != services {
				t.Fatalf("event %d is number %d", d.N, services)
			}
		case "status_update":
			status++
		case "log_update":
			if batches++; len(m.Data) > 64<<10 || d.Total != len(d.Entries) || d.File != "app.log" {
				t.Errorf("%d bytes, %d of %d entries of %s", len(m.Data), d.Total, len(d.Entries), d.File)
			}
			for _, e := range d.Entries {
				if e.N != entries {
					t.Fatalf("line %d is number %d", e.N, entries)
				}
				entries++
			}
		}
	}
	if status > 20 || batches < 5 || batches > 20 {
		t.Errorf("%d figures of two hosts, %d messages of %d lines", status, batches, many)
	}
	if !strings.Contains(b.log.String(), "상태 업데이트 브로드캐스트: 1개 클라이언트") {
		t.Error("the log doesn't tell of it")
	}
}

// Ensure a client that comes back, to this server or to another, gets what it missed,
// from any message on that it got last.
func TestResume(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.connect(t)
	p.barrier()
	for i := range 20 {
		b.publish(t, events.Services, "service_event", map[string]any{"n": i})
		b.publish(t, events.Logs, "log_update", map[string]any{"level": "INFO", "n": i})
	}
	last := map[int]string{}
	for len(last) < 20 {
		m := p.next()
		var d struct{ N int }
		must(t, json.Unmarshal(m.Data, &d))
		if m.Type == "service_event" {
			last[d.N] = m.ID
		}
	}
	_ = p.Close()
	for i := 20; i < 30; i++ {
		b.publish(t, events.Services, "service_event", map[string]any{"n": i})
	}
	missed := func(after int) {
		t.Helper()
		c := b.connect(t)
		c.say(`{"type":"client_info","data":{"client_id":"x","last_broadcast_id":"` + last[after] + `"}}`)
		seen := map[int]bool{}
		for n := after + 1; n < 30; {
			m := c.next()
			var d struct{ N int }
			must(t, json.Unmarshal(m.Data, &d))
			if m.Type != "service_event" {
				continue
			}
			if seen[d.N] = true; d.N == n {
				n++
			}
		}
		if len(seen) > 30-after-1+1 {
			t.Errorf("after %d it got %d events", after, len(seen))
		}
		_ = c.Close()
	}
	missed(19)
	missed(7)
	b.start(t, b.rdb.Options())
	missed(12)
}

// Ensure a client that doesn't read is closed, and holds up nobody.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.WS.MessagesPerSecond = 10_000 })
	stalled, live := b.connect(t), b.connect(t)
	_ = stalled // reads no more
	big := strings.Repeat("x", 60_000)
	for i := range 1000 {
		b.publish(t, events.Services, "service_event", map[string]any{"n": i, "text": big})
		for {
			m := live.next()
			if m.Type == "service_event" && strings.HasPrefix(string(m.Data), fmt.Sprintf(`{"n":%d,`, i)) {
				break
			}
		}
		if strings.Contains(b.log.String(), "too slow") {
			break
		}
	}
	for !strings.Contains(b.log.String(), "too slow") {
		if b.ctx.Err() != nil {
			t.Fatal("the stalled client is still there")
		}
		live.barrier()
	}
}

// Ensure a server that stops says so to all, with when to come back.
func TestClose(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, q := b.connect(t), b.connect(t)
	var both sync.WaitGroup
	for _, x := range []*peer{p, q} {
		both.Go(func() {
			if code, reason := x.closed(); code != 1012 || !strings.Contains(reason, "reconnect in") {
				t.Errorf("closed with %d %q", code, reason)
			}
		})
	}
	must(t, b.server.Close(b.ctx))
	both.Wait()
	if _, status, err := b.dial(t); err == nil || status != http.StatusServiceUnavailable {
		t.Errorf("a new one: %v", err)
	}
}

// Ensure clients stay while Redis restarts, and get what happens afterwards.
func TestRedisRestarts(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.WS.MessagesPerSecond = 10_000 })
	p := b.connect(t)
	p.barrier()
	b.srv.Kill()
	p.barrier()
	must(t, b.srv.Restart(b.ctx))
	for n := 0; ; n++ {
		b.publish(t, events.Services, "service_event", map[string]any{"n": n})
		p.say(`{"type":"ping","data":{}}`)
		if m := p.next(); m.Type == "service_event" {
			return
		}
	}
}

// Ensure the connections are shown with their last messages, where that is wanted.
func TestClients(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.WS.Debug = true })
	p := b.connect(t)
	p.say(`{"type":"client_info","data":{"client_id":"me","client_type":"test"}}`)
	p.say(`{"type":"subscribe","data":{"event_types":["alert"]}}`)
	p.barrier()
	all := b.server.Clients()
	if len(all) != 1 || all[0].ClientID != "me" || all[0].State != "open" || len(all[0].Types) != 1 || len(all[0].Messages) < 4 {
		t.Errorf("%+v", all)
	}
}

// withMany lets one address have many connections.
func withMany(c *configs.Config) { c.WS.PerClient, c.WS.MessagesPerSecond = 1000, 1000 }

// Ensure what a deployment's job tells comes as a posco_event in front of it, to those who
// asked for that type too, and isn't lost on those who were cut off between the two.
func TestDeploymentEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	all, one := b.connect(t), b.connect(t)
	one.say(`{"type":"subscribe","data":{"event_types":["posco_event"]}}`)
	all.barrier()
	one.barrier()
	change := func(state, event string) {
		t.Helper()
		must(t, b.rdb.XAdd(b.ctx, &redis.XAddArgs{Stream: events.JobStream, Values: []any{
			"id", "j_1", "about", "deployment|||", "state", state, "attempt", "1", "progress", `{"event":"` + event + `","attempt":1,"project":"web","branch":"main","rollback":"none"}`,
		}}).Err())
	}
	holds := func(p *peer, kind, part string) message {
		t.Helper()
		m := p.next()
		if m.Type != kind || !strings.Contains(string(m.Data), part) {
			t.Fatalf("got %s %s, want %s with %s", m.Type, m.Data, kind, part)
		}
		return m
	}
	change("running", "deployment_started")
	holds(all, "posco_event", `"event_type":"deployment_started","branch":"main"`)
	holds(all, "job_event", `"state":"running"`)
	change("completed", "deployment_started")
	cut := holds(all, "posco_event", `"event_type":"deployment_completed"`)
	holds(all, "job_event", `"state":"completed"`)
	holds(one, "posco_event", `"event_type":"deployment_started"`)
	holds(one, "posco_event", `"event_type":"deployment_completed"`)

	back := b.connect(t)
	back.say(`{"type":"client_info","data":{"client_id":"a","last_broadcast_id":"` + cut.ID + `"}}`)
	holds(back, "posco_event", `"event_type":"deployment_completed"`)
	holds(back, "job_event", `"state":"completed"`)
}
