package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"switchyard/alerts"
	"switchyard/events"
)

// Ensure alerts are listed newest first, page by page and by their conditions, and that
// what isn't there and what is over can't be dismissed.
func TestAlerts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	book := alerts.NewBook(b.rdb, b.store.Now)
	rules := alerts.Rules{
		alerts.HostOffline:  {Enabled: true, Level: events.Critical},
		alerts.QueueBacklog: {Enabled: true, Level: events.Warning},
	}
	ids := map[string]string{}
	for i := range 6 {
		o := alerts.Observation{Kind: alerts.HostOffline, Subject: fmt.Sprint(i), Verdict: alerts.Bad}
		if i%2 == 1 {
			o.Kind = alerts.QueueBacklog
		}
		raised, err := book.Observe(b.ctx, rules, o)
		must(t, err)
		ids[o.Subject] = raised[0].ID
	}
	_, err := book.Observe(b.ctx, rules, alerts.Observation{Kind: alerts.HostOffline, Subject: "0"})
	must(t, err)
	list := func(query string) (out []string) {
		t.Helper()
		for cursor := ""; ; {
			got := b.get(t, "/api/v1/alerts?limit=2"+query+cursor)
			var page struct {
				Alerts []struct{ Subject string }
				Next   *string `json:"next_cursor"`
			}
			must(t, json.Unmarshal([]byte(got.body), &page))
			if got.status != http.StatusOK || len(page.Alerts) > 2 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			for _, a := range page.Alerts {
				out = append(out, a.Subject)
			}
			if page.Next == nil {
				return out
			}
			cursor = "&cursor=" + *page.Next
		}
	}
	for query, want := range map[string]int{
		"": 6, "&state=open": 5, "&state=resolved": 1, "&level=warning": 3, "&source=proxy_monitor": 3, "&source=proxy_monitor&state=open": 2, "&source=x": 0,
	} {
		if got := list(query); len(got) != want {
			t.Errorf("%s: %v, want %d", query, got, want)
		}
	}
	for path, want := range map[string]string{
		"/api/v1/alerts?state=x": "invalid_state", "/api/v1/alerts?level=x": "invalid_level", "/api/v1/alerts?limit=0": "invalid_limit", "/api/v1/alerts/a_x": "unknown_alert",
	} {
		if got := b.get(t, path); !strings.Contains(got.body, want) {
			t.Errorf("%s: %s, want %s", path, got.body, want)
		}
	}
	for id, want := range map[string]string{ids["1"]: `"state":"dismissed"`, ids["0"]: "alert_over", "a_x": "unknown_alert"} {
		if got := b.do(t, http.MethodPost, "/api/v1/alerts/"+id+"/dismiss", ""); !strings.Contains(got.body, want) {
			t.Errorf("dismissing %s: %s, want %s", id, got.body, want)
		}
	}
	b.srv.Stop()
	if got := b.get(t, "/api/v1/alerts"); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "redis_unavailable") {
		t.Errorf("without Redis: %d %s", got.status, got.body)
	}
}
