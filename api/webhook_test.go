package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/tasks"
	"switchyard/trading/signal"
)

const webhookToken = "your_webhook_token"

// withGroups has two groups, of which the second is paused, and four accounts: two at
// Binance, of which one is paused, and one each at the others.
func withGroups(c *configs.Config) {
	t := &c.Trading
	for i, x := range []string{"binance", "binance", "bybit", "binance"} {
		a := configs.TradingAccount{ID: i + 1, Name: fmt.Sprint("Account ", i+1), Exchange: x, Mode: "paper"}
		if i == 0 {
			a.Name = "Main Account"
		}
		if i == 3 {
			a.State = configs.TradingPaused
		}
		t.Accounts = append(t.Accounts, a)
	}
	token := []configs.TradingToken{{Hash: configs.HashAPIKey(webhookToken)}, {Hash: configs.HashAPIKey("old"), Expires: "2020-01-01T00:00:00Z"}}
	t.Groups = []configs.TradingGroup{
		{Name: "my_strategy", Tokens: token, Accounts: []configs.TradingShare{{ID: 1}, {ID: 3}, {ID: 4}}, ChatID: "-100"},
		{Name: "both", Tokens: token, Accounts: []configs.TradingShare{{ID: 1}, {ID: 2}}},
		{Name: "paused", State: configs.TradingPaused, Tokens: token},
		{Name: "elsewhere", Tokens: []configs.TradingToken{{Hash: configs.HashAPIKey(webhookToken), Networks: []string{"192.0.2.0/24"}}}, Accounts: []configs.TradingShare{{ID: 1}}},
		{Name: "often", Tokens: []configs.TradingToken{{Hash: configs.HashAPIKey(webhookToken), RateLimit: configs.RateLimit{PerSecond: 1, Burst: 1}}}, Accounts: []configs.TradingShare{{ID: 1}}},
	}
}

// alert is a body; more is added or, with the same name, replaced by the caller.
func alert(members ...string) string {
	return `{"group_name":"my_strategy","token":"` + webhookToken + `","exchange":"BINANCE","market_type":"FUTURES","currency":"USDT","symbol":"BTCUSDT",` + strings.Join(members, ",") + "}"
}

const (
	buyAtMarket = `"order_type":"MARKET","side":"buy","qty_per":10`
	threeLimits = `"order_type":"LIMIT","side":"buy","orders":[{"price":78000,"qty_per":3},{"price":77000,"qty_per":4},{"price":76000,"qty_per":5}]`
)

func (b *bundle) alert(t *testing.T, body string, header ...string) answer {
	t.Helper()
	return b.do(t, http.MethodPost, "/api/webhook", body, header...)
}

// trades executes trading jobs as they come, in the way that f says, until the test
// ends.
func (b *bundle) trades(t *testing.T, f func(o *tasks.TradeOrder)) {
	t.Helper()
	stop := make(chan struct{})
	var working sync.WaitGroup
	working.Go(func() {
		done := map[string]bool{}
		for tick := time.NewTicker(2 * time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			page, err := b.store.List(b.ctx, jobs.Filter{}, 100, "")
			if err != nil {
				continue
			}
			for _, j := range page.Jobs {
				if !done[j.ID] && j.State == jobs.Queued {
					done[j.ID] = true
					b.complete(t, j.ID, traded(t, j, f))
				}
			}
		}
	})
	t.Cleanup(func() { close(stop); working.Wait() })
}

