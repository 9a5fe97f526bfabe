package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/sim/exchanges/matching"
	"switchyard/tasks"
)

// Ensure the account finds an order that is there twice, missing, late, out of turn,
// there although it is said to have failed, or that no job knows.
func TestTallyOrders(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	job := func(id string, after time.Duration, orders ...tasks.TradeOrder) *jobs.Job {
		result, err := json.Marshal(tasks.TradeResult{AccountID: 1, Orders: orders})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := json.Marshal(tasks.TradePayload{Received: began.Add(after)})
		if err != nil {
			t.Fatal(err)
		}
		return &jobs.Job{ID: id, State: jobs.Completed, Created: began.Add(after), Result: result, Payload: payload}
	}
	order := func(id, status, kind string) tasks.TradeOrder {
		return tasks.TradeOrder{ClientID: id, Status: tasks.OrderStatus(status), Type: kind}
	}
	at := func(id string, after time.Duration) matching.Entry {
		return matching.Entry{ClientID: id, At: began.Add(after)}
	}
	all := []*jobs.Job{job("1", 0, order("a", "PENDING", "LIMIT")), job("2", time.Second, order("b", "FILLED", "MARKET")), job("3", 2*time.Second, order("c", "FAILED", "LIMIT"), order("", "FAILED", "LIMIT"))}
	for name, tt := range map[string]struct {
		ledger []matching.Entry
		want   string // empty: all is well
	}{
		"well":           {[]matching.Entry{at("a", time.Second), at("b", 2*time.Second)}, ""},
		"twice":          {[]matching.Entry{at("a", time.Second), at("b", 2*time.Second), at("b", 3*time.Second)}, "order b is there 2 times"},
		"missing":        {[]matching.Entry{at("a", time.Second)}, "order b is FILLED, and not at the exchange"},
		"late":           {[]matching.Entry{at("a", time.Second), at("b", time.Minute)}, "order b was sent 59s after its alert"},
		"out of turn":    {[]matching.Entry{at("b", time.Second), at("a", 2*time.Second)}, "order a came out of turn"},
		"failed and yet": {[]matching.Entry{at("a", time.Second), at("b", 2*time.Second), at("c", 3*time.Second)}, "order c is said to have failed"},
		"nobody's":       {[]matching.Entry{at("a", time.Second), at("b", 2*time.Second), at("x", 3*time.Second)}, "order x is at the exchange, and no job knows of it"},
	} {
		words, err := tallyOrders(all, tt.ledger, configs.Default().Trading.MaxAge)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %s: %v", name, words, err)
		}
	}
	all = append(all, &jobs.Job{ID: "4", State: jobs.Failed})
	if _, err := tallyOrders(all, []matching.Entry{at("a", time.Second), at("b", 2*time.Second)}, configs.Default().Trading.MaxAge); err == nil {
		t.Error("a job without a result is well")
	}
}
