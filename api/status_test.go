package api_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchyard/configs"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/tasks"
)

// collected is what is known of a dongle in the specification's example.
func collected(ip string, upload, download uint64, rsrp, rsrq, rssi, sinr float64, cell, pci string) hosts.Dongle {
	return hosts.Dongle{
		ExternalIP: &ip, Connected: true, Traffic: tasks.Traffic{Upload: upload, Download: download},
		Signal: &tasks.Signal{
			RSRP: ptr(tasks.Decibel(rsrp)), RSRQ: ptr(tasks.Decibel(rsrq)), RSSI: ptr(tasks.Decibel(rssi)), SINR: ptr(tasks.Decibel(sinr)),
			Band: ptr("3"), CellID: &cell, PCI: &pci, PLMN: ptr("45008"),
		},
	}
}

// setUpStatus registers seoul-1 with something known of each of its dongles.
func setUpStatus(t *testing.T, change ...func(*configs.Config)) *bundle {
	t.Helper()
	h := seoul
	h.Physical = 14
	h.Hub = &tasks.HubInfo{MainHub: "1-3", SubHubs: []string{"1-3.4"}, PortsPerHub: 4}
	b := setup(t, change...).register(t, h)
	must(t, b.registry.SetDongle(b.ctx, "seoul-1", 11, hosts.Dongle{}))
	must(t, b.registry.SetDongle(b.ctx, "seoul-1", 16, collected("175.223.26.202", 7408510801, 13143595860, -105, -9, -79, -2, "0029403-030", "228")))
	must(t, b.registry.SetDongle(b.ctx, "seoul-1", 17, collected("39.7.54.121", 89679249784, 601586495927, -111.5, -11, -81, 1, "7401488", "240")))
	return b
}

var (
	shownNow = regexp.MustCompile(`"timestamp":"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)"`)
	shownAgo = regexp.MustCompile(`"(seconds_ago|elapsed_seconds)":(\d+)`)
)

// Ensure the status document is the specified one, byte for byte but for the
// times: its members in order, null where nothing is known, whole levels plain.
func TestStatusIsAsSpecified(t *testing.T) {
	t.Parallel()
	b := setUpStatus(t)
	last := time.Date(2025, 12, 13, 13, 49, 25, 0, time.UTC)
	must(t, b.registry.SetLastToggle(b.ctx, "seoul-1", 16, last))
	a := b.get(t, "/status")
	a.wantsHeader(t, "Cache-Control", "no-store")
	m := shownNow.FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no timestamp in %s", a.body)
	}
	seoulTime, err := time.LoadLocation("Asia/Seoul")
	must(t, err)
	if at, err := time.ParseInLocation(time.DateTime, m[1], seoulTime); err != nil || b.store.Now().Sub(at).Abs() > time.Minute {
		t.Errorf("timestamp %q is not now in Seoul (%v)", m[1], err)
	}
	a.body = shownNow.ReplaceAllString(a.body, `"timestamp":"NOW"`)
	a.wants(t, 200, `{"status":"ready","timestamp":"NOW","server_ip":"198.51.100.7","available_proxies":[`+
		`{"proxy_url":"socks5://198.51.100.7:10011","subnet":11,"external_ip":null,"last_toggle":null,"traffic":{"upload":0,"download":0},"connected":false,`+
		`"toggle_status":{"status":"idle","message":"Ready for toggle","last_toggle":null},"signal":null},`+
		`{"proxy_url":"socks5://198.51.100.7:10016","subnet":16,"external_ip":"175.223.26.202","last_toggle":"2025-12-13 22:49:25",`+
		`"traffic":{"upload":7408510801,"download":13143595860},"connected":true,`+
		`"toggle_status":{"status":"idle","message":"Ready for toggle","last_toggle":"2025-12-13 22:49:25"},`+
		`"signal":{"rsrp":-105,"rsrq":-9,"rssi":-79,"sinr":-2,"band":"3","cell_id":"0029403-030","pci":"228","plmn":"45008"}},`+
		`{"proxy_url":"socks5://198.51.100.7:10017","subnet":17,"external_ip":"39.7.54.121","last_toggle":null,`+
		`"traffic":{"upload":89679249784,"download":601586495927},"connected":true,`+
		`"toggle_status":{"status":"idle","message":"Ready for toggle","last_toggle":null},`+
		`"signal":{"rsrp":-111.5,"rsrq":-11,"rssi":-81,"sinr":1,"band":"3","cell_id":"7401488","pci":"240","plmn":"45008"}}],`+
		`"proxy_count":3,"dongle_check":{"expected":3,"physical":14,"connected":2,"disconnected_ports":["10011"],`+
		`"hub_info":{"main_hub":"1-3","sub_hubs":["1-3.4"],"ports_per_hub":4}}}`)
}