// traded is the result of a job whose orders came to what f says.
func traded(t *testing.T, j *jobs.Job, f func(o *tasks.TradeOrder)) string {
	t.Helper()
	if j.Type == tasks.TradeCancel {
		var p tasks.TradeCancelPayload
		must(t, json.Unmarshal(j.Payload, &p))
		doc, err := json.Marshal(tasks.TradeCancelResult{Group: p.Group, AccountID: p.Account, Cancelled: 2, Success: true})
		must(t, err)
		return string(doc)
	}
	var p tasks.TradePayload
	must(t, json.Unmarshal(j.Payload, &p))
	var s signal.Signal
	must(t, json.Unmarshal(p.Signal, &s))
	r := tasks.TradeResult{Group: p.Group, AccountID: p.Account}
	for i, o := range s.Orders {
		x := tasks.TradeOrder{
			Index: o.Index, Status: tasks.OrderPending, OrderID: fmt.Sprint(12345 + i), Price: o.Price, Quantity: decimal.New(2, -3), Type: string(s.Type),
		}
		f(&x)
		r.Orders = append(r.Orders, x)
	}
	doc, err := json.Marshal(r)
	must(t, err)
	return string(doc)
}

func asPlaced(*tasks.TradeOrder) {}

// wantsJSON compares an answer by what it says.
func (a answer) wantsJSON(t *testing.T, status int, want string) {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a.body), &x); err != nil {
		t.Fatalf("answer %d %s: %v", a.status, a.body, err)
	}
	must(t, json.Unmarshal([]byte(want), &y))
	if diff := cmp.Diff(y, x); diff != "" || a.status != status {
		t.Errorf("answer %d, want %d (-want +got):\n%s", a.status, status, diff)
	}
}

// Ensure a single order is answered with the members that its clients know, prices
// with a fraction.
func TestWebhookSingle(t *testing.T) {
	t.Parallel()
	b := setup(t, withGroups)
	b.trades(t, asPlaced)
	a := b.alert(t, alert(`"order_type":"LIMIT","side":"buy","price":80000,"qty_per":5`), "Content-Type", "application/json")
	a.wantsJSON(t, 200, `{"success":true,"message":"웹훅 처리 성공","result":{"action":"trading_signal","strategy":"my_strategy","results":[
		{"account_id":1,"account_name":"Main Account","exchange":"binance","success":true,"order_id":"12345","quantity":0.002,"order_price":80000.0,"status":"PENDING"}],
		"summary":{"total_accounts":1,"executed_accounts":1,"successful_trades":1,"failed_trades":0}}}`)
	if !strings.Contains(a.body, `"order_price":80000.0`) {
		t.Errorf("%s", a.body)
	}
	a.wantsType(t, "application/json")
	j := b.onlyJob(t)
	var p tasks.TradePayload
	must(t, json.Unmarshal(j.Payload, &p))
	if j.Type != tasks.Trade || j.Queue != "trading" || j.OrderKey != "account:1" || j.ChatID != "-100" || p.Group != "my_strategy" || p.Account != 1 || p.Received.IsZero() || strings.Contains(string(j.Payload), webhookToken) {
		t.Errorf("%+v: %s", j, j.Payload)
	}
}

// Ensure a batch is answered order by order, also where one failed.
func TestWebhookBatch(t *testing.T) {
	t.Parallel()
	b := setup(t, withGroups)
	b.trades(t, func(o *tasks.TradeOrder) {
		if o.Index == 1 {
			o.Status, o.OrderID, o.Quantity, o.Error = tasks.OrderFailed, "", decimal.Zero, "not enough funds"
		}
	})
	b.alert(t, alert(threeLimits)).wantsJSON(t, 200, `{"success":true,"message":"웹훅 처리 성공","result":{"action":"batch_trading_signal","strategy":"my_strategy","symbol":"BTCUSDT","total_orders":3,
		"accounts":[{"account_id":1,"account_name":"Main Account","exchange":"binance","successful_orders":2,"failed_orders":1,"orders":[
		{"order_index":0,"order_id":"12345","requested_price":78000,"requested_qty_per":3.0,"success":true,"quantity":0.002,"order_price":78000.0,"status":"PENDING"},
		{"order_index":1,"order_id":null,"requested_price":77000,"requested_qty_per":4.0,"success":false,"quantity":null,"order_price":77000.0,"status":"FAILED","error":"not enough funds"},
		{"order_index":2,"order_id":"12347","requested_price":76000,"requested_qty_per":5.0,"success":true,"quantity":0.002,"order_price":76000.0,"status":"PENDING"}]}],
		"summary":{"total_accounts":1,"executed_accounts":1,"successful_accounts":0,"total_orders_successful":2,"total_orders_failed":1}}}`)
}

