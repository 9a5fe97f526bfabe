package app_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/jobs"
)

// executed sends an execution and waits for it; the answer is its document.
func (b *bundle) executed(t *testing.T, api *process, body string) (document string) {
	t.Helper()
	var a struct {
		ID int64 `json:"execution_id"`
	}
	must(t, json.Unmarshal([]byte(b.wants(t, api, http.MethodPost, "/strategies/execute/", body, 202, `"message":"Strategy execution started"`)), &a))
	path := fmt.Sprintf("/executions/%d/", a.ID)
	b.eventually(t, "the execution and its callback are over", func() bool {
		document = b.wants(t, api, http.MethodGet, path, "", 200, `"execution_id"`)
		return !strings.Contains(document, `"completed_at":null`) && !strings.Contains(document, `"response":null`)
	})
	return document
}

// Ensure executions, of the built-in strategies and of a program, run from the request
// to the recorded callback, by processes with no more rights in Redis than their own.
func TestStrategy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	strategies := func(c *configs.Config) {
		c.Strategy.Commands = []configs.StrategyCommand{{
			Name: "Own", Command: []string{"/bin/sh", "-c", `cat >&2; echo "$CANARY" >&2; echo '{"progress":50}{"return":0.125,"canary":"'$CANARY'"}'`},
			Parameters: []configs.StrategyParameter{{Name: "asset", Type: "string", Default: "SPY", Allowed: []configs.Literal{"SPY", "QQQ"}}, {Name: "share", Type: "number", Default: "0.5"}},
		}}
	}
	api := b.start(t, b.config(b.user(t, "api", jobs.APIAccess()), strategies), app.API)
	b.start(t, b.config(b.user(t, "worker", jobs.WorkerAccess()), strategies), app.Worker)
	callback := `,"callback_url":"` + b.receiver.URL() + `/strategy"`

	d := b.executed(t, api, `{"strategy_name":"BoldAssetAllocation","parameters":{"variant":"BAA-G4","initial_capital":100000}`+callback+`}`)
	for _, want := range []string{
		`"status":"completed"`, `"execution_parameters":{"variant":"BAA-G4","initial_capital":100000,"use_real_data":false`, `"result":{"strategy":"BoldAssetAllocation","variant":"BAA-G4"`,
		`"callback":{"url":"` + b.receiver.URL() + `/strategy","sent":true,"sent_at":"2`, `"response":{"status_code":200,"response_text":`,
	} {
		if !strings.Contains(d, want) {
			t.Errorf("no %s in %s", want, d)
		}
	}
	d = b.executed(t, api, `{"strategy_name":"BoldAssetAllocation","parameters":{"variant":"INVALID"}`+callback+`}`)
	if !strings.Contains(d, `"status":"failed"`) || !strings.Contains(d, `"execution_parameters":{"variant":"INVALID"},"error_message":"Unknown variant: INVALID. Available variants: BAA-G12, BAA-G4, BAA-G12/T3, BAA-G4/T2, BAA-SPY"`) {
		t.Errorf("answer %s", d)
	}
	d = b.executed(t, api, `{"strategy_name":"Own","parameters":{"asset":"QQQ"}}`)
	if !strings.Contains(d, `"execution_parameters":{"asset":"QQQ","share":0.5},"result":{"return":0.125,"canary":""}}`) {
		t.Errorf("answer %s", d)
	}
	// The same bytes that GET shows are posted, but for the callback.
	posts := b.receiver.Received()
	if len(posts) != 2 || !strings.HasPrefix(posts[1].Body, `{"execution_id":2,"strategy":"BoldAssetAllocation","version":"1.0.0","status":"failed","started_at":"`) || strings.Contains(posts[0].Body, `"callback"`) {
		t.Errorf("received %+v", posts)
	}
	b.wants(t, api, http.MethodGet, "/executions/1/chart", "", 200, "<svg ")
	b.wants(t, api, http.MethodGet, "/strategies", "", 200, `"name":"Own"`)
	b.wants(t, api, http.MethodGet, "/metrics", "", 200, `queue="strategy"`)
	for _, d := range b.denied(t) {
		t.Errorf("Redis denied %s", d)
	}
}