// Ensure what is unknown of the hubs is left out, and an empty list is one.
func TestStatusLeavesOutUnknownHubs(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, hosts.Info{Name: "busan-1", ServerIP: "203.0.113.9", Dongles: []int{20}, Physical: 1})
	must(t, b.registry.SetDongle(b.ctx, "busan-1", 20, collected("39.7.54.121", 1, 2, -80, -9, -60, 20, "7", "1")))
	a := b.get(t, "/status")
	if want := `"dongle_check":{"expected":1,"physical":1,"connected":1,"disconnected_ports":[]}}`; a.status != 200 || !strings.HasSuffix(a.body, want) {
		t.Errorf("answer %d %s\nwant the end %s", a.status, a.body, want)
	}
}

// Ensure local times are shown in the configured zone.
func TestStatusShowsTimesInTheZone(t *testing.T) {
	t.Parallel()
	b := setUpStatus(t, func(c *configs.Config) { c.Timezone = "Europe/Berlin" })
	must(t, b.registry.SetLastToggle(b.ctx, "seoul-1", 16, time.Date(2025, 12, 13, 13, 49, 25, 0, time.UTC)))
	if a := b.get(t, "/status"); !strings.Contains(a.body, `"last_toggle":"2025-12-13 14:49:25"`) {
		t.Errorf("answer %d %s", a.status, a.body)
	}
}

// toggleStatus is what the status document says of dongle 16's toggle, its
// seconds apart.
func (b *bundle) toggleStatus(t *testing.T) (status string, seconds int) {
	t.Helper()
	a := b.get(t, "/status")
	_, rest, ok := strings.Cut(a.body, `"subnet":16,`)
	if !ok {
		t.Fatalf("answer %d %s", a.status, a.body)
	}
	_, rest, _ = strings.Cut(rest, `"toggle_status":`)
	status, _, _ = strings.Cut(rest, `,"signal"`)
	seconds = -1
	if m := shownAgo.FindStringSubmatch(status); m != nil {
		var err error
		seconds, err = strconv.Atoi(m[2])
		must(t, err)
	}
	return shownAgo.ReplaceAllString(status, `"$1":N`), seconds
}

// Ensure toggle_status follows a toggle by the specification's four forms, as
// of now: idle while it is queued, in_progress while it runs, timeout after
// 60 s of that, recent for 60 s after it, then idle again.
func TestStatusFollowsAToggle(t *testing.T) {
	t.Parallel()
	b := setUpStatus(t)
	holds := func(when, want string, least, most int) {
		t.Helper()
		if got, n := b.toggleStatus(t); got != want || n < least || n > most {
			t.Errorf("%s: %s with N=%d\nwant %s with N from %d to %d", when, got, n, want, least, most)
		}
	}
	holds("before", `{"status":"idle","message":"Ready for toggle","last_toggle":null}`, -1, -1)

	id := b.toggle(t, `{"subnet":16}`).jobID(t)
	holds("queued", `{"status":"idle","message":"Ready for toggle","last_toggle":null}`, -1, -1)

	c := b.claim(t, id)
	j, err := b.store.Get(b.ctx, id)
	must(t, err)
	started := j.Started.Format("2006-01-02T15:04:05.000Z")
	holds("running", `{"status":"in_progress","message":"Toggle in progress","started_at":"`+started+`","elapsed_seconds":N}`, 0, 40)
	b.wind(t, 15*time.Second)
	holds("running on", `{"status":"in_progress","message":"Toggle in progress","started_at":"`+started+`","elapsed_seconds":N}`, 15, 55)
	b.wind(t, 50*time.Second)
	holds("running for long", `{"status":"timeout","message":"Toggle timed out (exceeded 60s)","started_at":"`+started+`","elapsed_seconds":N}`, 65, 105)

	end := time.Date(2025, 12, 13, 13, 50, 16, 0, time.UTC)
	must(t, b.registry.SetLastToggle(b.ctx, "seoul-1", 16, end))
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed, Result: []byte(result(t, toggled()))}))
	holds("long ago", `{"status":"idle","message":"Ready for toggle","last_toggle":"2025-12-13 22:50:16"}`, -1, -1)
	now := b.store.Now().Truncate(time.Second)
	must(t, b.registry.SetLastToggle(b.ctx, "seoul-1", 16, now))
	seoulTime, err := time.LoadLocation("Asia/Seoul")
	must(t, err)
	shown := now.In(seoulTime).Format(time.DateTime)
	holds("ended", `{"status":"recent","message":"Recently toggled","last_toggle":"`+shown+`","seconds_ago":N}`, 0, 40)
	b.wind(t, 61*time.Second)
	holds("a while after", `{"status":"idle","message":"Ready for toggle","last_toggle":"`+shown+`"}`, -1, -1)
}

