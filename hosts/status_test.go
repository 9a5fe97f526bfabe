package hosts_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/hosts"
	"switchyard/tasks"
)

var seoul = time.FixedZone("KST", 9*60*60)

// wantGolden holds a document against the one in testdata, byte for byte but
// for the space between tokens.
func wantGolden(t *testing.T, name string, doc tasks.StatusDocument) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	must(t, err)
	var want bytes.Buffer
	must(t, json.Compact(&want, raw))
	got, err := json.Marshal(doc)
	must(t, err)
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func signal(rsrp, rsrq, rssi, sinr tasks.Decibel, cell, pci string) *tasks.Signal {
	return &tasks.Signal{
		RSRP: &rsrp, RSRQ: &rsrq, RSSI: &rssi, SINR: &sinr, Band: ptr("3"), CellID: &cell, PCI: &pci, PLMN: ptr("45008"),
	}
}

// local is a moment of the specification's day, in local time.
func local(hour, minute, second int) time.Time {
	return time.Date(2025, 12, 13, hour, minute, second, 0, seoul).UTC()
}

// Ensure what was collected of a host is composed into the document of the
// receivers' specification: dongles in their order, counts of what is there.
func TestStatus(t *testing.T) {
	t.Parallel()
	i := info("a")
	wantGolden(t, "status", hosts.Status(now, seoul, &i, hosts.State{
		Dongles: map[int]hosts.Dongle{
			17: {
				ExternalIP: ptr("39.7.54.121"), Connected: true, Traffic: tasks.Traffic{Upload: 89679249784, Download: 601586495927},
				Signal: signal(-111, -11, -81, 1, "7401488", "240"),
			},
			16: {
				ExternalIP: ptr("175.223.26.202"), Connected: true, Traffic: tasks.Traffic{Upload: 7408510801, Download: 13143595860},
				Signal: signal(-105, -9, -79, -2, "0029403-030", "228"),
			},
			// Collected once, and no dongle of the host any more.
			30: {ExternalIP: ptr("39.7.54.9"), Connected: true},
		},
		LastToggle: map[int]time.Time{16: local(22, 49, 25), 17: local(22, 50, 16), 30: local(22, 50, 30)},
	}, nil))
}

// Ensure a dongle of which nothing is known reads as the specification's
// disconnected one.
func TestStatus_nothingKnown(t *testing.T) {
	t.Parallel()
	i := hosts.Info{Name: "a", ServerIP: "198.51.100.7", Dongles: []int{11}}
	wantGolden(t, "status_disconnected", hosts.Status(local(23, 0, 0), seoul, &i, hosts.State{}, nil))
}

// Ensure toggles under way show over what is known, those that still wait
// don't, and a dongle counts as connected by its probe alone.
func TestStatus_overlay(t *testing.T) {
	t.Parallel()
	i := hosts.Info{Name: "a", ServerIP: "2001:db8::7", Dongles: []int{11, 12, 13, 14, 15}, Physical: 3}
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	doc := hosts.Status(now, seoul, &i, hosts.State{
		Dongles: map[int]hosts.Dongle{
			11: {Connected: true, ExternalIP: ptr("39.7.54.1")},
			12: {Connected: true, ExternalIP: ptr("39.7.54.2")},
			13: {ExternalIP: ptr("39.7.54.3")},
		},
		LastToggle: map[int]time.Time{11: ago(10 * time.Second), 12: ago(10 * time.Second), 14: ago(2 * time.Minute), 15: ago(30 * time.Second)},
	}, map[int]time.Time{
		11: ago(15 * time.Second), // running
		12: ago(61 * time.Second), // running for long
		14: {},                    // queued
		15: {},                    // queued
	})
	var states, urls []string
	for _, p := range doc.AvailableProxies {
		states, urls = append(states, p.ToggleStatus.Status), append(urls, p.ProxyURL)
	}
	if diff := cmp.Diff([]string{"in_progress", "timeout", "idle", "idle", "recent"}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if want := "socks5://[2001:db8::7]:10011"; urls[0] != want {
		t.Errorf("URL %s, want %s", urls[0], want)
	}
	if got := doc.AvailableProxies[0].LastToggle; got == nil || *got != "2025-12-13 22:50:51" {
		t.Errorf("last toggle %v", got)
	}
	want := tasks.DongleCheck{Expected: 5, Physical: 3, Connected: 2, DisconnectedPorts: []string{"10013", "10014", "10015"}}
	if diff := cmp.Diff(want, doc.DongleCheck); diff != "" || doc.ProxyCount != 5 {
		t.Errorf("%d proxies (-want +got):\n%s", doc.ProxyCount, diff)
	}
}

// Ensure a host without dongles has lists that are empty, not null.
func TestStatus_noDongles(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(hosts.Status(now, seoul, &hosts.Info{ServerIP: "198.51.100.7"}, hosts.State{}, nil))
	must(t, err)
	want := `{"status":"ready","timestamp":"2025-12-13 22:51:01","server_ip":"198.51.100.7","available_proxies":[],"proxy_count":0,` +
		`"dongle_check":{"expected":0,"physical":0,"connected":0,"disconnected_ports":[]}}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}
