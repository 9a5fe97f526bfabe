package app_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/app"
	"switchyard/configs"
)

// wsClients is where the documented clients of the WebSocket are, and what they need.
const wsClients = "testdata/ws"

// program finds one that make test-api installs.
func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CLIENTS") != "" {
		t.Fatalf("there is none of %q", names)
	}
	t.Skipf("there is none of %q (make test-api installs it)", names)
	return ""
}

// needsModules passes the test over where the clients' libraries are not installed.
func needsModules(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(wsClients, "node_modules")); err != nil {
		if os.Getenv("CLIENTS") != "" {
			t.Fatal(err)
		}
		t.Skipf("%v (make test-api installs them)", err)
	}
}

// testimony is what a client tells of itself.
type testimony struct {
	mu      sync.Mutex
	all     []string
	faults  []string
	changed chan struct{}
}

func newTestimony() *testimony { return &testimony{changed: make(chan struct{})} }

func (x *testimony) add(line string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all = append(x.all, line)
	if strings.HasPrefix(line, `{"error":`) {
		x.faults = append(x.faults, line)
	}
	close(x.changed)
	x.changed = make(chan struct{})
}

// says waits until it has told something with all these parts, after what it told first.
func (x *testimony) says(t *testing.T, b *bundle, parts ...string) {
	t.Helper()
	for {
		x.mu.Lock()
		all, changed := x.all, x.changed
		x.mu.Unlock()
		for _, line := range all {
			found := true
			for _, p := range parts {
				found = found && strings.Contains(line, p)
			}
			if found {
				return
			}
		}
		select {
		case <-changed:
		case <-b.ctx.Done():
			t.Fatalf("it never told %q, but %.4000q", parts, all)
		}
	}
}

// failed are the errors that it told of.
func (x *testimony) failed() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.faults
}

// forget has says look at what is told from now on.
func (x *testimony) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all = nil
}

// bundled is the documented React dashboard as one script.
func bundled(t *testing.T, b *bundle, uri string) []byte {
	t.Helper()
	var text bytes.Buffer
	for _, name := range []string{"dashboard.jsx", "dashboard_main.jsx"} {
		part, err := os.ReadFile(filepath.Join(wsClients, "page", name))
		must(t, err)
		text.Write(bytes.Replace(part, []byte("ws://localhost:8000/ws"), []byte(uri), 1))
	}
	cmd := exec.CommandContext(b.ctx, filepath.Join("node_modules", ".bin", "esbuild"),
		"--bundle", "--loader=jsx", "--jsx=automatic", `--define:process.env.NODE_ENV="production"`)
	cmd.Dir, cmd.Stdin = wsClients, &text
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	return out
}

// pages serves pages around the documented clients, and takes what they tell.
func (b *bundle) pages(t *testing.T, uri *string) (*httptest.Server, *testimony) {
	t.Helper()
	x := newTestimony()
	mux := http.NewServeMux()
	script := func(w http.ResponseWriter, name string) {
		text, err := os.ReadFile(filepath.Join(wsClients, "page", name))
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(bytes.Replace(text, []byte("ws://localhost:8000/ws"), []byte(*uri), 1))
	}
	page := func(body func(http.ResponseWriter)) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, `<!doctype html><title>client</title><div id="dashboard"></div><script>`)
			script(w, "watch.js")
			_, _ = io.WriteString(w, "</script>")
			body(w)
		}
	}
	mux.HandleFunc("GET /first", page(func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, "<script>")
		script(w, "first.js")
		_, _ = io.WriteString(w, "</script>")
	}))
	mux.HandleFunc("GET /manager", page(func(w http.ResponseWriter) {
		text, err := os.ReadFile(filepath.Join(wsClients, "page", "manager.js"))
		if err != nil {
			t.Error(err)
		}
		// Its reader's part stands between the class and its first use.
		class, use, _ := strings.Cut(strings.Replace(string(text), "ws://localhost:8000/ws", *uri, 1), "// 사용 예시")
		_, _ = fmt.Fprintf(w, "<script>%s\ncomplete(WebSocketManager);\n%s</script>", class, use)
	}))
	dashboard := bundled(t, b, *uri)
	mux.HandleFunc("GET /dashboard", page(func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, "<script>")
		_, _ = w.Write(bytes.ReplaceAll(dashboard, []byte("</script"), []byte(`<\/script`)))
		_, _ = io.WriteString(w, "</script>")
	}))
	mux.HandleFunc("POST /told", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err == nil {
			x.add(string(text))
		}
		w.WriteHeader(http.StatusNoContent)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s, x
}

