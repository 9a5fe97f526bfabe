package api_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/tasks"
)

const hostsPath = "/api/v1/hosts"

// setUpHosts registers seoul-1, of which everything is known, and busan-1, which
// has left.
func setUpHosts(t *testing.T) *bundle {
	t.Helper()
	b := setUpStatus(t)
	at := time.Date(2025, 12, 13, 13, 49, 25, 250e6, time.UTC)
	known := collected("175.223.26.202", 7, 8, -105, -9, -79, 21, "0029403-030", "228")
	known.Collected = at
	must(t, b.registry.SetDongle(b.ctx, "seoul-1", 16, known))
	must(t, b.registry.SetLastToggle(b.ctx, "seoul-1", 16, at))
	for _, ip := range []string{"175.223.26.201", "175.223.26.202"} {
		must(t, b.registry.NoteRotation(b.ctx, "seoul-1", 16, hosts.Rotation{ID: ip, At: b.store.Now(), Old: "175.223.26.202", New: ip}))
	}
	b.register(t, busan)
	must(t, b.registry.SetDongle(b.ctx, "busan-1", 20, hosts.Dongle{Signal: &tasks.Signal{PLMN: ptr("45005")}}))
	left := busan
	left.Seen = b.store.Now()
	must(t, b.registry.Leave(b.ctx, left))
	return b
}

// dongle11 is one of which nothing is known.
const dongle11 = `{"host":"seoul-1","server_ip":"198.51.100.7","host_status":"online","subnet":11,"port":10011,"proxy_url":"socks5://198.51.100.7:10011",` +
	`"connected":false,"external_ip":null,"traffic":{"upload":0,"download":0},"signal":null,"quality":null,"rotation":null,"collides_with":[],"last_toggle_at":null,` +
	`"toggle_status":{"status":"idle","message":"Ready for toggle","last_toggle":null},"collected_at":null,"usb":null}`

// dongle16 is one of which everything is.
const dongle16 = `{"host":"seoul-1","server_ip":"198.51.100.7","host_status":"online","subnet":16,"port":10016,"proxy_url":"socks5://198.51.100.7:10016",` +
	`"connected":true,"external_ip":"175.223.26.202","traffic":{"upload":7,"download":8},` +
	`"signal":{"rsrp":-105,"rsrq":-9,"rssi":-79,"sinr":21,"band":"3","cell_id":"0029403-030","pci":"228","plmn":"45008"},` +
	`"quality":{"rsrp":{"level":2,"word":"나쁨"},"rsrq":{"level":4,"word":"좋음"},"sinr":{"level":5,"word":"매우 좋음"}},` +
	`"rotation":{"toggles":2,"unique":1,"ratio":0.5},"collides_with":[],"last_toggle_at":"2025-12-13T13:49:25.250Z","toggle_status":{"status":"idle","message":"Ready for toggle","last_toggle":"2025-12-13 22:49:25"},` +
	`"collected_at":"2025-12-13T13:49:25.250Z","usb":null}`

var shownSeen = regexp.MustCompile(`"last_seen_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`)

