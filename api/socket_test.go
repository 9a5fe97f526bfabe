package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"switchyard/configs"
)

// Ensure the WebSocket is there on the API's address, and its connections are shown
// where that is wanted, and only there.
func TestSocket(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.WS.Debug = true })
	c, resp, err := websocket.DefaultDialer.DialContext(b.ctx, "ws"+strings.TrimPrefix(b.http.URL, "http")+"/ws/", nil)
	must(t, err)
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	if _, text, err := c.ReadMessage(); err != nil || !strings.Contains(string(text), `"type":"connection_status"`) {
		t.Fatalf("%s, %v", text, err)
	}
	b.eventually(t, "the connection is shown", func() bool {
		a := b.get(t, "/api/v1/ws/clients")
		return a.status == 200 && strings.Contains(a.body, `"address":"127.0.0.1"`) && strings.Contains(a.body, `"type":"connection_status"`)
	})
	setup(t).get(t, "/api/v1/ws/clients").wantsProblem(t, http.StatusNotFound, "not_found", "")
	if a := b.get(t, "/ws"); a.status != http.StatusBadRequest || !strings.Contains(a.body, "WebSocket") {
		t.Errorf("without an upgrade: %d %s", a.status, a.body)
	}
}