// Ensure a toggle that was handed back by its worker, and so is queued again,
// is not shown as in progress.
func TestStatusOfAToggleThatWaitsAgain(t *testing.T) {
	t.Parallel()
	b := setUpStatus(t)
	id := b.toggle(t, `{"subnet":16}`).jobID(t)
	must(t, b.claim(t, id).Again(b.ctx, 0, nil, nil))
	if got, _ := b.toggleStatus(t); got != `{"status":"idle","message":"Ready for toggle","last_toggle":null}` {
		t.Errorf("toggle_status %s", got)
	}
}

// Ensure a host of which nothing is known yet has its dongles read at once, in
// a collection that others share, and that it isn't done again.
func TestStatusCollectsWhereThereIsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	later := b.later(t, http.MethodGet, "/status", "")
	j := b.awaitJob(t)
	if j.Type != tasks.Collect || j.Host != "seoul-1" || j.Queue != tasks.HostStatusQueue("seoul-1") {
		t.Errorf("the job is %+v", j)
	}
	a, err := b.store.Accept(b.ctx, jobs.Request{Draft: tasks.NewCollect("seoul-1", time.Minute, time.Time{})})
	must(t, err)
	if a.ID != j.ID || !a.Joined {
		t.Errorf("another collection is %+v, it should have joined %s", a, j.ID)
	}
	for _, n := range seoul.Dongles {
		must(t, b.registry.SetDongle(b.ctx, "seoul-1", n, collected("175.223.26.202", 1, 2, -105, -9, -79, -2, "1", "2")))
	}
	b.complete(t, j.ID, "")
	if a := receive(t, b, later); a.status != 200 || !strings.Contains(a.body, `"external_ip":"175.223.26.202"`) {
		t.Errorf("answer %d %s", a.status, a.body)
	}
	b.get(t, "/status")
	b.onlyJob(t)
}

// Ensure a host of whose dongles only some were read yet has them read, too: who
// asks in the middle of its first collection isn't told that the rest is lost.
func TestStatusWaitsForEveryDongle(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	must(t, b.registry.SetDongle(b.ctx, "seoul-1", 16, collected("175.223.26.202", 1, 2, -105, -9, -79, -2, "1", "2")))
	later := b.later(t, http.MethodGet, "/status", "")
	j := b.awaitJob(t)
	for _, n := range seoul.Dongles {
		must(t, b.registry.SetDongle(b.ctx, "seoul-1", n, collected("175.223.26.202", 1, 2, -105, -9, -79, -2, "1", "2")))
	}
	b.complete(t, j.ID, "")
	if a := receive(t, b, later); a.status != 200 || !strings.Contains(a.body, `"connected":3,"disconnected_ports":[]`) {
		t.Errorf("answer %d %s", a.status, a.body)
	}
}

// Ensure a host that is away, or has no dongles, is not asked, and shown as
// far as it is known.
func TestStatusAsksNobodyInVain(t *testing.T) {
	t.Parallel()
	t.Run("away", func(t *testing.T) {
		t.Parallel()
		b := setup(t).register(t, seoul)
		b.wind(t, hostTTL)
		if a := b.get(t, "/status"); a.status != 200 || !strings.Contains(a.body, `"disconnected_ports":["10011","10016","10017"]`) {
			t.Errorf("answer %d %s", a.status, a.body)
		}
		if all := b.jobs(t); len(all) != 0 {
			t.Errorf("%d jobs", len(all))
		}
	})
	t.Run("no dongles", func(t *testing.T) {
		t.Parallel()
		b := setup(t).register(t, hosts.Info{Name: "empty", ServerIP: "203.0.113.9"})
		a := b.get(t, "/status")
		a.body = shownNow.ReplaceAllString(a.body, `"timestamp":"NOW"`)
		a.wants(t, 200, `{"status":"ready","timestamp":"NOW","server_ip":"203.0.113.9","available_proxies":[],"proxy_count":0,`+
			`"dongle_check":{"expected":0,"physical":0,"connected":0,"disconnected_ports":[]}}`)
	})
}

// Ensure /status finds the host by its address, and refuses as the older API
// does where that leads nowhere.
func TestStatusFindsTheHost(t *testing.T) {
	t.Parallel()
	setup(t).get(t, "/status").wants(t, 503, `{"error":"No proxy host has registered yet. Start a worker on one."}`)
	b := setup(t).register(t, seoul, busan)
	for _, h := range []hosts.Info{seoul, busan} {
		must(t, b.registry.SetDongle(b.ctx, h.Name, 16, hosts.Dongle{}))
		if a := b.get(t, "/status/?server_ip="+h.ServerIP); a.status != 200 || !strings.Contains(a.body, fmt.Sprintf(`"server_ip":%q`, h.ServerIP)) {
			t.Errorf("answer %d %s", a.status, a.body)
		}
	}
	before := b.keys(t)
	b.get(t, "/status").wants(t, 400, `{"error":"There are several hosts; name one: busan-1, seoul-1."}`)
	b.get(t, "/status?server_ip=203.0.113.99").wants(t, 404, `{"error":"No such host has registered."}`)
	b.untouched(t, before)
}