// Ensure a host is shown with all its members, in order, null where nothing is
// known, with its dongles as last known; alone and in the list.
func TestHostIsShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.get(t, hostsPath).wants(t, 200, `{"hosts":[]}`)
	b.get(t, "/api/v1/proxies").wants(t, 200, `{"proxies":[]}`)

	b = setUpHosts(t)
	h := seoul
	h.Started, h.Version, h.Dongles = time.Date(2025, 12, 13, 1, 2, 3, 4e6, time.UTC), "v1.2.3", []int{11, 16}
	h.Hub = &tasks.HubInfo{MainHub: "1-3", SubHubs: []string{"1-3.4"}, PortsPerHub: 4}
	h.USB = map[int]hosts.USBPlace{16: {Path: "1-3.4.2", Hub: "1-3.4", Port: 2, State: hosts.USBModem}}
	b.register(t, h)
	const wantHost = `{"host":"seoul-1","server_ip":"198.51.100.7","status":"online","last_seen_at":"SEEN","started_at":"2025-12-13T01:02:03.004Z","version":"v1.2.3",` +
		`"expected":2,"physical":3,"hub_info":{"main_hub":"1-3","sub_hubs":["1-3.4"],"ports_per_hub":4},` +
		`"rotation":{"toggles":2,"unique":1,"ratio":0.5},"collisions":[],"dongles":[` + dongle11 + `,`
	placed := strings.Replace(dongle16, `"usb":null`, `"usb":{"path":"1-3.4.2","hub":"1-3.4","port":2,"state":"modem"}`, 1)
	want := wantHost + placed + "]}"
	shown := func(path string) answer {
		t.Helper()
		a := b.get(t, path)
		a.body = shownSeen.ReplaceAllString(a.body, `"last_seen_at":"SEEN"`)
		return a
	}
	shown(hostsPath+"/seoul-1").wants(t, 200, want)
	shown(hostsPath+"/seoul-1/").wants(t, 200, want)
	const gone = `{"host":"busan-1","server_ip":"203.0.113.9","status":"offline","last_seen_at":"SEEN","started_at":null,"version":"",` +
		`"expected":2,"physical":2,"hub_info":null,"rotation":null,"collisions":[],"dongles":[{"host":"busan-1",`
	a := shown(hostsPath)
	a.wantsType(t, "application/json")
	if a.status != 200 || !strings.HasPrefix(a.body, `{"hosts":[`+gone) || !strings.HasSuffix(strings.TrimSpace(a.body), `,`+want+`]}`) {
		t.Errorf("answer %d %s", a.status, a.body)
	}
}

// Ensure dongles of a host that show one public address are told, by the host and
// by each of them, and that the same address at another host is none of theirs.
func TestCollisionsAreShown(t *testing.T) {
	t.Parallel()
	b := setUpHosts(t)
	for _, n := range []int{11, 17} {
		must(t, b.registry.SetDongle(b.ctx, "seoul-1", n, collected("175.223.26.202", 7, 8, -105, -9, -79, 21, "1", "2")))
	}
	must(t, b.registry.SetDongle(b.ctx, "busan-1", 16, collected("175.223.26.202", 7, 8, -105, -9, -79, 21, "1", "2")))
	if a := b.get(t, hostsPath+"/seoul-1"); !strings.Contains(a.body, `"collisions":[{"ip":"175.223.26.202","subnets":[11,16,17]}],`) {
		t.Errorf("answer %d %s", a.status, a.body)
	}
	a := b.get(t, "/api/v1/proxies")
	for _, want := range []string{`"collides_with":[16,17]`, `"collides_with":[11,17]`, `"collides_with":[11,16]`} {
		if strings.Count(a.body, want) != 1 {
			t.Errorf("not once %s: %d %s", want, a.status, a.body)
		}
	}
	if n := strings.Count(a.body, `"collides_with":[]`); n != 2 {
		t.Errorf("%d without: %s", n, a.body)
	}
}

// Ensure a host reads offline once nothing was heard of it for as long as it is
// believed, and a toggle under way shows in its dongle.
func TestHostStatusIsOfNow(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	id := b.toggle(t, `{"subnet":16}`).jobID(t)
	b.claim(t, id)
	if a := b.get(t, hostsPath+"/seoul-1"); !strings.Contains(a.body, `"status":"online"`) || !strings.Contains(a.body, `{"status":"in_progress","message":"Toggle in progress","started_at":"2`) {
		t.Errorf("answer %d %s", a.status, a.body)
	}
	b.wind(t, hostTTL)
	for _, path := range []string{hostsPath, hostsPath + "/seoul-1", "/api/v1/proxies"} {
		a := b.get(t, path)
		if strings.Contains(a.body, `status":"online"`) || !strings.Contains(a.body, `"host_status":"offline"`) || strings.Contains(a.body, `"last_seen_at":null`) {
			t.Errorf("%s: answer %d %s", path, a.status, a.body)
		}
	}
}