// Ensure a cancellation goes to all accounts of the group, or those of an exchange.
func TestWebhookCancel(t *testing.T) {
	t.Parallel()
	b := setup(t, withGroups)
	b.trades(t, asPlaced)
	body := `{"group_name":"my_strategy","token":"` + webhookToken + `","order_type":"CANCEL_ALL_ORDER"%s}`
	a := b.alert(t, fmt.Sprintf(body, ""))
	a.wantsJSON(t, 200, `{"success":true,"message":"웹훅 처리 성공","result":{"action":"cancel_all_orders","strategy":"my_strategy","results":[
		{"account_id":1,"account_name":"Main Account","exchange":"binance","cancelled_orders":2,"failed_orders":0,"success":true},
		{"account_id":3,"account_name":"Account 3","exchange":"bybit","cancelled_orders":2,"failed_orders":0,"success":true}],
		"summary":{"total_accounts":2,"processed_accounts":2,"successful_accounts":2,"total_cancelled_orders":4}}}`)
	// The same again is done again: nobody knows what was opened in between.
	if again := b.alert(t, fmt.Sprintf(body, "")); strings.Contains(again.body, "duplicate") || len(b.jobs(t)) != 4 {
		t.Errorf("%s", again.body)
	}
	b.alert(t, fmt.Sprintf(body, `,"exchange":"bybit","symbol":"BTC/USDT","market_type":"spot"`))
	var p tasks.TradeCancelPayload
	must(t, json.Unmarshal(b.jobs(t)[0].Payload, &p))
	if n := len(b.jobs(t)); n != 5 || p.Account != 3 || p.Symbol != "BTCUSDT" || p.Market != "SPOT" {
		t.Errorf("%d jobs, %+v", n, p)
	}
}

// Ensure requests are refused in their clients' words, by the first thing that is
// wrong, and leave no job; whatever is accepted otherwise.
func TestWebhookRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, withGroups)
	with := func(old, replacement string) string { return strings.Replace(alert(buyAtMarket), old, replacement, 1) }
	thirtyOne := `"order_type":"LIMIT","side":"buy","orders":[` + strings.TrimSuffix(strings.Repeat(`{"price":1},`, 31), ",") + "]"
	for _, tt := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"no JSON", "buy now", 400, "요청 본문이 올바른 JSON 객체가 아닙니다"},
		{"nothing", "", 400, "요청 본문이 올바른 JSON 객체가 아닙니다"},
		{"no exchange, and a wrong token", `{"group_name":"x","token":"wrong"}`, 400, "필수 필드 누락: exchange"},
		{"no group", `{"token":"x"}`, 400, "필수 필드 누락: group_name"},
		{"no price", with(`"order_type":"MARKET"`, `"order_type":"LIMIT"`), 400, "필수 필드 누락: price"},
		{"unknown group, and a wrong token", with("my_strategy", "other"), 404, "활성 전략을 찾을 수 없습니다"},
		{"paused group", with("my_strategy", "paused"), 404, "활성 전략을 찾을 수 없습니다"},
		{"wrong token, and a wrong side", strings.Replace(with(webhookToken, "wrong"), `"buy"`, `"x"`, 1), 401, "웹훅 토큰이 유효하지 않습니다"},
		{"expired token", with(webhookToken, "old"), 401, "웹훅 토큰이 유효하지 않습니다"},
		{"token from elsewhere", with("my_strategy", "elsewhere"), 401, "웹훅 토큰이 유효하지 않습니다"},
		{"wrong side", with(`"buy"`, `"x"`), 400, "지원하지 않는 값: side=x"},
		{"31 orders", alert(thirtyOne), 400, "주문은 최대 30개입니다"},
		{"wrong value, and no accounts", strings.Replace(with("BINANCE", "OKX"), `"buy"`, `"x"`, 1), 400, "지원하지 않는 값: side=x"},
		{"no accounts", with("BINANCE", "OKX"), 400, "전략에 연결된 계좌가 없습니다"},
		{"too large", strings.Repeat(" ", 1<<20) + "{}", 413, "요청 본문이 너무 큽니다"},
	} {
		t.Log(tt.name)
		a := b.alert(t, tt.body, "Content-Type", "text/plain")
		a.wants(t, tt.status, fmt.Sprintf(`{"success":false,"error":%q}`, tt.want))
		a.wantsType(t, "application/json")
	}
	if n := len(b.jobs(t)); n != 0 {
		t.Errorf("%d jobs", n)
	}
	b.do(t, http.MethodGet, "/api/webhook", "").wantsJSON(t, 405, `{"success":false,"error":"This address does not take GET."}`)
	b.alert(t, alert(buyAtMarket)+"", "Idempotency-Key", "a b").wants(t, 400, `{"success":false,"error":"지원하지 않는 값: Idempotency-Key"}`)
	b.do(t, http.MethodPost, "/api/webhook?wait=11", alert(buyAtMarket)).wants(t, 400, `{"success":false,"error":"지원하지 않는 값: wait=11"}`)
}

