package notices_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/jobs"
	"switchyard/notices"
	"switchyard/tasks"
)

func doc(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ptr[T any](v T) *T { return &v }

// cf is a Cloudflare job that was completed with what was done in its scopes.
func cf(t *testing.T, typ tasks.Type, outcome tasks.CFOutcome, scopes ...tasks.CFScope) *jobs.Job {
	t.Helper()
	action, _ := tasks.CFAction(typ)
	return &jobs.Job{
		Type: typ, State: jobs.Completed, Payload: doc(t, tasks.CFPayload{IP: "192.0.2.1"}),
		Result: doc(t, tasks.CFResult{Action: action, IP: "192.0.2.1", Outcome: outcome, Scopes: scopes}),
	}
}

// Ensure a chat is told what was asked and what came of it, or why nothing did.
func TestOf_cloudflare(t *testing.T) {
	t.Parallel()
	range24 := tasks.CFRule{ID: "r", Mode: "block", IP: "192.0.2.0/24", Scope: "account", Note: "abuse <script>", CreatedAt: ptr("2026-01-01T05:20:00Z")}
	failed := cf(t, tasks.CFBlock, tasks.CFPending)
	failed.State, failed.Error = jobs.Failed, "Cloudflare refused the token (403, code 10000: Authentication error)"
	cancelled := cf(t, tasks.CFBlock, tasks.CFPending)
	cancelled.State, cancelled.Error, cancelled.Result = jobs.Cancelled, "cancelled", nil
	partly := cf(t, tasks.CFBlock, tasks.CFPending,
		tasks.CFScope{Scope: "zone", ID: "a", Outcome: tasks.CFBlocked}, tasks.CFScope{Scope: "zone", ID: "b", Outcome: tasks.CFPending, Error: "no such zone"})
	partly.State, partly.Error = jobs.Failed, "in 1 of 2 scopes: no such zone"
	for _, tt := range []struct {
		name string
		job  *jobs.Job
		want string
	}{
		{"blocked", cf(t, tasks.CFBlock, tasks.CFBlocked, tasks.CFScope{Scope: "account", Outcome: tasks.CFBlocked}), "Block <b>192.0.2.1</b>: blocked."},
		{"already", cf(t, tasks.CFBlock, tasks.CFAlreadyBlocked), "Block <b>192.0.2.1</b>: was blocked already."},
		{"changed", cf(t, tasks.CFBlock, tasks.CFBlocked, tasks.CFScope{Scope: "account", Outcome: tasks.CFBlocked, Was: "whitelist"}),
			"Block <b>192.0.2.1</b>: blocked.\nblocked, by a rule of mode whitelist before"},
		{"released", cf(t, tasks.CFRelease, tasks.CFReleased), "Release <b>192.0.2.1</b>: released."},
		{"not blocked, but", cf(t, tasks.CFRelease, tasks.CFNotBlocked, tasks.CFScope{Scope: "account", Outcome: tasks.CFNotBlocked, Rules: []tasks.CFRule{range24}}),
			"Release <b>192.0.2.1</b>: was not blocked.\nstill: block 192.0.2.0/24 (account), since 2026-01-01T05:20:00Z: abuse &lt;script&gt;"},
		{"nothing found", cf(t, tasks.CFSearch, tasks.CFNotFound), "Search <b>192.0.2.1</b>: no rule covers it."},
		{"found", cf(t, tasks.CFSearch, tasks.CFFound, tasks.CFScope{Scope: "account", Outcome: tasks.CFFound, Rules: []tasks.CFRule{range24, {Mode: "whitelist", IP: "192.0.2.1", Scope: "zone"}}}),
			"Search <b>192.0.2.1</b>: 2 rules cover it.\nblock 192.0.2.0/24 (account), since 2026-01-01T05:20:00Z: abuse &lt;script&gt;\nwhitelist 192.0.2.1 (zone)"},
		{"failed", failed, "Block <b>192.0.2.1</b>: failed: Cloudflare refused the token (403, code 10000: Authentication error)."},
		{"cancelled", cancelled, "Block <b>192.0.2.1</b>: cancelled."},
		{"in part", partly, "Block <b>192.0.2.1</b>: failed: in 1 of 2 scopes: no such zone.\nzone a: blocked\nzone b: not done: no such zone"},
	} {
		if got, ok := notices.Of(tt.job); !ok || got != tt.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", tt.name, ok, got, tt.want)
		}
	}
}

