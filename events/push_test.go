package events_test

import (
	"testing"

	"switchyard/events"
)

// Ensure an event of another kind is none of a push, and one that can't be read
// says so.
func TestParsePush(t *testing.T) {
	t.Parallel()
	if _, ok, err := events.ParsePush(map[string]any{"kind": "host_offline", "data": "{}"}); ok || err != nil {
		t.Errorf("another kind: %v, %v", ok, err)
	}
	p, ok, err := events.ParsePush(map[string]any{"kind": "push", "data": `{"host":"a","receiver":"main","url_host":"example.com","ok":true,"status":200,"error":"","at":"2025-12-13T13:51:01Z"}`})
	if !ok || err != nil || p.Host != "a" || p.Receiver != "main" || p.URLHost != "example.com" || !p.OK || p.Status != 200 || p.At.IsZero() {
		t.Errorf("%+v, %v, %v", p, ok, err)
	}
	if _, ok, err := events.ParsePush(map[string]any{"kind": "push", "data": "{"}); !ok || err == nil {
		t.Errorf("cut off: %v, %v", ok, err)
	}
}