// Ensure a token's rate is kept, and refusals say when to come again.
func TestWebhookRate(t *testing.T) {
	t.Parallel()
	b := setup(t, withGroups)
	b.trades(t, asPlaced)
	body := strings.Replace(alert(buyAtMarket), "my_strategy", "often", 1)
	if a := b.alert(t, body); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	a := b.alert(t, body)
	a.wants(t, 429, `{"success":false,"error":"요청이 너무 많습니다. 잠시 후 다시 시도하세요"}`)
	a.wantsRetryAfter(t)
}

// Ensure an order that isn't finished in time is answered as queued, with its job, and
// those that are as what they are.
func TestWebhookGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t, withGroups)
	sent := b.later(t, http.MethodPost, "/api/webhook?wait=0.3", alert(threeLimits))
	j := b.awaitJob(t)
	c := b.claim(t, j.ID)
	var r tasks.TradeResult
	must(t, json.Unmarshal([]byte(traded(t, j, func(o *tasks.TradeOrder) {
		if o.Index > 0 {
			*o = tasks.TradeOrder{Index: o.Index, Status: tasks.OrderQueued, Price: o.Price}
		}
	})), &r))
	must(t, c.Progress(b.ctx, r))
	a := receive(t, b, sent)
	a.wantsJSON(t, 200, `{"success":true,"message":"웹훅 처리 성공","result":{"action":"batch_trading_signal","strategy":"my_strategy","symbol":"BTCUSDT","total_orders":3,
		"accounts":[{"account_id":1,"account_name":"Main Account","exchange":"binance","successful_orders":1,"failed_orders":0,"orders":[
		{"order_index":0,"order_id":"12345","requested_price":78000,"requested_qty_per":3.0,"success":true,"quantity":0.002,"order_price":78000.0,"status":"PENDING"},
		{"order_index":1,"order_id":null,"requested_price":77000,"requested_qty_per":4.0,"success":false,"quantity":null,"order_price":77000.0,"status":"QUEUED","job_id":"`+j.ID+`"},
		{"order_index":2,"order_id":null,"requested_price":76000,"requested_qty_per":5.0,"success":false,"quantity":null,"order_price":76000.0,"status":"QUEUED","job_id":"`+j.ID+`"}]}],
		"summary":{"total_accounts":1,"executed_accounts":1,"successful_accounts":0,"total_orders_successful":1,"total_orders_failed":0,"pending_trades":2}}}`)
}