// Ensure what is no host's name, and a host that never registered, are unknown.
func TestHostUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	before := b.keys(t)
	for _, name := range []string{"nowhere", "SEOUL-1", "seoul_1", "*", "%2e%2e", "-", "seoul-1:info", strings.Repeat("a", 41)} {
		b.get(t, hostsPath+"/"+name).wantsProblem(t, 404, "unknown_host", "host")
		b.do(t, http.MethodDelete, hostsPath+"/"+name, "").wantsProblem(t, 404, "unknown_host", "host")
		b.get(t, "/api/v1/proxies?host="+name).wantsProblem(t, 404, "unknown_host", "host")
	}
	a := b.do(t, http.MethodPut, hostsPath+"/seoul-1", "")
	a.wantsProblem(t, 405, "method_not_allowed", "")
	a.wantsHeader(t, "Allow", "GET, HEAD, DELETE")
	b.untouched(t, before)
}

// Ensure dongles are found by each condition and by all of them together.
func TestProxiesAreListed(t *testing.T) {
	t.Parallel()
	b := setUpHosts(t)
	for _, tt := range []struct{ query, want string }{
		{"", "busan-1/16 busan-1/20 seoul-1/11 seoul-1/16 seoul-1/17"},
		{"host=busan-1", "busan-1/16 busan-1/20"},
		{"connected=true", "seoul-1/16 seoul-1/17"},
		{"connected=false", "busan-1/16 busan-1/20 seoul-1/11"},
		{"plmn=45008", "seoul-1/16 seoul-1/17"},
		{"plmn=45005", "busan-1/20"},
		{"plmn=00101", ""},
		{"min_rsrp=-200", "seoul-1/16 seoul-1/17"},
		{"min_rsrp=-105", "seoul-1/16"},
		{"min_rsrp=-104.9", ""},
		{"min_rsrp=-111.5&plmn=45008&connected=true&host=seoul-1", "seoul-1/16 seoul-1/17"},
		{"min_rsrp=-111.5&plmn=45008&connected=false", ""},
		{"min_rsrp=0", ""},
	} {
		a := b.get(t, "/api/v1/proxies?"+tt.query)
		a.wantsType(t, "application/json")
		var got struct {
			Proxies []struct {
				Host   string
				Subnet json.Number
			}
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 || got.Proxies == nil {
			t.Fatalf("?%s: answer %d %s: %v", tt.query, a.status, a.body, err)
		}
		var all []string
		for _, p := range got.Proxies {
			all = append(all, p.Host+"/"+p.Subnet.String())
		}
		if s := strings.Join(all, " "); s != tt.want {
			t.Errorf("?%s: %s, want %s", tt.query, s, tt.want)
		}
	}
	if a := b.get(t, "/api/v1/proxies?host=seoul-1"); !strings.HasPrefix(a.body, `{"proxies":[`+dongle11+`,`+dongle16+`,`) {
		t.Errorf("answer %s", a.body)
	}
}

// Ensure every faulty condition is refused by name, and one that doesn't exist,
// too.
func TestProxiesRefuseFaultyConditions(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	for _, tt := range []struct{ query, code, field string }{
		{"connected=maybe", "invalid_connected", "connected"},
		{"plmn=KT", "invalid_plmn", "plmn"},
		{"plmn=4500", "invalid_plmn", "plmn"},
		{"plmn=4500800", "invalid_plmn", "plmn"},
		{"min_rsrp=good", "invalid_min_rsrp", "min_rsrp"},
		{"min_rsrp=1", "invalid_min_rsrp", "min_rsrp"},
		{"min_rsrp=-201", "invalid_min_rsrp", "min_rsrp"},
		{"min_rsrp=NaN", "invalid_min_rsrp", "min_rsrp"},
		{"min_rsrp=-Inf", "invalid_min_rsrp", "min_rsrp"},
		{"min_rsrq=-10", "unknown_parameter", "min_rsrq"},
		{"host=" + strings.Repeat("h", 65), "invalid_host", "host"},
	} {
		b.get(t, "/api/v1/proxies?"+tt.query).wantsProblem(t, 400, tt.code, tt.field)
	}
	b.get(t, hostsPath+"?status=online").wantsProblem(t, 400, "unknown_parameter", "status")
}

// remove asks for the removal of seoul-1.
func (b *bundle) remove(t *testing.T) answer {
	t.Helper()
	return b.do(t, http.MethodDelete, hostsPath+"/seoul-1", "")
}

// nothingLeft holds that of seoul-1 there is nothing but its jobs.
func (b *bundle) nothingLeft(t *testing.T) {
	t.Helper()
	for _, k := range b.keys(t) {
		if strings.Contains(k, "{host:seoul-1") || strings.HasPrefix(k, "sw:v1:h:seoul-1:") && !strings.Contains(k, ":job:") && !strings.Contains(k, ":audience:") {
			t.Errorf("left: %s", k)
		}
	}
	for _, set := range []string{"asynq:queues", "sw:v1:hosts"} {
		if all := b.rdb.SMembers(b.ctx, set).Val(); slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, "seoul-1") }) {
			t.Errorf("%s: %q", set, all)
		}
	}
	b.get(t, hostsPath+"/seoul-1").wantsProblem(t, 404, "unknown_host", "host")
	b.remove(t).wantsProblem(t, 404, "unknown_host", "host")
}

