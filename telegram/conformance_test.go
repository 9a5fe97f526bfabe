package telegram_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/configs"
	sim "switchyard/sim/telegram"
	"switchyard/tasks"
	"switchyard/telegram"
)

// prism starts prism (PRISM names the program; `make test-api` sets it), which
// knows testdata/bot-api.json, a description of the Bot API made by others, and
// returns the address that it serves.
func prism(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	program := os.Getenv("PRISM")
	if program == "" {
		t.Skip("PRISM is not set; make test-api runs this")
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	must(t, l.Close())
	spec, err := filepath.Abs(filepath.Join("testdata", "bot-api.json"))
	must(t, err)
	ctx, cancel := context.WithCancel(ctx)
	c := exec.CommandContext(ctx, program, append(append([]string{args[0], spec}, args[1:]...), "--errors", "--host", "127.0.0.1", "--port", port)...)
	c.Env = append(os.Environ(), "SCARF_ANALYTICS=false", "NO_COLOR=1")
	var said strings.Builder
	c.Stdout, c.Stderr = &said, &said
	must(t, c.Start())
	t.Cleanup(func() {
		cancel()
		_ = c.Wait() // it was killed
		if t.Failed() {
			t.Logf("prism:\n%s", said.String())
		}
	})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = conn.Close()
			return "http://" + addr
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("prism never listened")
		}
	}
}

// at is a client of the Bot API at this address.
func at(t *testing.T, base string) *telegram.Client {
	t.Helper()
	c := configs.Default().Telegram
	c.Token, c.BaseURL = configs.NewSecret(token), base
	client, err := telegram.New(c, "switchyard/test")
	must(t, err)
	t.Cleanup(client.Close)
	return client
}

// Ensure the requests of the client and the answers of the simulator are what the
// description of the Bot API has: prism stands between them, and answers itself
// where one isn't.
func TestConformance_simulator(t *testing.T) {
	b := setup(t)
	client := at(t, prism(b.ctx, t, "proxy", b.sim.URL(), "--validate-request"))
	if name, err := client.Me(b.ctx); err != nil || name != "switchyard_bot" {
		t.Errorf("%q, %v", name, err)
	}
	for _, m := range []telegram.Message{
		{Chat: "1", Text: strings.Repeat("a", 4096)}, {Chat: "-2", Text: "<b>x &lt; y</b>", HTML: true}, {Chat: "@operators", Text: "가"},
	} {
		if _, err := client.Send(b.ctx, m); err != nil {
			t.Errorf("%.20s to %s: %v", m.Text, m.Chat, err)
		}
	}
	// Past prism: in a form buttons are JSON in a field, which it takes for text.
	id, err := b.client.Send(b.ctx, telegram.Message{Chat: "1", Text: "x", Buttons: []tasks.TelegramButton{{Text: "again", Command: "toggle 11"}}})
	must(t, err)
	must(t, b.sim.Press(id, "toggle 11"))
	must(t, b.sim.Say("1", "/help"))
	got, err := client.Updates(b.ctx, 0, time.Second)
	if err != nil || len(got) != 2 || got[0].Query == "" {
		t.Fatalf("%+v, %v", got, err)
	}
	must(t, client.Acknowledge(b.ctx, got[0].Query, "done"))
	// Refusals come through as they are.
	b.sim.Move("-2", "-1001234567890")
	for chat, f := range map[string]sim.Fault{
		"1": {Chat: "1", Status: 429, RetryAfter: 17, Description: "Too Many Requests: retry after 17"}, "-2": {}, "3": {},
		"@operators": {Chat: "@operators", Status: 403, Description: "Forbidden: bot was kicked from the channel chat"},
	} {
		if f.Status != 0 {
			b.sim.Fail(f)
		}
		_, err := client.Send(b.ctx, telegram.Message{Chat: chat, Text: "x"})
		var e *telegram.Error
		if !errors.As(err, &e) || e.Status < 400 || e.Unsure || e.Limited() != (f.RetryAfter > 0) || (e.MovedTo != 0) != (chat == "-2") {
			t.Errorf("%s: %v", chat, err)
		}
	}
}

// Ensure the client gets along with a server that knows nothing but the description
// of the Bot API, and makes up its answers from it.
func TestConformance_mock(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client := at(t, prism(ctx, t, "mock"))
	if _, err := client.Me(ctx); err != nil {
		t.Error(err)
	}
	if _, err := client.Updates(ctx, 1, time.Second); err != nil {
		t.Error(err)
	}
	if id, err := client.Send(ctx, telegram.Message{Chat: "-12345678", Text: "test message"}); err != nil || id == 0 {
		t.Errorf("%d, %v", id, err)
	}
	if _, err := client.Send(ctx, telegram.Message{Chat: "1", Text: strings.Repeat("a", 4097)}); err == nil {
		t.Error("a message that is too long was taken")
	}
}
