package ws

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"switchyard/tasks"
)

// The types of messages from clients.
const (
	typeClientInfo     = "client_info"
	typeSubscribe      = "subscribe"
	typeUnsubscribe    = "unsubscribe"
	typeServiceControl = "service_control"
	typeSendWebhook    = "send_webhook"
	typePing           = "ping"
)

// The types of messages to clients that are no events.
const (
	typeConnection = "connection_status"
	typePong       = "pong"
	typeError      = "error"
)

// Code of an error message.
type Code string

// The codes.
const (
	InvalidFormat    Code = "INVALID_MESSAGE_FORMAT"
	UnknownType      Code = "UNKNOWN_MESSAGE_TYPE"
	Unauthenticated  Code = "AUTHENTICATION_REQUIRED"
	PermissionDenied Code = "PERMISSION_DENIED"
	ServiceNotFound  Code = "SERVICE_NOT_FOUND"
	InternalError    Code = "INTERNAL_SERVER_ERROR"
	RateLimited      Code = "RATE_LIMIT_EXCEEDED"
)

// words of the codes, in the language of the clients.
var words = map[Code]string{
	InvalidFormat:    "메시지 형식이 올바르지 않습니다",
	UnknownType:      "알 수 없는 메시지 타입입니다",
	Unauthenticated:  "인증이 필요합니다",
	PermissionDenied: "권한이 없습니다",
	ServiceNotFound:  "서비스를 찾을 수 없습니다",
	InternalError:    "내부 서버 오류가 발생했습니다",
	RateLimited:      "메시지 빈도 제한을 초과했습니다",
}

// Error is what is told of a message that can't be done.
type Error struct {
	Code    Code           `json:"error_code"`
	Message string         `json:"error_message"`
	Details map[string]any `json:"details"`
	At      string         `json:"timestamp"`
}

// Error implements error.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Fail makes an error of a code; details are names and values in turn.
func Fail(c Code, details ...any) *Error {
	e := &Error{Code: c, Message: words[c], Details: map[string]any{}}
	for i := 0; i+1 < len(details); i += 2 {
		if name, ok := details[i].(string); ok {
			e.Details[name] = details[i+1]
		}
	}
	return e
}

// incoming is a message of a client's.
type incoming struct {
	Type string
	Data json.RawMessage
}

// repeated is how much of a message an error repeats.
const repeated = 1024

// parse reads a message: type and data are required, timestamp and client_id may be
// there, and whatever else.
func parse(text []byte) (incoming, *Error) {
	wrong := func(why string) (incoming, *Error) {
		return incoming{}, Fail(InvalidFormat, "expected_fields", []string{"type", "data"}, "received_message", clip(text), "reason", why)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(text, &m); err != nil || m == nil {
		return wrong("a message is a JSON object")
	}
	var in incoming
	if json.Unmarshal(m["type"], &in.Type) != nil || in.Type == "" {
		return wrong("type is missing, or no text")
	}
	in.Data = bytes.TrimSpace(m["data"])
	if len(in.Data) == 0 || in.Data[0] != '{' {
		return wrong("data is missing, or no object")
	}
	for _, name := range []string{"timestamp", "client_id"} {
		if v, ok := m[name]; ok && !isText(v) {
			return wrong(name + " is no text")
		}
	}
	return in, nil
}

func isText(v json.RawMessage) bool {
	v = bytes.TrimSpace(v)
	return len(v) > 0 && v[0] == '"' || string(v) == "null"
}

// clip is the beginning of a message, whole letters of it.
func clip(text []byte) string {
	if len(text) <= repeated {
		return string(text)
	}
	text = text[:repeated]
	for len(text) > 0 && !utf8.Valid(text) {
		text = text[:len(text)-1]
	}
	return string(text) + "…"
}

// envelope is a message to clients.
type envelope struct {
	Type        string `json:"type"`
	Data        any    `json:"data"`
	Timestamp   string `json:"timestamp"`
	BroadcastID string `json:"broadcast_id,omitempty"`
}

func at(t time.Time) string { return t.UTC().Format(tasks.MilliTime) }

// strict reads a data member into a struct; wrong types are errors, unknown members
// are not.
func strict(in incoming, to any) *Error {
	if err := json.Unmarshal(in.Data, to); err != nil {
		return Fail(InvalidFormat, "expected_fields", []string{"type", "data"}, "received_message", clip(in.Data), "reason", reason(err))
	}
	return nil
}

// reason is why a document can't be read, without the names of our types.
func reason(err error) string {
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) && wrong.Field != "" {
		return "data." + wrong.Field + " is of the wrong type: " + strings.TrimPrefix(wrong.Value, "number ")
	}
	return "data is not what this type takes"
}
