package ws

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"switchyard/configs"
	"switchyard/events"
)

// features are what the server says that it can.
var features = []string{"real_time_metrics", "log_streaming", "webhook_notifications", "posco_integration"}

// connectionStatus is the data of the first message.
type connectionStatus struct {
	Status        string   `json:"status"`
	ServerVersion string   `json:"server_version"`
	ServerTime    string   `json:"server_time"`
	ClientCount   int      `json:"client_count"`
	Uptime        int64    `json:"uptime_seconds"`
	Features      []string `json:"features"`
}

// receive handles one message of the client's.
func (c *conn) receive(text []byte) {
	began := time.Now()
	if !c.client.limit.Allow() {
		c.s.opt.Meter.WebSocketReceived("dropped", 0)
		c.fail(Fail(RateLimited, "limit_per_second", c.s.opt.Config.MessagesPerSecond))
		return
	}
	in, e := parse(text)
	kind := "invalid"
	if e == nil {
		if kind = in.Type; !c.known(kind) {
			kind, e = "unknown", Fail(UnknownType, "received_type", clip([]byte(in.Type)))
		}
	}
	c.diary.note(began, "in", kind, len(text))
	if e == nil {
		e = c.handle(in)
	}
	if e != nil {
		c.fail(e)
	}
	c.s.opt.Meter.WebSocketReceived(kind, time.Since(began))
}

func (c *conn) known(kind string) bool {
	switch kind {
	case typeClientInfo, typeSubscribe, typeUnsubscribe, typeServiceControl, typeSendWebhook, typePing:
		return true
	}
	return false
}

func (c *conn) fail(e *Error) {
	e.At = at(c.s.now())
	c.s.opt.Meter.WebSocketError(string(e.Code))
	c.s.opt.Log.Log(c.ctx, slog.LevelInfo, "WebSocket 오류 응답: "+string(e.Code), "client", c.address())
	c.tell(typeError, e)
}

func (c *conn) handle(in incoming) *Error {
	switch in.Type {
	case typeClientInfo:
		return c.introduced(in)
	case typeSubscribe, typeUnsubscribe:
		return c.subscribed(in)
	case typePing:
		return c.pinged(in)
	case typeSendWebhook:
		return c.allowed(configs.WebhooksSend, func() *Error {
			if c.s.opt.Webhook == nil {
				return Fail(InternalError, "reason", "webhooks can't be sent by this server")
			}
			return c.s.opt.Webhook(c.ctx, &c.caller, in.Data)
		})
	default:
		return c.allowed(configs.ServicesCtl, func() *Error { return c.control(in) })
	}
}

func (c *conn) allowed(scope configs.Scope, f func() *Error) *Error {
	if c.caller.May(scope) != nil {
		return Fail(PermissionDenied, "required_scope", scope)
	}
	return f()
}

// info is the data of client_info.
type info struct {
	ClientID   string   `json:"client_id"`
	ClientType string   `json:"client_type"`
	UserAgent  string   `json:"user_agent"`
	Screen     string   `json:"screen_resolution"`
	Timezone   string   `json:"timezone"`
	Language   string   `json:"language"`
	Features   []string `json:"features"`
	// Last is the id of the last broadcast that the client got before.
	Last *string `json:"last_broadcast_id"`
}

func (c *conn) introduced(in incoming) *Error {
	var i info
	if e := strict(in, &i); e != nil {
		return e
	}
	var after events.Cursor
	if i.Last != nil {
		var ok bool
		if after, ok = parseID(*i.Last); !ok {
			return Fail(InvalidFormat, "expected_fields", []string{"last_broadcast_id"}, "received_message", clip(in.Data), "reason", "data.last_broadcast_id is no broadcast_id of this server")
		}
	}
	c.diary.name(i.ClientID, i.ClientType)
	c.s.opt.Log.Info("클라이언트 정보 수신: "+clip([]byte(i.ClientID)), "client", c.address(), "type", clip([]byte(i.ClientType)))
	if i.Last == nil {
		return nil
	}
	if err := c.s.resume(c.ctx, c, after); err != nil && c.ctx.Err() == nil {
		c.s.opt.Log.Warn("WebSocket 오류: 놓친 이벤트를 읽을 수 없음", "client", c.address(), "err", err)
		return Fail(InternalError, "reason", "what was missed can't be read now; try again")
	}
	return nil
}

func (c *conn) subscribed(in incoming) *Error {
	var d subscribeData
	if e := strict(in, &d); e != nil {
		return e
	}
	if e := d.check(in.Data); e != nil {
		return e
	}
	c.sub.mu.Lock()
	defer c.sub.mu.Unlock()
	if in.Type == typeUnsubscribe {
		c.s.opt.Log.Info("구독 해제: "+strings.Join(d.Types, ", "), "client", c.address())
		c.sub.unsubscribe(d)
		return nil
	}
	c.s.opt.Log.Info("구독 요청: "+strings.Join(d.Types, ", "), "client", c.address())
	c.sub.subscribe(d)
	return nil
}

// pong is the data of the answer to a ping.
type pong struct {
	ClientTime json.RawMessage `json:"client_time"`
	ServerTime string          `json:"server_time"`
	Latency    int64           `json:"latency_ms"`
}

func (c *conn) pinged(in incoming) *Error {
	var d struct {
		ClientTime json.RawMessage `json:"client_time"`
	}
	if e := strict(in, &d); e != nil {
		return e
	}
	now := c.s.now()
	p := pong{ClientTime: bytes.TrimSpace(d.ClientTime), ServerTime: at(now)}
	if len(p.ClientTime) == 0 {
		p.ClientTime = json.RawMessage("null")
	}
	var text string
	if json.Unmarshal(p.ClientTime, &text) == nil {
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			p.Latency = max(0, now.Sub(t).Milliseconds())
		}
	}
	c.tell(typePong, p)
	return nil
}

// actions of service_control.
var actions = map[string]bool{"start": true, "stop": true, "restart": true, "status": true}

// control is the data of service_control.
type control struct {
	Service *string `json:"service_id"`
	Action  *string `json:"action"`
	Options struct {
		Force   bool     `json:"force"`
		Timeout *float64 `json:"timeout"`
	} `json:"options"`
}

func (c *conn) control(in incoming) *Error {
	var d control
	if e := strict(in, &d); e != nil {
		return e
	}
	if d.Service == nil || d.Action == nil || !actions[*d.Action] {
		return Fail(InvalidFormat, "expected_fields", []string{"service_id", "action"}, "received_message", clip(in.Data), "reason", "action is start, stop, restart or status")
	}
	if c.s.opt.Control == nil {
		return Fail(ServiceNotFound, "service_id", clip([]byte(*d.Service)))
	}
	return c.s.opt.Control(c.ctx, &c.caller, in.Data)
}
