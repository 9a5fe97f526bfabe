package api_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"switchyard/jobs"
	"switchyard/tasks"
)

const executePath = "/strategies/execute/"

func (b *bundle) execute(t *testing.T, body string, header ...string) answer {
	t.Helper()
	return b.do(t, http.MethodPost, executePath, body, append([]string{"Content-Type", "application/json"}, header...)...)
}

// worked takes the only task of the strategy queue and ends its job as a worker would.
func (b *bundle) worked(t *testing.T, id string, end jobs.End) *jobs.Job {
	t.Helper()
	c, verdict, err := b.store.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: 1}, b.proc.NewOwner())
	must(t, err)
	if verdict != jobs.Run {
		t.Fatalf("claiming %s: %v", id, verdict)
	}
	must(t, c.Finish(b.ctx, end))
	j, err := b.store.Get(b.ctx, id)
	must(t, err)
	return j
}

// Ensure the older executor's examples are taken to the letter and answered in its form,
// with numbers that go up, and become jobs that a worker can execute.
func TestExecuteTakesTheOlderExamples(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const first = `{
    "strategy_name": "BoldAssetAllocation",
    "parameters": {
      "variant": "BAA-G4",
      "initial_capital": 100000
    },
    "callback_url": "https://your-server.example.com/webhook/strategy-result"
  }`
	a := b.execute(t, first)
	id := a.jobID(t)
	a.wants(t, 202, `{"execution_id":1,"status":"pending","message":"Strategy execution started","callback_url":"https://your-server.example.com/webhook/strategy-result","job_id":"`+id+`"}`)
	a.wantsHeader(t, "Location", "/executions/1")
	j := b.onlyJob(t)
	if j.Type != tasks.Strategy || j.Queue != tasks.QueueStrategy || j.CallbackURL != "https://your-server.example.com/webhook/strategy-result" ||
		string(j.Payload) != `{"execution":1,"strategy":"BoldAssetAllocation","version":"1.0.0","parameters":{"variant":"BAA-G4","initial_capital":100000,"use_real_data":false,"transaction_cost":0.001,"start_date":null,"end_date":null}}` {
		t.Errorf("job %+v, payload %s", j, j.Payload)
	}
	for i, body := range []string{
		`{"strategy_name": "MovingAverageCrossover", "parameters": {"short_window": 20, "long_window": 50}}`,
		`{"strategy_name": "MovingAverageCrossover"}`,
		`{"strategy_name": "MovingAverageCrossover", "parameters": null, "callback_url": null, "chat_id": -100123}`,
		`{"strategy_name": "Own", "parameters": {"asset": "SPY"}}`,
	} {
		a := b.do(t, http.MethodPost, "/strategies/execute", body, "Content-Type", "application/json")
		a.wants(t, 202, `{"execution_id":`+strconv.Itoa(i+2)+`,"status":"pending","message":"Strategy execution started","job_id":"`+a.jobID(t)+`"}`)
	}
	if n, err := b.rdb.LLen(b.ctx, "asynq:{strategy}:pending").Result(); err != nil || n != 5 {
		t.Errorf("%d tasks in the queue, %v", n, err)
	}
}

// Ensure what can't be executed is refused at once with what is wrong, and a value that
// can't be used isn't.
func TestExecuteRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.keys(t)
	for _, tt := range []struct{ body, code, field string }{
		{`{"strategy_name":"Nothing"}`, "unknown_strategy", "strategy_name"},
		{`{"strategy_name":"boldassetallocation"}`, "unknown_strategy", "strategy_name"},
		{`{}`, "missing_strategy_name", "strategy_name"},
		{`{"strategy_name":7}`, "invalid_strategy_name", "strategy_name"},
		{`{"strategy_name":"BoldAssetAllocation","parameters":{"variant2":"BAA-G4"}}`, "unknown_parameter", "parameters.variant2"},
		{`{"strategy_name":"BoldAssetAllocation","parameters":{"variant":4}}`, "invalid_parameter", "parameters.variant"},
		{`{"strategy_name":"BoldAssetAllocation","parameters":{"use_real_data":"yes"}}`, "invalid_parameter", "parameters.use_real_data"},
		{`{"strategy_name":"BoldAssetAllocation","parameters":[]}`, "invalid_parameters", "parameters"},
		{`{"strategy_name":"Own"}`, "missing_parameter", "parameters.asset"},
		{`{"strategy_name":"BoldAssetAllocation","callback_url":"ftp://example.com/"}`, "invalid_callback_url", "callback_url"},
		{`{"strategy_name":"BoldAssetAllocation","callback_url":"not a url"}`, "invalid_callback_url", "callback_url"},
		{`{"strategy_name":"BoldAssetAllocation","callback_url":""}`, "invalid_callback_url", "callback_url"},
		{`{"strategy_name":"BoldAssetAllocation","chat_id":"x"}`, "invalid_chat_id", "chat_id"},
		{`{"strategy_name":"BoldAssetAllocation","more":1}`, "unknown_field", "more"},
	} {
		b.execute(t, tt.body).wantsProblem(t, 400, tt.code, tt.field)
		b.untouched(t, before)
	}
	a := b.execute(t, `{"strategy_name":"BoldAssetAllocation","parameters":{"variant":"INVALID"}}`)
	if a.status != 202 {
		t.Fatalf("answer %d %s", a.status, a.body)
	}
	if p := string(b.onlyJob(t).Payload); !strings.Contains(p, `"parameters":{"variant":"INVALID"},"fault":"Unknown variant: INVALID. Available variants: BAA-G12, BAA-G4, `) {
		t.Errorf("payload %s", p)
	}
}

