package cloudflare_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/cloudflare"
	"switchyard/configs"
	sim "switchyard/sim/cloudflare"
	"switchyard/tasks"
)

// prism starts prism (PRISM names the program; `make test-api` sets it), which
// knows testdata/access-rules.json, and returns the address that it serves.
func prism(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	program := os.Getenv("PRISM")
	if program == "" {
		t.Skip("PRISM is not set; make test-api runs this")
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	spec, err := filepath.Abs(filepath.Join("testdata", "access-rules.json"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	c := exec.CommandContext(ctx, program, append(append([]string{args[0], spec}, args[1:]...), "--errors", "--host", "127.0.0.1", "--port", port)...)
	c.Env = append(os.Environ(), "SCARF_ANALYTICS=false", "NO_COLOR=1")
	var said strings.Builder
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
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

// Ensure the requests of the client and the answers of the simulator are what
// Cloudflare's reference describes: prism stands between them, and answers
// itself where one isn't.
func TestConformance_simulator(t *testing.T) {
	b := setup(t, inAccount, inZones)
	base := prism(b.ctx, t, "proxy", b.sim.URL(), "--validate-request")
	c := configs.Default().Cloudflare
	c.Token, c.BaseURL = configs.NewSecret(token), base
	inAccount(&c)
	inZones(&c)
	client := cloudflare.New(c, "switchyard/test")
	defer client.Close()
	id := "j_1"
	do := func(typ tasks.Type, ip string, want tasks.CFOutcome) {
		t.Helper()
		r, err := client.Do(b.ctx, cloudflare.Job{Type: typ, Target: target(t, ip), ID: id}, cloudflare.Hooks{})
		if err != nil || r.Outcome != want {
			t.Errorf("%s %s: %+v, %v; want %s", typ, ip, r, err, want)
		}
	}
	if err := client.Verify(b.ctx); err != nil {
		t.Error(err)
	}
	for _, ip := range []string{"192.0.2.1", "192.0.2.0/24", "198.51.0.0/16", "2001:db8::1", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1:2::/64"} {
		do(tasks.CFBlock, ip, tasks.CFBlocked)
		do(tasks.CFSearch, ip, tasks.CFFound)
		do(tasks.CFRelease, ip, tasks.CFReleased)
		do(tasks.CFRelease, ip, tasks.CFNotBlocked)
	}
	b.add(t, "whitelist", "192.0.2.7", "")
	do(tasks.CFBlock, "192.0.2.7", tasks.CFBlocked) // a PATCH in the account
	// Refusals come through as they are: a duplicate, and those of the faults.
	id = "j_2"
	do(tasks.CFBlock, "192.0.2.7", tasks.CFAlreadyBlocked)
	for _, f := range []sim.Fault{
		{Status: 429, Code: 971, Message: "Please wait", RetryAfter: "17"}, {Status: 403, Code: 9109, Message: "Unauthorized to access requested resource"},
		{Status: 500, Code: 10013, Message: "internal"},
	} {
		b.sim.Fail(f)
		_, err := client.Do(b.ctx, cloudflare.Job{Type: tasks.CFSearch, Target: target(t, "192.0.2.1"), ID: "j_1"}, cloudflare.Hooks{})
		if err == nil || !strings.Contains(err.Error(), f.Message) {
			t.Errorf("%+v: %v", f, err)
		}
		b.sim.Recover()
	}
	for _, call := range b.sim.Ledger() {
		if call.Status == 0 || call.Status == http.StatusMethodNotAllowed || call.Code == 7000 {
			t.Errorf("%+v", call)
		}
	}
}

// Ensure the client gets along with a server that knows nothing but Cloudflare's
// description, and makes up its answers from it.
func TestConformance_mock(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	base := prism(ctx, t, "mock")
	c := configs.Default().Cloudflare
	c.Token, c.BaseURL = configs.NewSecret(token), base
	inAccount(&c)
	client := cloudflare.New(c, "switchyard/test")
	defer client.Close()
	if err := client.Verify(ctx); err != nil {
		t.Error(err)
	}
	for typ, want := range map[tasks.Type]tasks.CFOutcome{tasks.CFBlock: tasks.CFBlocked, tasks.CFRelease: tasks.CFReleased, tasks.CFSearch: tasks.CFFound} {
		r, err := client.Do(ctx, cloudflare.Job{Type: typ, Target: target(t, "198.51.100.4"), ID: "j_1"}, cloudflare.Hooks{})
		if err != nil || r.Outcome != want {
			t.Errorf("%s: %+v, %v", typ, r, err)
		}
	}
}
