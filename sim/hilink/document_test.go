package hilink

import (
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Ensure requests are read as strictly as firmware reads them.
func TestParse(t *testing.T) {
	t.Parallel()
	const head = `<?xml version="1.0" encoding="UTF-8"?>`
	for _, good := range []string{
		head + "<request><a>1</a><b>2</b></request>",
		"<request>\r\n <a>1</a>\n<b>&#50;</b></request>\n",
	} {
		got, err := parse([]byte(good), "request")
		if diff := cmp.Diff(document{{"a", "1"}, {"b", "2"}}, got, cmp.AllowUnexported(element{})); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", good, err, diff)
		}
	}
	for _, bad := range []string{
		"", " ", "a=1&b=2", "<request>", "<request><a>1</request>", "<request><a>1</b></request>",
		"<response><a>1</a></response>", "<request><a>1</a></request><request></request>", "<request><a>1</a></request>x",
		"<request>x<a>1</a></request>", "<request><a><b>1</b></a></request>", `<request><a x="1">1</a></request>`,
		`<!DOCTYPE request><request><a>1</a></request>`, "<request><a>&unknown;</a></request>", "<request><a>1</a>\x00</request>",
		`{"a":1}`, "<r:request><a>1</a></r:request>",
	} {
		if got, err := parse([]byte(bad), "request"); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}

// Ensure documents are written in the recorded form, in entities where firmware
// uses them.
func TestDocument_bytes(t *testing.T) {
	t.Parallel()
	d := document{{"a", "10.0.5.1(H195)"}, {"b", ""}, {"c", "a/b+c&<>"}}
	want := `<?xml version="1.0" encoding="UTF-8"?>` + "\n<response>\n" +
		"<a>10.0.5.1&#40;H195&#41;</a>\n<b></b>\n<c>a&#x2F;b&#43;c&amp;&lt;&gt;</c>\n</response>\n"
	if diff := cmp.Diff(want, string(d.bytes())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got := d.with(element{"b", "2"}, element{"d", "4"}).without("a")
	if diff := cmp.Diff(document{{"a", ""}, {"b", "2"}, {"c", "a/b+c&<>"}, {"d", "4"}}, got, cmp.AllowUnexported(element{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d.value("a") == "" || d.value("d") != "" {
		t.Errorf("with changed the original: %v", d)
	}
}

// Ensure every recording can be served, and that serving doesn't add what it
// didn't have or lose what it had.
func TestRecorded(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(captured, "captured/*.xml")
	if err != nil || len(names) != 8 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		d := recorded(strings.TrimSuffix(strings.TrimPrefix(name, "captured/"), ".xml"))
		again, err := parse(d.bytes(), "response")
		if diff := cmp.Diff(d, again, cmp.AllowUnexported(element{})); err != nil || diff != "" || len(d) == 0 {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	if !strings.Contains(string(page()), "4G UFI") {
		t.Errorf("the other device's page: %s", page())
	}

	m := New(Options{Subnet: 11})
	now := time.Now()
	for path, recording := range map[string]document{
		"device/information": recordedInformation, "device/signal": recordedSignal, "monitoring/status": recordedStatus,
		"monitoring/traffic-statistics": recordedTraffic, "net/current-plmn": recordedPLMN, "net/net-mode": recordedMode,
	} {
		for _, attached := range []bool{true, false} {
			m.radio.attached, m.radio.search, m.radio.began = attached, true, now
			if diff := cmp.Diff(elementNames(recording), elementNames(families[E8372h320].endpoints[path].get(m, now))); diff != "" {
				t.Errorf("%s, attached = %v: elements (-recorded +served):\n%s", path, attached, diff)
			}
		}
	}
}

func elementNames(d document) (out []string) {
	for _, e := range d {
		out = append(out, e.name)
	}
	return out
}

// Ensure levels move a little, stay where a modem can be, and are the same for
// the same seed.
func TestReadings(t *testing.T) {
	t.Parallel()
	now := time.Now()
	differ := map[string]bool{}
	for seed := range uint64(20) {
		r := newReadings(rand.New(rand.NewPCG(seed, 11)), now)
		twin := newReadings(rand.New(rand.NewPCG(seed, 11)), now)
		levels := map[string]bool{}
		for range 200 {
			d := r.signal(recordedSignal, true)
			if other := twin.signal(recordedSignal, true); !slices.Equal(d, other) {
				t.Fatalf("seed %d: %v and %v", seed, d, other)
			}
			levels[d.value("rsrp")] = true
			differ[d.value("rsrp")] = true
			if r.rsrp < -112 || r.rsrp > -80 || r.rsrq < -12 || r.rsrq > -5 || r.sinr < -4 || r.sinr > 18 {
				t.Fatalf("seed %d: %v", seed, d)
			}
		}
		if len(levels) < 2 || len(levels) > 12 {
			t.Errorf("seed %d: %d levels", seed, len(levels))
		}
	}
	if len(differ) < 15 {
		t.Errorf("all modems stand in one place: %v", differ)
	}
}

// Ensure counters grow while attached and rest while not, and that those of the
// current connection begin anew.
func TestReadings_traffic(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	r := newReadings(rand.New(rand.NewPCG(1, 11)), now)
	r.connection(now, true)
	var before uint64
	for range 100 {
		now = now.Add(time.Second)
		d := r.traffic(now)
		if r.down <= before || r.up > r.down {
			t.Fatalf("%v after %d", d, before)
		}
		before = r.down
	}
	if d := r.traffic(now); d.value("CurrentConnectTime") != "100" || d.value("TotalConnectTime") != "12298" {
		t.Errorf("%v", d)
	}
	r.connection(now, false)
	before = r.down
	if d := r.traffic(now.Add(time.Hour)); r.down != before || d.value("CurrentDownload") != "0" || d.value("CurrentDownloadRate") != "0" {
		t.Errorf("traffic without a network: %v", d)
	}
	r.connection(now.Add(time.Hour), true)
	if d := r.traffic(now.Add(time.Hour + time.Millisecond)); d.number("CurrentDownload") > 1000 || r.down <= before {
		t.Errorf("%v", d)
	}
}
