package tasks_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchyard/tasks"
)

// Ensure whatever spelling an address or a range comes in, it is one target with
// one spelling, and that nothing is taken which no rule can be for.
func TestParseTarget(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "192.0.2.1/32": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "192.0.2.0/24": "192.0.2.0/24", "198.51.0.0/16": "198.51.0.0/16",
		"2001:DB8:0:0:0:0:0:1": "2001:db8::1", "2001:0db8:0000:0000:0000:0000:0000:0001": "2001:db8::1", "2001:db8::1/128": "2001:db8::1",
		"2001:db8::/32": "2001:db8::/32", "2001:0db8:0000::/48": "2001:db8::/48", "2001:db8:0:5::/64": "2001:db8:0:5::/64",

		"": "", "a": "", "1": "", "192.0.2": "", "192.0.2.256": "", "0192.0.2.1": "", "192.0.2.0/8": "", "192.0.2.0/25": "", "192.0.2.1/24": "",
		"192.0.2.0/": "", "192.0.2.0/024": "", "192.0.2.0/33": "", "2001:db8::/56": "", "2001:db8::1/64": "", "fe80::1%eth0": "", "::ffff:192.0.2.0/120": "", "192.0.2.1:80": "", "[2001:db8::1]": "",
	} {
		got, err := tasks.ParseTarget(in)
		if err != nil {
			got = tasks.Target{}
		}
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("%q is read as %q, %v; want %q", in, got, err, want)
		}
	}
}

// Ensure the ranges that may cover a target are all there are, the narrowest
// first.
func TestTarget_Wider(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"192.0.2.77": {"192.0.2.0/24", "192.0.0.0/16"}, "192.0.2.0/24": {"192.0.0.0/16"}, "192.0.0.0/16": nil,
		"2001:db8:1:2::3": {"2001:db8:1:2::/64", "2001:db8:1::/48", "2001:db8::/32"}, "2001:db8:1::/48": {"2001:db8::/32"},
	} {
		x, err := tasks.ParseTarget(in)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range x.Wider() {
			got = append(got, w.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
}

// Ensure the wishes of a chat are drafted so that the same ones join, and all of
// them keep their order.
func TestNewCF(t *testing.T) {
	t.Parallel()
	x, err := tasks.ParseTarget("2001:db8::1")
	if err != nil {
		t.Fatal(err)
	}
	d := tasks.NewCF(tasks.CFBlock, x, "@Operators", 8)
	if d.Type != tasks.CFBlock || d.ChatID != "@Operators" || d.Queue != "interactive" || d.JoinKey != "cf_block:2001:db8::1:@operators" ||
		d.OrderKey != "chat:@operators" || string(d.Payload) != `{"ip":"2001:db8::1"}` || d.MaxTries != 8 || d.Limit <= 0 || d.Once || !d.Expires.IsZero() {
		t.Errorf("%+v", d)
	}
	for typ, want := range map[tasks.Type]string{
		tasks.CFBlock: "cf_release cf_search", tasks.CFRelease: "cf_block cf_search", tasks.CFSearch: "",
	} {
		got := strings.ReplaceAll(strings.Join(tasks.NewCF(typ, x, "@Operators", 8).Outdates, " "), ":2001:db8::1:@operators", "")
		if got != want {
			t.Errorf("%s outdates %q, want %q", typ, got, want)
		}
	}
	m := tasks.NewTelegram(tasks.TelegramPayload{ChatID: "@Operators", Text: "a"}, "j_1")
	if m.OrderKey != d.OrderKey || m.JoinKey != "" || m.Parent != "j_1" || m.Queue != d.Queue || string(m.Payload) != `{"chat_id":"@Operators","text":"a"}` {
		t.Errorf("%+v", m)
	}
}