// Ensure an execution can be looked at in all its states, with the callback that it asked
// for, by either address.
func TestExecution(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.execute(t, `{"strategy_name":"Own","parameters":{"asset":"SPY","share":0.50},"callback_url":"https://hooks.example.com/x"}`).jobID(t)
	const head = `{"execution_id":1,"strategy":"Own","version":"2.1","status":`
	const parameters = `"execution_parameters":{"asset":"SPY","share":0.50}`
	const none = `"callback":{"url":"https://hooks.example.com/x","sent":false,"sent_at":null,"response":null}}`
	for _, path := range []string{"/executions/1", "/executions/1/"} {
		b.get(t, path).wants(t, 200, head+`"pending","started_at":null,"completed_at":null,`+parameters+`,`+none)
	}
	j := b.worked(t, id, jobs.End{State: jobs.Completed, Result: json.RawMessage(`{"return":0.25,"z":1.0}`)})
	at := func(b []byte, err error) string { must(t, err); return string(b) }
	times := `"started_at":` + at(json.Marshal(j.Started.Format(tasks.MilliTime))) + `,"completed_at":` + at(json.Marshal(j.Completed.Format(tasks.MilliTime)))
	b.get(t, "/executions/1/").wants(t, 200, head+`"completed",`+times+`,`+parameters+`,"result":{"return":0.25,"z":1.0},`+none)

	failed := b.execute(t, `{"strategy_name":"Own","parameters":{"asset":"SPY"}}`).jobID(t)
	b.worked(t, failed, jobs.End{State: jobs.Failed, Error: "it would not"})
	if a := b.get(t, "/executions/2"); !strings.Contains(a.body, `"status":"failed"`) || !strings.HasSuffix(strings.TrimSpace(a.body), `"error_message":"it would not"}`) {
		t.Errorf("answer %s", a.body)
	}
	cancelled := b.execute(t, `{"strategy_name":"BoldAssetAllocation"}`).jobID(t)
	b.do(t, http.MethodPost, "/api/v1/jobs/"+cancelled+"/cancel", "").wants(t, 202, `{"job_id":"`+cancelled+`","status":"cancelled"}`)
	if a := b.get(t, "/executions/3"); !strings.Contains(a.body, `"status":"cancelled"`) || !strings.Contains(a.body, `"error_message":"cancelled"`) {
		t.Errorf("answer %s", a.body)
	}

	for _, no := range []string{"0", "99", "-1", "01", "x", "1.0", "99999999999999999999"} {
		b.get(t, "/executions/"+no).wantsProblem(t, 404, "unknown_execution", "")
	}
	for query, want := range map[string][]string{
		"":                                 {"3", "2", "1"},
		"?status=completed":                {"1"},
		"?status=pending":                  {},
		"?strategy=Own":                    {"2", "1"},
		"?strategy=Own&status=failed":      {"2"},
		"?strategy=MovingAverageCrossover": {},
		"?limit=2":                         {"3", "2"},
	} {
		a := b.get(t, "/executions/"+query)
		var page struct {
			Executions []map[string]json.RawMessage `json:"executions"`
			Next       *string                      `json:"next_cursor"`
		}
		must(t, json.Unmarshal([]byte(a.body), &page))
		got := []string{}
		for _, e := range page.Executions {
			got = append(got, string(e["execution_id"]))
			if e["result"] != nil || len(e["job_id"]) == 0 {
				t.Errorf("%s: %s", query, a.body)
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") || (page.Next != nil) != (query == "?limit=2") {
			t.Errorf("%s: %s, want %q", query, a.body, want)
		}
		if page.Next != nil {
			if a := b.get(t, "/executions?limit=2&cursor="+*page.Next); !strings.Contains(a.body, `"execution_id":1,`) {
				t.Errorf("the next page: %s", a.body)
			}
		}
	}
	b.get(t, "/executions?status=done").wantsProblem(t, 400, "invalid_status", "status")
	b.get(t, "/executions?strategy=x").wantsProblem(t, 400, "unknown_strategy", "strategy")
}

// Ensure a repeat under an Idempotency-Key is the same execution, and takes no number.
func TestExecuteIsIdempotent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const body = `{"strategy_name":"MovingAverageCrossover","callback_url":"https://hooks.example.com/x"}`
	first := b.execute(t, body, "Idempotency-Key", "k1")
	again := b.execute(t, body, "Idempotency-Key", "k1")
	if again.body != first.body || again.status != 202 || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("answers %s, %s", first.body, again.body)
	}
	b.execute(t, `{"strategy_name":"BoldAssetAllocation"}`, "Idempotency-Key", "k1").wantsProblem(t, 422, "idempotency_key_reused", "Idempotency-Key")
	if a := b.execute(t, body); !strings.HasPrefix(a.body, `{"execution_id":2,`) {
		t.Errorf("answer %s", a.body)
	}
}