// Ensure the same bytes with the same token make one order, also where they come at
// once, and get one answer; other bytes, and the same ones later, make another.
func TestWebhookSentAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, withGroups)
	b.trades(t, asPlaced)
	var all [8]<-chan answer
	for i := range all {
		all[i] = b.later(t, http.MethodPost, "/api/webhook", alert(buyAtMarket), "Content-Type", []string{"application/json", "text/plain"}[i%2])
	}
	firsts := 0
	for _, c := range all {
		a := receive(t, b, c)
		var doc struct {
			Success, Duplicate bool
			Result             struct {
				Results []struct {
					OrderID string `json:"order_id"`
				}
			}
		}
		must(t, json.Unmarshal([]byte(a.body), &doc))
		if a.status != 200 || !doc.Success || len(doc.Result.Results) != 1 || doc.Result.Results[0].OrderID != "12345" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if !doc.Duplicate {
			firsts++
		}
	}
	if n := len(b.jobs(t)); n != 1 || firsts != 1 {
		t.Fatalf("%d jobs, %d answers of a first one", n, firsts)
	}
	b.alert(t, alert(buyAtMarket)+" ")
	if n := len(b.jobs(t)); n != 2 {
		t.Errorf("other bytes: %d jobs", n)
	}
	must(t, b.rdb.Del(b.ctx, keysLike(b.keys(t), "sw:v1:intake:seen:")...).Err()) // the window has passed
	b.alert(t, alert(buyAtMarket))
	if n := len(b.jobs(t)); n != 3 {
		t.Errorf("later: %d jobs", n)
	}
}

func keysLike(all []string, prefix string) (out []string) {
	for _, k := range all {
		if strings.HasPrefix(k, prefix) {
			out = append(out, k)
		}
	}
	return out
}

// Ensure a process that dies between two accounts leaves a request that, sent again,
// gives each account its orders once.
func TestWebhookDiesInBetween(t *testing.T) {
	t.Parallel()
	b := setup(t, withGroups)
	b.trades(t, asPlaced)
	body := strings.Replace(alert(buyAtMarket), "my_strategy", "both", 1)
	a := b.alert(t, body)
	if n := len(b.jobs(t)); n != 2 || a.status != 200 {
		t.Fatalf("%d jobs, %d", n, a.status)
	}
	// As if it had died after the first account: its answer and the second job are
	// not there.
	for _, k := range keysLike(b.keys(t), "sw:v1:intake:seen:") {
		must(t, b.rdb.HDel(b.ctx, k, "answer").Err())
	}
	again := b.alert(t, body)
	if n := len(b.jobs(t)); n != 2 || again.status != 200 || !strings.Contains(again.body, `"duplicate":true`) {
		t.Errorf("%d jobs, %d %s", n, again.status, again.body)
	}
}

// Ensure an Idempotency-Key is remembered for those whose token is right, and that
// another body under it is refused.
func TestWebhookIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t, withGroups, func(c *configs.Config) { c.Trading.DedupeWindow = 0 })
	b.trades(t, asPlaced)
	b.alert(t, `{"token":"x"}`, "Idempotency-Key", "k")
	if left := keysLike(b.keys(t), "sw:v1:idem"); len(left) != 0 {
		t.Errorf("a stranger's request is remembered: %q", left)
	}
	first := b.alert(t, alert(buyAtMarket), "Idempotency-Key", "k")
	again := b.alert(t, alert(buyAtMarket), "Idempotency-Key", "k")
	again.wantsHeader(t, "Idempotency-Replayed", "true")
	if n := len(b.jobs(t)); n != 1 || first.status != 200 || again.status != 200 {
		t.Errorf("%d jobs, %d, %d", n, first.status, again.status)
	}
	b.alert(t, alert(threeLimits), "Idempotency-Key", "k").wants(t, 422, `{"success":false,"error":"이미 다른 요청에 사용된 Idempotency-Key입니다"}`)
	// Without a key, and without a window, each request counts.
	b.alert(t, alert(buyAtMarket))
	b.alert(t, alert(buyAtMarket))
	if n := len(b.jobs(t)); n != 3 {
		t.Errorf("%d jobs", n)
	}
}