// Ensure each fate of a callback is recorded as the older executor records it, and that
// none of them holds up the others.
func TestStrategyCallbacks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t, b.config(), app.API, app.Worker)
	hangs := make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/error":
			http.Error(w, "no", http.StatusInternalServerError)
		case "/redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "/silent":
			select {
			case <-hangs:
			case <-r.Context().Done():
			}
		case "/slow-body":
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusOK)
			_, _ = w.Write([]byte("begun"))
			w.(http.Flusher).Flush()
			select {
			case <-hangs:
			case <-r.Context().Done():
			}
		default:
			w.Header().Add("X-Two", "a")
			w.Header().Add("X-Two", "b")
			_, _ = w.Write([]byte(strings.Repeat("x", 5000)))
		}
	}))
	t.Cleanup(receiver.Close)
	t.Cleanup(func() { close(hangs) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	nobody := "http://" + l.Addr().String()
	must(t, l.Close())
	for name, tt := range map[string]struct{ url, want string }{
		"long answer":    {receiver.URL + "/ok", `"sent":true,"sent_at":"2`},
		"500":            {receiver.URL + "/error", `"response":{"status_code":500,"response_text":"no\n","headers":{`},
		"redirect":       {receiver.URL + "/redirect", `"sent":false,"sent_at":null,"response":{"error":"Redirect not followed (302)"}`},
		"refused":        {nobody, `"sent":false,"sent_at":null,"response":{"error":"Connection refused"}`},
		"no answer":      {receiver.URL + "/silent", `"sent":false,"sent_at":null,"response":{"error":"Timed out after 10s"}`},
		"endless answer": {receiver.URL + "/slow-body", `"response":{"status_code":200,"response_text":"begun`},
		"not allowed":    {"http://10.255.255.1/", `"sent":false,"sent_at":null,"response":{"error":"address not allowed: `},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := b.executed(t, p, `{"strategy_name":"MovingAverageCrossover","callback_url":"`+tt.url+`"}`)
			if !strings.Contains(d, tt.want) || !strings.Contains(d, `"status":"completed"`) {
				t.Errorf("no %s in …%s", tt.want, d[max(0, len(d)-600):])
			}
			if name == "long answer" && (!strings.Contains(d, `"response_text":"`+strings.Repeat("x", 4096)+`"`) || !strings.Contains(d, `"X-Two":"a, b"`)) {
				t.Errorf("answer …%s", d[max(0, len(d)-600):])
			}
		})
	}
}

// Ensure the older executor's test scripts, one in Python and one for Node.js, run as
// they are. Where one of the languages isn't installed its script is passed over, but
// not if CLIENTS is set, as make test-api does.
func TestStrategyClients(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t, b.config(), app.API, app.Worker)
	for program, script := range map[string]string{"python3": "test_callback.py", "node": "test_callback.mjs"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(program); err != nil {
				if os.Getenv("CLIENTS") != "" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			for request, want := range map[string]string{
				`{"strategy_name":"MovingAverageCrossover","parameters":{"short_window":10,"long_window":30}}`: "return ",
				`{"strategy_name":"BoldAssetAllocation","parameters":{"variant":"BAA-G4"}}`:                    "return ",
				`{"strategy_name":"BoldAssetAllocation","parameters":{"variant":"INVALID"}}`:                   "Unknown variant: INVALID. Available",
			} {
				cmd := exec.CommandContext(b.ctx, program, filepath.Join("testdata", "strategy", script), "http://"+p.Addrs()[0], request)
				out, err := cmd.Output()
				var told struct {
					Path, Text  string
					ContentType string `json:"content_type"`
				}
				if err != nil || json.Unmarshal(out, &told) != nil || told.Path != "/webhook/strategy-result" || told.ContentType != "application/json" || !strings.HasPrefix(told.Text, want) {
					t.Errorf("%s: %v, %s", request, err, out)
				}
			}
		})
	}
}

// Ensure prices of a folder reach a strategy by their symbol, and what is wrong with them
// reaches the client.
func TestStrategyPrices(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir := t.TempDir()
	var csv strings.Builder
	csv.WriteString("Date,Open,High,Low,Close,Adj Close,Volume\n")
	day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 300 {
		p := 100 + 20*math.Sin(float64(i)/15)
		fmt.Fprintf(&csv, "%s,%.4f,%.4f,%.4f,%.4f,%.4f,1000\n", day.AddDate(0, 0, i).Format(time.DateOnly), p, p+1, p-1, p, p)
	}
	must(t, os.WriteFile(filepath.Join(dir, "GOOG.csv"), []byte(csv.String()), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "BAD.csv"), []byte("Date,Close\n2024-01-01,abc\n"), 0o600))
	p := b.start(t, b.config(func(c *configs.Config) { c.Strategy.Prices.Folder = dir }), app.API, app.Worker)
	const request = `{"strategy_name":"MovingAverageCrossover","parameters":{"symbol":%q,"short_window":5,"long_window":20,"allow_short":true}}`
	if d := b.executed(t, p, fmt.Sprintf(request, "GOOG")); !strings.Contains(d, `"use_real_data":true`) || !strings.Contains(d, `"symbol":"GOOG","data_source":"folder","final_value":`) {
		t.Errorf("answer %.600s", d)
	}
	if d := b.executed(t, p, fmt.Sprintf(request, "BAD")); !strings.Contains(d, `"error_message":"prices in BAD.csv, line 2: the close is \"abc\", which is not a price"`) {
		t.Errorf("answer %s", d)
	}
	if d := b.executed(t, p, fmt.Sprintf(request, "NONE")); !strings.Contains(d, `"error_message":"there are no prices of NONE in the folder of prices (strategy.prices.folder)"`) {
		t.Errorf("answer %s", d)
	}
	if d := b.executed(t, p, `{"strategy_name":"BoldAssetAllocation","parameters":{"use_real_data":true}}`); !strings.Contains(d, `there are no prices of SPY in`) {
		t.Errorf("answer %s", d)
	}
}