// Ensure the chart of an execution is a picture of the kind that is asked for, and that
// what has none says so.
func TestExecutionChart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	with := b.execute(t, `{"strategy_name":"BoldAssetAllocation"}`).jobID(t)
	b.get(t, "/executions/1/chart").wantsProblem(t, 409, "not_completed", "")
	b.worked(t, with, jobs.End{State: jobs.Completed, Result: json.RawMessage(`{"equity_curve":[{"date":"2024-01-01","value":1},{"date":"2024-01-02","value":2}]}`)})
	without := b.execute(t, `{"strategy_name":"Own","parameters":{"asset":"a"}}`).jobID(t)
	b.worked(t, without, jobs.End{State: jobs.Completed, Result: json.RawMessage(`{"equity_curve":"<script>"}`)})
	for _, tt := range []struct{ path, accept, contentType, begins string }{
		{"/executions/1/chart", "", "image/svg+xml", "<svg "},
		{"/executions/1/chart/", "text/html,image/avif,image/png,*/*;q=0.8", "image/svg+xml", "<svg "},
		{"/executions/1/chart", "image/png", "image/png", "\x89PNG"},
		{"/executions/1/chart?format=png", "image/svg+xml", "image/png", "\x89PNG"},
		{"/executions/1/chart?format=svg", "image/png", "image/svg+xml", "<svg "},
	} {
		a := b.do(t, http.MethodGet, tt.path, "", "Accept", tt.accept)
		if a.status != 200 || a.header.Get("Content-Type") != tt.contentType || !strings.HasPrefix(a.body, tt.begins) || a.header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s for %s: %d %v %.60q", tt.path, tt.accept, a.status, a.header, a.body)
		}
	}
	b.get(t, "/executions/1/chart?format=gif").wantsProblem(t, 400, "invalid_format", "format")
	b.get(t, "/executions/2/chart").wantsProblem(t, 409, "no_chart", "")
	b.get(t, "/executions/9/chart").wantsProblem(t, 404, "unknown_execution", "")
}

// Ensure the strategies tell what they take, here and in the description of the API.
func TestStrategiesAreDescribed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var list struct {
		Strategies []struct {
			Name, Version string
			Parameters    []struct {
				Name, Type string
				Default    json.RawMessage
				Required   bool
				Allowed    []string `json:"allowed_values"`
			}
		}
	}
	must(t, json.Unmarshal([]byte(b.get(t, "/strategies/").body), &list))
	if len(list.Strategies) != 3 || list.Strategies[0].Name != "BoldAssetAllocation" || list.Strategies[1].Name != "MovingAverageCrossover" || list.Strategies[2].Version != "2.1" {
		t.Fatalf("%+v", list)
	}
	v := list.Strategies[0].Parameters[0]
	if v.Name != "variant" || v.Type != "string" || string(v.Default) != `"BAA-G12"` || strings.Join(v.Allowed, " ") != "BAA-G12 BAA-G4 BAA-G12/T3 BAA-G4/T2 BAA-SPY" {
		t.Errorf("%+v", v)
	}
	if own := list.Strategies[2].Parameters; !own[0].Required || own[1].Required || string(own[1].Default) != "null" {
		t.Errorf("%+v", own)
	}
	var doc struct {
		Components struct {
			Schemas map[string]json.RawMessage
		}
	}
	must(t, json.Unmarshal([]byte(b.get(t, "/openapi.json").body), &doc))
	for name, want := range map[string]string{
		"ExecuteRequest":                "#/components/schemas/MovingAverageCrossoverParameters",
		"BoldAssetAllocationParameters": `"BAA-G12/T3"`,
		"OwnParameters":                 `"required":["asset"]`,
	} {
		if s := string(doc.Components.Schemas[name]); !strings.Contains(s, want) {
			t.Errorf("%s: %s", name, s)
		}
	}
}