// Ensure a request that can't be accepted is answered 503, and that sent again it is
// accepted once.
func TestWebhookOutage(t *testing.T) {
	t.Parallel()
	b := setup(t, withGroups, func(c *configs.Config) { c.Redis.CommandTimeout = configs.Duration(300 * time.Millisecond) })
	b.srv.Kill()
	a := b.alert(t, alert(buyAtMarket))
	a.wants(t, 503, `{"success":false,"error":"일시적으로 처리할 수 없습니다. 잠시 후 다시 시도하세요"}`)
	a.wantsRetryAfter(t)
	must(t, b.srv.Restart(b.ctx))
	b.trades(t, asPlaced)
	b.eventually(t, "it is accepted again", func() bool { return b.alert(t, alert(buyAtMarket)).status == 200 })
	if n := len(b.jobs(t)); n != 1 {
		t.Errorf("%d jobs", n)
	}
}

// Ensure every request is in the log, newest first, without its token, and found by
// group and status, page by page.
func TestWebhookLogs(t *testing.T) {
	t.Parallel()
	b := setup(t, withGroups)
	b.trades(t, asPlaced)
	b.alert(t, `{"token":"`+webhookToken+`","group_name":"my_strategy","note":"`+webhookToken+`"}`)
	b.alert(t, alert(buyAtMarket, `"qty_percent":5`))
	b.alert(t, alert(buyAtMarket, `"qty_percent":5`))
	type page struct {
		Logs []struct {
			ID, At, Address             string
			Group, Action, Error, First *string
			Status                      int
			Duplicate                   bool
			Jobs, Ignored               []string
			Successful, Failed, Pending int
			Body                        map[string]any
			TotalMS                     float64 `json:"total_ms"`
		}
		Next *string `json:"next_cursor"`
	}
	read := func(query string) (p page) {
		t.Helper()
		a := b.get(t, "/api/v1/webhook-logs"+query)
		if a.status != 200 || strings.Contains(a.body, webhookToken) {
			t.Fatalf("%d %s", a.status, a.body)
		}
		must(t, json.Unmarshal([]byte(a.body), &p))
		return p
	}
	var all page
	b.eventually(t, "the log has all of them", func() bool { all = read(""); return len(all.Logs) == 3 })
	again, first, refused := all.Logs[0], all.Logs[1], all.Logs[2]
	if !again.Duplicate || again.First == nil || *again.First != first.ID || again.Status != 200 || all.Next != nil {
		t.Errorf("%+v", again)
	}
	if first.Group == nil || *first.Group != "my_strategy" || *first.Action != "trading_signal" || len(first.Jobs) != 1 || first.Successful != 1 || len(first.Ignored) != 1 || first.Body["token"] != "***" || first.TotalMS <= 0 || first.Address != "127.0.0.1" {
		t.Errorf("%+v", first)
	}
	if refused.Status != 400 || refused.Error == nil || refused.Group != nil || len(refused.Jobs) != 0 {
		t.Errorf("%+v", refused)
	}
	if p := read("?group=MY_strategy&status=200"); len(p.Logs) != 2 {
		t.Errorf("%d of the group", len(p.Logs))
	}
	var seen []string
	for cursor := ""; ; {
		p := read("?limit=1" + cursor)
		for _, l := range p.Logs {
			seen = append(seen, l.ID)
		}
		if p.Next == nil || len(seen) > 5 {
			break
		}
		cursor = "&cursor=" + *p.Next
	}
	if want := []string{again.ID, first.ID, refused.ID}; !cmp.Equal(seen, want) {
		t.Errorf("page by page %q, want %q", seen, want)
	}
	b.get(t, "/api/v1/webhook-logs?cursor=x").wantsProblem(t, 400, "invalid_cursor", "cursor")
}

// Ensure an order job is never run again by a client.
func TestOrdersAreNotRetried(t *testing.T) {
	t.Parallel()
	b := setup(t, withGroups)
	b.do(t, http.MethodPost, "/api/webhook?wait=0", alert(buyAtMarket))
	j := b.onlyJob(t)
	must(t, b.claim(t, j.ID).Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "x"}))
	b.do(t, http.MethodPost, "/api/v1/jobs/"+j.ID+"/retry", "").wantsProblem(t, 409, "not_retryable", "")
}