// browse opens an address in a browser of its own until the test ends.
func (b *bundle) browse(t *testing.T, browser, address string) {
	t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--remote-debugging-port=0", "--user-data-dir="+t.TempDir(), address)
	cmd.WaitDelay = 10 * time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	must(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("the browser: %.2000s", said.String())
		}
	})
}

// restart stops a process and starts another one at the same address.
func (b *bundle) restart(t *testing.T, p *process, change ...func(*configs.Config)) *process {
	t.Helper()
	at := p.Addrs()[0]
	must(t, p.Stop(b.ctx))
	return b.start(t, b.config(append(change, func(c *configs.Config) { c.HTTP.Listen = []string{at} })...), app.API)
}

// Ensure the documentation's browser clients run as they stand in a browser: they say who
// they are, see the machine's state, get their pongs, and come back after a restart.
func TestLiveClientsInTheBrowser(t *testing.T) {
	t.Parallel()
	browser := program(t, "chromium", "chromium-browser", "google-chrome")
	needsModules(t)
	b := setup(t)
	var uri, origin string
	allow := func(c *configs.Config) { c.HTTP.AllowedOrigins = []string{origin} }
	first := b.start(t, b.config(), app.API) // for a port that is free
	uri = "ws://" + first.Addrs()[0] + "/ws"
	s, x := b.pages(t, &uri)
	origin = s.URL
	p := b.restart(t, first, allow)

	b.browse(t, browser, s.URL+"/first")
	x.says(t, b, `"handled":"connection_status"`)
	x.says(t, b, `"handled":"status_update"`)
	b.eventually(t, "it has said who it is", func() bool {
		return strings.Contains(p.log.String(), "클라이언트 정보 수신: dashboard_client_1")
	})
	x.forget()

	b.browse(t, browser, s.URL+"/manager")
	x.says(t, b, `"handled":"handlePong"`, `"client_time":"`)
	x.says(t, b, `"handled":"handleStatusUpdate"`, `"cpu_percent":`, `"active_services":`)
	x.forget()

	p = b.restart(t, p, allow)
	x.says(t, b, `"closed":1012`)
	x.says(t, b, `"handled":"reconnect"`)
	x.says(t, b, `WebSocket 연결 성공`)
	x.says(t, b, `"handled":"handlePong"`)
	x.forget()

	b.browse(t, browser, s.URL+"/dashboard")
	x.says(t, b, `"shown":"연결 상태: 연결됨`)
	x.says(t, b, `"shown":"`, `CPU: `, `%메모리: `, `POSCO 뉴스 재시작`)
	// Its button asks for a service that isn't configured here.
	x.says(t, b, `"got":{"type":"error"`, `"SERVICE_NOT_FOUND"`, `posco_news`)
	b.eventually(t, "it has said who it is", func() bool { return strings.Contains(p.log.String(), "클라이언트 정보 수신: react_dashboard") })
	if f := x.failed(); len(f) > 0 {
		t.Errorf("in the pages: %q", f)
	}
}

// Ensure the documentation's client that comes back by itself does so in Node.js, with the
// library ws.
func TestLiveClientsInNode(t *testing.T) {
	t.Parallel()
	node := program(t, "node")
	needsModules(t)
	b := setup(t)
	p := b.start(t, b.config(), app.API)
	cmd := exec.CommandContext(b.ctx, node, "manager.mjs", "ws://"+p.Addrs()[0]+"/ws")
	cmd.Dir = wsClients
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	x := newTestimony()
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			x.add(lines.Text())
		}
	})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		reading.Wait()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("node: %s", errs.String())
		}
	})
	x.says(t, b, `"got":{"type":"connection_status"`)
	x.says(t, b, `"handled":"handlePong"`)
	x.says(t, b, `"handled":"handleStatusUpdate"`)
	x.forget()
	b.restart(t, p)
	x.says(t, b, `"closed":1012`)
	x.says(t, b, `"got":{"type":"connection_status"`)
	x.says(t, b, `"handled":"handlePong"`)
}
