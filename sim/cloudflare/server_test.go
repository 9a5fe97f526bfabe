package cloudflare_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchyard/sim/cloudflare"
)

const (
	token   = "made-for-this-test"
	account = "023e105f4ecef8ad9ca31a8372d0c353"
	zone    = "9a7806061c88ada191ed06f989cc3dac"
	rules   = "/accounts/" + account + "/firewall/access_rules/rules"
)

func start(t *testing.T, opt cloudflare.Options) *cloudflare.Server {
	t.Helper()
	opt.Token, opt.Accounts, opt.Zones = token, []string{account}, map[string]string{zone: account}
	s, err := cloudflare.Start(t.Context(), "127.0.0.1:0", opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// ask sends a request; header are names and values in turn.
func ask(t *testing.T, method, url, body string, header ...string) (status int, answer string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

var good = []string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}

// Ensure what the original refuses is refused, with its status and code, in its
// envelope, and what it takes is taken.
func TestServer(t *testing.T) {
	t.Parallel()
	s := start(t, cloudflare.Options{Denied: []string{strings.Repeat("d", 32)}})
	ip := func(target, value string) string {
		return `{"mode":"block","configuration":{"target":"` + target + `","value":"` + value + `"},"notes":"n"}`
	}
	for _, tt := range []struct {
		method, path, body string
		header             []string
		status, code       int
	}{
		{"GET", rules, "", nil, 401, 10000},
		{"GET", rules, "", []string{"Authorization", token}, 401, 10000},
		{"GET", rules, "", []string{"Authorization", "Bearer x"}, 403, 10000},
		{"GET", "/accounts/" + strings.Repeat("d", 32) + "/firewall/access_rules/rules", "", good, 403, 9109},
		{"GET", "/accounts/" + zone + "/firewall/access_rules/rules", "", good, 404, 7003},
		{"GET", "/zones/" + account + "/firewall/access_rules/rules", "", good, 404, 7003},
		{"GET", "/user/firewall/access_rules/rules", "", good, 404, 7000},
		{"GET", rules + "/x/y", "", good, 404, 7000},
		{"PUT", rules, "", good, 405, 10405},
		{"GET", rules + "?configuration_target=ip", "", good, 400, 10001},
		{"GET", rules + "?per_page=0", "", good, 400, 10001},
		{"GET", rules + "?page=x", "", good, 400, 10001},
		{"GET", rules + "?match=some", "", good, 400, 10001},
		{"GET", rules + "?page=2&per_page=1000", "", good, 200, 0},
		{"POST", rules, ip("ip", "192.0.2.1"), good[:2], 400, 6007},
		{"POST", rules, `{`, good, 400, 6007},
		{"POST", rules, `{"mode":"block","ip":"192.0.2.1"}`, good, 400, 6007},
		{"POST", rules, `{"mode":"block"}`, good, 400, 10001},
		{"POST", rules, strings.Replace(ip("ip", "192.0.2.1"), "block", "destroy", 1), good, 400, 10001},
		{"POST", rules, ip("ip", "300.1.1.1"), good, 400, 10001},
		{"POST", rules, ip("ip6", "192.0.2.1"), good, 400, 10001},
		{"POST", rules, ip("ip", "192.0.2.0/24"), good, 400, 10001},
		{"POST", rules, ip("ip_range", "192.0.2.0/25"), good, 400, 10001},
		{"POST", rules, ip("ip_range", "192.0.2.1/24"), good, 400, 10001},
		{"POST", rules, ip("ip_range", "2001:db8::/56"), good, 400, 10001},
		{"POST", rules, ip("continent", "EU"), good, 400, 10001},
		{"POST", rules, ip("ip", "192.0.2.1"), good, 200, 0},
		{"POST", rules, ip("ip", "192.0.2.1"), good, 400, 10009},
		{"POST", rules, strings.Replace(ip("ip", "192.0.2.1"), "block", "whitelist", 1), good, 400, 10009},
		{"POST", "/zones/" + zone + "/firewall/access_rules/rules", ip("ip", "192.0.2.1"), good, 200, 0},
		{"POST", rules, ip("ip", "2001:DB8::1"), good, 200, 0}, // which becomes an ip6
		{"POST", rules, ip("ip6", "2001:db8:0::1"), good, 400, 10009},
		{"PATCH", rules + "/deadbeef", `{"mode":"block"}`, good, 404, 10001},
		{"DELETE", rules + "/deadbeef", "", good, 404, 10001},
		{"GET", rules + "/deadbeef", "", good, 404, 10001},
	} {
		status, answer, err := ask(t, tt.method, s.URL()+tt.path, tt.body, tt.header...)
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			Success bool
			Errors  []struct{ Code int }
			Result  json.RawMessage
		}
		if err := json.Unmarshal([]byte(answer), &e); err != nil {
			t.Fatalf("%s %s: %s: %v", tt.method, tt.path, answer, err)
		}
		code := 0
		if len(e.Errors) > 0 {
			code = e.Errors[0].Code
		}
		if status != tt.status || code != tt.code || e.Success != (status == 200) {
			t.Errorf("%s %s %s: %d %s; want %d with %d", tt.method, tt.path, tt.body, status, answer, tt.status, tt.code)
		}
	}
	// In a zone, its account's rules show, too.
	_, answer, err := ask(t, "GET", s.URL()+"/zones/"+zone+"/firewall/access_rules/rules", "", good...)
	if err != nil || strings.Count(answer, `"192.0.2.1"`) != 2 {
		t.Errorf("the zone has %s, %v", answer, err)
	}
	if all := s.Ledger(); len(all) < 30 || strings.Contains(all[5].Body+all[5].Query, token) {
		t.Errorf("ledger %+v", all)
	}
}

// Ensure what is told to go wrong goes wrong, as often as it was told, before the
// request is done or after, by Go and over HTTP.
func TestFaults(t *testing.T) {
	t.Parallel()
	s := start(t, cloudflare.Options{})
	sim := strings.TrimSuffix(s.URL(), "/client/v4") + "/_sim/"
	block := func(value string) (int, string, error) {
		return ask(t, "POST", s.URL()+rules, `{"mode":"block","configuration":{"target":"ip","value":"`+value+`"}}`, good...)
	}
	fault := func(doc string) {
		t.Helper()
		if status, answer, err := ask(t, "POST", sim+"faults", doc); status != 200 || err != nil {
			t.Fatalf("%d %s, %v", status, answer, err)
		}
	}
	fault(`{"method":"POST","status":429,"code":971,"message":"slow down","retry_after":"9","times":2}`)
	for i, want := range []int{429, 429, 200} {
		if status, answer, err := block("192.0.2.1" + strconv.Itoa(i)); status != want || err != nil {
			t.Errorf("%d: %d %s, %v", i, status, answer, err)
		}
	}
	fault(`{"done":true,"drop":true,"times":1}`)
	if _, _, err := block("192.0.2.2"); err == nil {
		t.Error("the answer came")
	}
	if status, _, _ := block("192.0.2.2"); status != 400 {
		t.Errorf("it was not done: %d", status)
	}
	fault(`{"status":502,"html":true}`)
	if status, answer, err := block("192.0.2.3"); status != 502 || !strings.HasPrefix(answer, "<html>") || err != nil {
		t.Errorf("%d %s, %v", status, answer, err)
	}
	if status, _, err := ask(t, "DELETE", sim+"faults", ""); status != 204 || err != nil {
		t.Errorf("%d, %v", status, err)
	}
	if status, answer, err := ask(t, "POST", sim+"rules", `{"zone":"`+zone+`","mode":"challenge","value":"2001:db8::/32","notes":"n"}`); status != 200 || err != nil {
		t.Errorf("%d %s, %v", status, answer, err)
	}
	for _, bad := range []string{`{}`, `{"account":"a","mode":"block","value":"x"}`, `{"nonsense":1}`, `{`} {
		if status, _, _ := ask(t, "POST", sim+"rules", bad); status != 400 {
			t.Errorf("%s: %d", bad, status)
		}
	}
	if n := len(s.Rules()); n != 3 {
		t.Errorf("%d rules, want 3", n)
	}
	for path, want := range map[string]string{"rules": "2001:db8::/32", "ledger": `"status":429`} {
		if status, answer, err := ask(t, "GET", sim+path, ""); status != 200 || !strings.Contains(answer, want) || err != nil {
			t.Errorf("%s: %d %s, %v", path, status, answer, err)
		}
	}
}

// Ensure beyond the limit everything is refused, and the time until it isn't is
// told.
func TestLimit(t *testing.T) {
	t.Parallel()
	s := start(t, cloudflare.Options{Limit: 3})
	for i, want := range []int{200, 200, 200, 429, 429} {
		status, answer, err := ask(t, "GET", s.URL()+rules, "", good...)
		if status != want || err != nil || want == 429 && !strings.Contains(answer, "971") {
			t.Errorf("%d: %d %s, %v", i, status, answer, err)
		}
	}
}