// Ensure a host is removed only while it is offline; then its unfinished jobs
// have failed, with a result that others are told of, who waits is answered, its
// queues and its state are gone, and its jobs can still be read.
func TestHostIsRemoved(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul, busan)
	must(t, b.registry.SetDongle(b.ctx, "seoul-1", 16, hosts.Dongle{Connected: true}))
	must(t, b.registry.SetLastToggle(b.ctx, "seoul-1", 16, b.store.Now().Add(-time.Hour)))
	done := b.toggle(t, `{"subnet":16,"host":"seoul-1"}`).jobID(t)
	b.complete(t, done, result(t, toggled()))
	running := b.toggle(t, `{"subnet":16,"host":"seoul-1","chat_id":5}`).jobID(t)
	c := b.claim(t, running)
	queued := b.toggle(t, `{"subnet":17,"host":"seoul-1"}`).jobID(t)
	later := b.later(t, http.MethodPost, togglePath, `{"subnet":17,"host":"seoul-1","wait":50}`)
	b.eventually(t, "somebody waits", func() bool { return b.hub.Watching() == 1 })
	collect, err := b.store.Accept(b.ctx, jobs.Request{Draft: tasks.NewCollect("seoul-1", time.Minute, time.Time{})})
	must(t, err)
	other := b.toggle(t, `{"subnet":16,"host":"busan-1"}`).jobID(t)
	b.settle(t)

	before := b.keys(t)
	b.remove(t).wantsProblem(t, 409, "host_online", "host")
	b.untouched(t, before)
	if got := b.job(t, queued); !strings.Contains(got, `"state":"queued"`) {
		t.Errorf("a refused removal ended %s", got)
	}
	must(t, b.registry.Leave(b.ctx, seoul))
	b.remove(t).wants(t, 200, `{"host":"seoul-1","failed_jobs":3}`)

	const nothing = `{"success":false,"ip":null,"traffic":{"upload":0,"download":0},"signal":null,"step":0,"server_ip":"198.51.100.7","port":100`
	receive(t, b, later).wants(t, 200, nothing+`17}`)
	for id, doc := range map[string]string{running: nothing + `16}`, queued: nothing + `17}`, collect.ID: `null`} {
		got := b.job(t, id)
		for _, part := range []string{`"state":"failed"`, `"host":"seoul-1"`, `"error":"its host was removed"`, `"result":` + doc, `"completed_at":"TIME"`} {
			if !strings.Contains(got, part) {
				t.Errorf("the job is %s, want %s in it", got, part)
			}
		}
	}
	debts, err := b.store.Debts(b.ctx, 0, 10)
	must(t, err)
	var owed []string
	for _, d := range debts {
		owed = append(owed, d.JobID+" "+string(d.Phase))
	}
	if want := []string{running + " end", queued + " end"}; !slices.Equal(owed, want) && !slices.Equal(owed, []string{want[1], want[0]}) {
		t.Errorf("owed: %q, want the results of both toggles", owed)
	}
	if err := c.Check(b.ctx); err == nil {
		t.Error("its worker still has the job")
	}
	b.nothingLeft(t)
	if got := b.job(t, done); !strings.Contains(got, `"state":"completed"`) {
		t.Errorf("a job that had ended is %s", got)
	}
	if ids, _ := b.listed(t, map[string][]string{"host": {"seoul-1"}}); len(ids) != 4 {
		t.Errorf("%d of its jobs are listed, want 4", len(ids))
	}
	// The other host is as it was.
	if got := b.job(t, other); !strings.Contains(got, `"state":"queued"`) {
		t.Errorf("a job of another host is %s", got)
	}
	if n := b.rdb.LLen(b.ctx, "asynq:{host:busan-1}:pending").Val(); n != 1 {
		t.Errorf("%d tasks of the other host, want 1", n)
	}
	// Nothing more can be asked of it, by any way.
	b.toggle(t, `{"subnet":16,"host":"seoul-1"}`).wantsProblem(t, 404, "unknown_host", "host")
	b.settle(t)
	b.do(t, http.MethodPost, "/api/v1/jobs/"+queued+"/retry", "").wantsProblem(t, 409, "host_removed", "")
	b.nothingLeft(t)

	// It may come back as a new one.
	b.register(t, seoul)
	b.do(t, http.MethodPost, "/api/v1/jobs/"+queued+"/retry", "").wants(t, 202, `{"job_id":"`+queued+`","status":"queued"}`)
	b.toggle(t, `{"subnet":17,"host":"seoul-1"}`).wants(t, 202, `{"job_id":"`+queued+`","status":"queued","joined":true}`)
}

