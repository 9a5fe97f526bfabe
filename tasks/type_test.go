package tasks_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/tasks"
)

// Ensure every job type is known and may be run again, but for pushes, which are
// never sent twice, orders, whose market has gone on, and deployments, and that of those whose start and end are told to others none
// is forgotten.
func TestTypes(t *testing.T) {
	t.Parallel()
	owing := map[tasks.Type]bool{tasks.Toggle: true, tasks.CFBlock: true, tasks.CFRelease: true, tasks.CFSearch: true, tasks.Trade: true, tasks.TradeCancel: true, tasks.Strategy: true, tasks.Deployment: true}
	got := tasks.Types()
	slices.Sort(got)
	if diff := cmp.Diff([]tasks.Type{"callback", "cf_block", "cf_release", "cf_search", "collect", "deployment", "push", "strategy", "telegram", "toggle", "trade", "trade_cancel"}, got); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	for _, typ := range got {
		once := typ == tasks.Trade || typ == tasks.TradeCancel || typ == tasks.Deployment
		if s := typ.Spec(); !typ.Known() || s.Retryable == (typ == tasks.Push || once) || s.Once != (typ == tasks.Push) || s.Owes != owing[typ] || s.OwesStart != (typ == tasks.Toggle) {
			t.Errorf("%s: known %v, %+v", typ, typ.Known(), s)
		}
	}
	if n := tasks.Type("nonsense"); n.Known() || n.Spec() != (tasks.Spec{}) {
		t.Errorf("%s is known, as %+v", n, n.Spec())
	}
}

// Ensure dongles are 11 to 30 and nothing else, on ports of their own.
func TestSubnets(t *testing.T) {
	t.Parallel()
	for n := -1; n < 40; n++ {
		if got, want := tasks.ValidSubnet(n), n >= 11 && n <= 30; got != want {
			t.Errorf("dongle %d is valid: %v", n, got)
		}
	}
	if got := tasks.Port(16); got != 10016 {
		t.Errorf("dongle 16 has port %d", got)
	}
}

// Ensure a proxy's address can be taken apart again, whatever kind of address
// the host has.
func TestProxyURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ip     string
		subnet int
		want   string
	}{
		{"198.51.100.7", 16, "socks5://198.51.100.7:10016"},
		{"2001:db8::7", 11, "socks5://[2001:db8::7]:10011"},
		{"::1", 30, "socks5://[::1]:10030"},
	} {
		got := tasks.ProxyURL(tt.ip, tt.subnet)
		if got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
		if u, err := url.Parse(got); err != nil || u.Hostname() != tt.ip {
			t.Errorf("%s is read as %v, %v", got, u, err)
		}
	}
}

// Ensure a delivery follows from its job, and one that is tried once is never
// run again.
func TestNewCallback(t *testing.T) {
	t.Parallel()
	p := tasks.CallbackPayload{Receiver: "toggle/main/start", Kind: "toggle/start", Body: `{"port":10016}`}
	want := tasks.Draft{
		Type: tasks.Callback, Queue: tasks.QueueDelivery, OrderKey: "k", Limit: time.Second, MaxTries: 1, Once: true, Parent: "j_1",
		Payload: []byte(`{"receiver":"toggle/main/start","kind":"toggle/start","body":"{\"port\":10016}"}`),
	}
	if diff := cmp.Diff(want, tasks.NewCallback(p, "j_1", "k", time.Second, 1)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	d := tasks.NewCallback(tasks.CallbackPayload{URL: "https://x.example/h"}, "j_1", "", time.Second, 8)
	if d.Once || d.MaxTries != 8 || d.OrderKey != "" {
		t.Errorf("%+v", d)
	}
}

// Ensure jobs that no worker ever ran end as they should: a toggle always with
// a result for those who wait for it, which names its dongle.
func TestUnrun(t *testing.T) {
	t.Parallel()
	payload := []byte(`{"host":"seoul-1","server_ip":"198.51.100.7","subnet":16}`)
	no := marshal(t, tasks.FailedToggle(toggled, 0))
	for _, tt := range []struct {
		name   string
		got    tasks.Unrun
		done   bool
		result string
		error  string
	}{
		{"toggle expired", tasks.Expired(tasks.Toggle, payload), true, no, "the host was away for too long"},
		{"toggle cancelled", tasks.Cancelled(tasks.Toggle, payload), false, no, "cancelled"},
		{"toggle lost", tasks.Lost(tasks.Toggle, payload, "crashed"), true, no, "crashed"},
		{"callback expired", tasks.Expired(tasks.Callback, payload), false, "", "no worker took the job up in time"},
		{"callback cancelled", tasks.Cancelled(tasks.Callback, payload), false, "", "cancelled"},
		{"callback lost", tasks.Lost(tasks.Callback, payload, "crashed"), false, "", "crashed"},
	} {
		if tt.got.Completed != tt.done || string(tt.got.Result) != tt.result || tt.got.Error != tt.error {
			t.Errorf("%s: %v %s %q, want %v %s %q", tt.name, tt.got.Completed, tt.got.Result, tt.got.Error, tt.done, tt.result, tt.error)
		}
	}
	if u := tasks.Expired(tasks.Toggle, []byte("x")); !u.Completed || !json.Valid(u.Result) {
		t.Errorf("a broken payload ends as %+v", u)
	}
}

// Ensure a member can be absent, null or a value, and is read as it was written.
func TestOptional(t *testing.T) {
	t.Parallel()
	type doc struct {
		A tasks.Optional[string] `json:"a,omitzero"`
	}
	for _, tt := range []struct {
		in   doc
		want string
	}{
		{doc{}, `{}`},
		{doc{tasks.Some[string](nil)}, `{"a":null}`},
		{doc{tasks.Some(ptr(""))}, `{"a":""}`},
		{doc{tasks.Some(ptr("x"))}, `{"a":"x"}`},
	} {
		if got := marshal(t, tt.in); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
		var back doc
		if err := json.Unmarshal([]byte(tt.want), &back); err != nil || marshal(t, back) != tt.want {
			t.Errorf("%s is read as %+v, %v", tt.want, back, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"a":1}`), new(doc)); err == nil {
		t.Error("a number was taken for a string")
	}
}