// Ensure the chat that asked for a toggle gets one line.
func TestOf_toggle(t *testing.T) {
	t.Parallel()
	toggled := func(success bool, ip, before *string, step int) *jobs.Job {
		return &jobs.Job{
			Type: tasks.Toggle, State: jobs.Completed, Host: "seoul-1", Subnet: 16, Started: time.Unix(1, 0),
			Result:   doc(t, tasks.ToggleResult{ToggleOutcome: tasks.ToggleOutcome{Success: success, IP: ip, Step: step}}),
			Progress: doc(t, tasks.ToggleProgress{OldIP: before}),
		}
	}
	failed := toggled(false, nil, nil, 4)
	failed.Error = "no step brought connectivity"
	waited := toggled(false, nil, nil, 0)
	waited.Error, waited.Started = "the host was away for too long", time.Time{}
	cancelled := toggled(false, nil, nil, 2)
	cancelled.State = jobs.Cancelled
	for _, tt := range []struct {
		name string
		job  *jobs.Job
		want string
	}{
		{"new address", toggled(true, ptr("203.0.113.9"), ptr("203.0.113.5"), 0), "Dongle 16 of seoul-1: new address 203.0.113.9, before 203.0.113.5, step 0."},
		{"the same", toggled(true, ptr("203.0.113.9"), ptr("203.0.113.9"), 3), "Dongle 16 of seoul-1: it keeps its address 203.0.113.9, step 3."},
		{"none before", toggled(true, ptr("203.0.113.9"), nil, 2), "Dongle 16 of seoul-1: its address is 203.0.113.9, step 2."},
		{"failed", failed, "Dongle 16 of seoul-1: failed: no step brought connectivity, step 4."},
		{"never ran", waited, "Dongle 16 of seoul-1: failed: the host was away for too long."},
		{"cancelled", cancelled, "Dongle 16 of seoul-1: cancelled."},
		{"no result at all", &jobs.Job{Type: tasks.Toggle, State: jobs.Failed, Host: "seoul-1", Subnet: 16, Error: "its host was removed"},
			"Dongle 16 of seoul-1: failed: its host was removed."},
	} {
		got, ok := notices.Of(tt.job)
		if !ok || got != tt.want || strings.Contains(got, "\n") {
			t.Errorf("%s: %v\ngot  %s\nwant %s", tt.name, ok, got, tt.want)
		}
	}
}