// Ensure a host whose entry can't be read is shown, as offline, keeps nobody from
// the others, and can be removed.
func TestHostThatCantBeRead(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul, busan)
	must(t, b.registry.Leave(b.ctx, seoul))
	must(t, b.rdb.Set(b.ctx, "sw:v1:h:seoul-1:info", "{", 0).Err())
	must(t, b.rdb.HSet(b.ctx, "sw:v1:h:seoul-1:dongles", "16", "{").Err())
	b.toggle(t, `{"subnet":16,"host":"busan-1"}`).jobID(t)
	a := b.get(t, hostsPath)
	if a.status != 200 || !strings.Contains(a.body, `"host":"seoul-1","server_ip":"","status":"offline"`) || !strings.Contains(a.body, `"host":"busan-1"`) {
		t.Errorf("answer %d %s", a.status, a.body)
	}
	b.remove(t).wants(t, 200, `{"host":"seoul-1","failed_jobs":0}`)
	b.nothingLeft(t)
}

// Ensure a removal that broke off is ended by the next one, however far it came,
// also over more jobs than one step ends.
func TestHostRemovalIsRepeatable(t *testing.T) {
	t.Parallel()
	for name, soFar := range map[string]func(*testing.T, *bundle){
		"begun": func(*testing.T, *bundle) {},
		"some jobs ended": func(t *testing.T, b *bundle) {
			if n, more, err := b.store.Evict(b.ctx, "seoul-1", b.store.Now()); err != nil || n != 100 || !more {
				t.Fatalf("ended %d, more %v, %v", n, more, err)
			}
		},
		"all jobs ended": func(t *testing.T, b *bundle) {
			for more := true; more; {
				var err error
				_, more, err = b.store.Evict(b.ctx, "seoul-1", b.store.Now())
				must(t, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t).register(t, seoul)
			const many = 250
			for range many {
				d := tasks.NewToggle(tasks.TogglePayload{Host: "seoul-1", ServerIP: "198.51.100.7", Subnet: 16}, time.Minute, time.Time{})
				d.JoinKey = ""
				_, err := b.store.Accept(b.ctx, jobs.Request{Draft: d})
				must(t, err)
			}
			must(t, b.registry.Leave(b.ctx, seoul))
			must(t, b.registry.Remove(b.ctx, "seoul-1", b.store.Now()))
			soFar(t, b)
			if a := b.remove(t); a.status != 200 {
				t.Fatalf("answer %d %s", a.status, a.body)
			}
			b.nothingLeft(t)
			p, err := b.store.List(b.ctx, jobs.Filter{State: jobs.Failed}, 2*many, "")
			must(t, err)
			if len(p.Jobs) != many {
				t.Errorf("%d jobs have failed, want %d", len(p.Jobs), many)
			}
		})
	}
}