// Whatever is sent is answered in the webhook's form, and nobody's token comes back.
func FuzzWebhook(f *testing.F) {
	for _, s := range []string{alert(buyAtMarket), alert(threeLimits), `{"order_type":"CANCEL_ALL_ORDER"}`, "", "null", "[]", `{"token":1}`} {
		f.Add(s)
	}
	b := setup(f, withGroups, func(c *configs.Config) { c.Redis.CommandTimeout = configs.Duration(time.Second) })
	b.ctx = context.Background() // fuzzing takes longer than a test
	f.Fuzz(func(t *testing.T, body string) {
		a, err := b.try(http.MethodPost, "/api/webhook?wait=0", strings.NewReader(body))
		must(t, err)
		var doc map[string]any
		if err := json.Unmarshal([]byte(a.body), &doc); err != nil || a.status >= 500 || doc["success"] != (a.status == 200) {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
	})
}

// Ensure of an order that was on its way when its job failed nobody says that it
// failed, and of one that wasn't that it did.
func TestWebhookWorkerDied(t *testing.T) {
	t.Parallel()
	b := setup(t, withGroups)
	sent := b.later(t, http.MethodPost, "/api/webhook", alert(threeLimits))
	j := b.awaitJob(t)
	c := b.claim(t, j.ID)
	now := time.Now()
	var r tasks.TradeResult
	must(t, json.Unmarshal([]byte(traded(t, j, func(o *tasks.TradeOrder) {
		if o.Index > 0 {
			*o = tasks.TradeOrder{Index: o.Index, Status: tasks.OrderQueued, Price: o.Price}
		}
		if o.Index == 1 {
			o.Sent = &now
		}
	})), &r))
	must(t, c.Progress(b.ctx, r))
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "its worker died 5 times"}))
	a := receive(t, b, sent)
	var doc struct {
		Result struct {
			Accounts []struct {
				Orders []struct{ Status, Error string }
			}
		}
	}
	must(t, json.Unmarshal([]byte(a.body), &doc))
	var got []string
	for _, o := range doc.Result.Accounts[0].Orders {
		got = append(got, o.Status)
	}
	if !cmp.Equal(got, []string{"PENDING", "UNKNOWN", "FAILED"}) {
		t.Errorf("%q: %s", got, a.body)
	}
}

// Ensure what was begun for one account is done for all, though the client has gone in
// the middle of it.
func TestWebhookClientGoes(t *testing.T) {
	t.Parallel()
	const many = 150
	b := setup(t, func(c *configs.Config) {
		withGroups(c)
		g := configs.TradingGroup{Name: "many", Tokens: []configs.TradingToken{{Hash: configs.HashAPIKey(webhookToken)}}}
		for id := 100; id < 100+many; id++ {
			c.Trading.Accounts = append(c.Trading.Accounts, configs.TradingAccount{ID: id, Name: "One of many", Exchange: "binance", Mode: "paper"})
			g.Accounts = append(g.Accounts, configs.TradingShare{ID: id})
		}
		c.Trading.Groups = append(c.Trading.Groups, g)
	})
	accepted := func() int {
		page, err := b.store.List(b.ctx, jobs.Filter{}, many+1, "")
		must(t, err)
		return len(page.Jobs)
	}
	ctx, hangUp := context.WithCancel(b.ctx)
	defer hangUp()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.http.URL+"/api/webhook?wait=0", strings.NewReader(strings.Replace(alert(buyAtMarket), "my_strategy", "many", 1)))
	must(t, err)
	var asking sync.WaitGroup
	asking.Go(func() {
		if resp, err := b.client.Do(r); err == nil {
			must(t, resp.Body.Close())
		}
	})
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for accepted() == 0 {
		<-tick.C
	}
	hangUp()
	asking.Wait()
	b.eventually(t, "all accounts have their orders", func() bool { return accepted() == many })
}