// Ensure a group's chat is told of each order what became of it, and of cancellations
// how many.
func TestOf_trading(t *testing.T) {
	t.Parallel()
	signal := json.RawMessage(`{"order_type":"LIMIT","side":"buy","symbol":"BTCUSDT"}`)
	traded := func(orders ...tasks.TradeOrder) *jobs.Job {
		return &jobs.Job{
			Type: tasks.Trade, State: jobs.Completed, Payload: doc(t, tasks.TradePayload{Group: "g<b>", Account: 1, Signal: signal}),
			Result: doc(t, tasks.TradeResult{AccountName: "Main & Co", Orders: orders}),
		}
	}
	d := decimal.RequireFromString
	pending := tasks.TradeOrder{Status: tasks.OrderPending, Quantity: d("0.002"), Price: d("80000")}
	failed := tasks.TradeOrder{Status: tasks.OrderFailed, Price: d("1"), Error: "not enough <funds>"}
	cancelled := func(r tasks.TradeCancelResult) *jobs.Job {
		return &jobs.Job{Type: tasks.TradeCancel, State: jobs.Completed, Payload: doc(t, tasks.TradeCancelPayload{Group: "g", Account: 1}), Result: doc(t, r)}
	}
	lost := &jobs.Job{Type: tasks.Trade, State: jobs.Failed, Error: "its worker died 5 times", Payload: doc(t, tasks.TradePayload{Group: "g", Account: 1, Signal: signal})}
	for want, j := range map[string]*jobs.Job{
		"<b>g&lt;b&gt;</b>, Main &amp; Co: LIMIT buy BTCUSDT: pending 0.002 at 80000":                                        traded(pending),
		"<b>g&lt;b&gt;</b>, Main &amp; Co: LIMIT buy BTCUSDT\npending 0.002 at 80000\nfailed at 1: not enough &lt;funds&gt;": traded(pending, failed),
		"<b>g</b>, account 1: failed: its worker died 5 times.":                                                              lost,
		"<b>g</b>, account 1: 3 orders cancelled.":                                                                           cancelled(tasks.TradeCancelResult{Cancelled: 3, Success: true}),
		"<b>g</b>, account 1: 3 orders cancelled, 1 not.":                                                                    cancelled(tasks.TradeCancelResult{Cancelled: 3, Failed: 1}),
	} {
		if got, ok := notices.Of(j); !ok || got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Ensure who asked for an execution is told its number and what it brought.
func TestOf_strategy(t *testing.T) {
	t.Parallel()
	payload := doc(t, tasks.StrategyPayload{Execution: 7, Strategy: "BoldAssetAllocation", Parameters: json.RawMessage(`{}`)})
	for want, j := range map[string]*jobs.Job{
		"Execution 7 of <b>BoldAssetAllocation</b>: return -3.50 %, final value 96500.00.": {State: jobs.Completed, Result: json.RawMessage(`{"return":-0.035,"final_value":96500}`)},
		"Execution 7 of <b>BoldAssetAllocation</b>: return 25.00 %.":                       {State: jobs.Completed, Result: json.RawMessage(`{"return":0.25}`)},
		"Execution 7 of <b>BoldAssetAllocation</b>: completed.":                            {State: jobs.Completed, Result: json.RawMessage(`{"gain":"a lot"}`)},
		"Execution 7 of <b>BoldAssetAllocation</b>: failed: no &lt;prices&gt;.":            {State: jobs.Failed, Error: "no <prices>"},
		"Execution 7 of <b>BoldAssetAllocation</b>: cancelled.":                            {State: jobs.Cancelled, Error: "cancelled"},
	} {
		j.Type, j.Payload = tasks.Strategy, payload
		if got, ok := notices.Of(j); !ok || got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Ensure nothing follows from a message, a delivery or a collection, and that
// whatever long or odd text a notice holds, it fits into one message.
func TestOf_bounds(t *testing.T) {
	t.Parallel()
	for _, typ := range []tasks.Type{tasks.Telegram, tasks.Callback, tasks.Collect} {
		if text, ok := notices.Of(&jobs.Job{Type: typ, State: jobs.Completed}); ok {
			t.Errorf("%s: %s", typ, text)
		}
	}
	rule := tasks.CFRule{Mode: strings.Repeat("<", 500), IP: strings.Repeat("&", 500), Scope: strings.Repeat("\n", 500), Note: strings.Repeat("한", 5000)}
	scope := tasks.CFScope{Scope: "zone", ID: "z", Outcome: tasks.CFFound}
	for range 200 {
		scope.Rules = append(scope.Rules, rule)
	}
	text, _ := notices.Of(cf(t, tasks.CFSearch, tasks.CFFound, scope, scope))
	visible := strings.NewReplacer("&lt;", "<", "&amp;", "&", "<b>", "", "</b>", "").Replace(text)
	if n := len([]rune(visible)); n > 4096 || !strings.HasSuffix(text, "and 388 more") {
		t.Errorf("%d letters, ends with %q", n, text[max(0, len(text)-50):])
	}
	long := cf(t, tasks.CFBlock, tasks.CFPending)
	long.State, long.Error = jobs.Failed, strings.Repeat("a<\n", 5000)
	if text, _ := notices.Of(long); len(text) > 4096 || strings.Contains(text, "a<") || strings.Contains(text, "\n") {
		t.Errorf("%d bytes: %.100q", len(text), text)
	}
}
