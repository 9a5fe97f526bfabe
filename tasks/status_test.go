package tasks_test

import (
	"testing"
	"time"

	"switchyard/tasks"
)

var seoul = time.FixedZone("KST", 9*60*60)

// clock is a moment of the specification's day, in local time.
func clock(hour, minute, second int) time.Time {
	return time.Date(2025, 12, 13, hour, minute, second, 0, seoul)
}

func plain(rsrp, rsrq, rssi, sinr float64, cell, pci string) *tasks.PlainSignal {
	return &tasks.PlainSignal{
		RSRP: &rsrp, RSRQ: &rsrq, RSSI: &rssi, SINR: &sinr, Band: ptr("3"), CellID: &cell, PCI: &pci, PLMN: ptr("45008"),
	}
}

// Ensure the status document is that of the receivers' specification byte for
// byte, with a host in order and with one whose dongle is away.
func TestStatusDocument(t *testing.T) {
	t.Parallel()
	first, second := clock(22, 49, 25), clock(22, 50, 16)
	wantGolden(t, "status", tasks.StatusDocument{
		Status: "ready", Timestamp: "2025-12-13 22:56:01", LastHeartbeatAt: "2025-12-13T22:56:02.654200", ServerIP: "198.51.100.7",
		AvailableProxies: []tasks.ProxyStatus{{
			ProxyURL: tasks.ProxyURL("198.51.100.7", 16), Subnet: 16, ExternalIP: ptr("175.223.26.202"), LastToggle: tasks.LocalTime(first, seoul),
			Traffic: tasks.Traffic{Upload: 7408510801, Download: 13143595860}, Connected: true,
			ToggleStatus: tasks.NewToggleStatus(clock(22, 56, 1), time.Time{}, first, seoul),
			Signal:       plain(-105, -9, -79, -2, "0029403-030", "228"),
		}, {
			ProxyURL: tasks.ProxyURL("198.51.100.7", 17), Subnet: 17, ExternalIP: ptr("39.7.54.121"), LastToggle: tasks.LocalTime(second, seoul),
			Traffic: tasks.Traffic{Upload: 89679249784, Download: 601586495927}, Connected: true,
			ToggleStatus: tasks.NewToggleStatus(second.Add(45*time.Second), time.Time{}, second, seoul),
			Signal:       plain(-111, -11, -81, 1, "7401488", "240"),
		}},
		ProxyCount: 8,
		DongleCheck: tasks.DongleCheck{
			Expected: 8, Physical: 14, Connected: 8, DisconnectedPorts: []string{},
			HubInfo: &tasks.HubInfo{MainHub: "1-3", SubHubs: []string{"1-3.4"}, PortsPerHub: 4},
		},
	})
	wantGolden(t, "status_disconnected", tasks.StatusDocument{
		Status: "ready", Timestamp: "2025-12-13 23:00:00", ServerIP: "198.51.100.7",
		AvailableProxies: []tasks.ProxyStatus{{
			ProxyURL: tasks.ProxyURL("198.51.100.7", 11), Subnet: 11,
			ToggleStatus: tasks.NewToggleStatus(clock(23, 0, 0), time.Time{}, time.Time{}, seoul),
		}},
		ProxyCount:  8,
		DongleCheck: tasks.DongleCheck{Expected: 8, Physical: 7, Connected: 7, DisconnectedPorts: []string{"10011"}},
	})
}

// Ensure a status document and each form of a toggle's state mean the same
// after they were read: a null stays, an absent member stays absent.
func TestStatusDocument_roundTrip(t *testing.T) {
	t.Parallel()
	roundTrip[tasks.StatusDocument](t, "status")
	roundTrip[tasks.StatusDocument](t, "status_disconnected")
	for _, form := range []string{"idle", "in_progress", "recent", "timeout"} {
		roundTrip[tasks.ToggleStatus](t, "toggle_status_"+form)
	}
}

// Ensure the four forms of a toggle's state have exactly their members.
func TestNewToggleStatus_forms(t *testing.T) {
	t.Parallel()
	utc := func(hour, minute, second int) time.Time {
		return time.Date(2025, 12, 13, hour, minute, second, 0, time.UTC)
	}
	never := time.Time{}
	wantGolden(t, "toggle_status_idle", tasks.NewToggleStatus(clock(22, 56, 1), never, clock(22, 49, 25), seoul))
	wantGolden(t, "toggle_status_in_progress", tasks.NewToggleStatus(utc(22, 50, 15), utc(22, 50, 0), never, seoul))
	wantGolden(t, "toggle_status_recent", tasks.NewToggleStatus(clock(22, 51, 1), never, clock(22, 50, 16), seoul))
	wantGolden(t, "toggle_status_timeout", tasks.NewToggleStatus(utc(22, 50, 5), utc(22, 49, 0), never, seoul))
	if got, want := marshal(t, tasks.NewToggleStatus(clock(1, 0, 0), never, never, seoul)),
		`{"status":"idle","message":"Ready for toggle","last_toggle":null}`; got != want {
		t.Errorf("never toggled: got %s, want %s", got, want)
	}
}

// Ensure a toggle's state turns at sixty seconds, and that one under way hides
// the last one.
func TestNewToggleStatus_boundaries(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 12, 13, 12, 0, 0, 0, time.UTC)
	const never = -1 << 62
	for _, tt := range []struct {
		started, last time.Duration // ago
		want          string
		seconds       int
	}{
		{never, never, "idle", -1},
		{never, 0, "recent", 0},
		{never, 59999 * time.Millisecond, "recent", 59},
		{never, 60 * time.Second, "recent", 60},
		{never, 60*time.Second + time.Millisecond, "idle", -1},
		{never, time.Hour, "idle", -1},
		{0, never, "in_progress", 0},
		{999 * time.Millisecond, never, "in_progress", 0},
		{time.Second, never, "in_progress", 1},
		{60 * time.Second, never, "in_progress", 60},
		{60*time.Second + time.Millisecond, never, "timeout", 60},
		{time.Hour, never, "timeout", 3600},
		{5 * time.Second, 30 * time.Second, "in_progress", 5},
		{90 * time.Second, 30 * time.Second, "timeout", 90},
		// Clocks of two machines: never a negative time.
		{-time.Second, never, "in_progress", 0},
		{never, -time.Second, "recent", 0},
	} {
		at := func(ago time.Duration) time.Time {
			if ago == never {
				return time.Time{}
			}
			return now.Add(-ago)
		}
		s := tasks.NewToggleStatus(now, at(tt.started), at(tt.last), seoul)
		seconds := -1
		for _, n := range []*int{s.ElapsedSeconds, s.SecondsAgo} {
			if n != nil {
				seconds = *n
			}
		}
		if s.Status != tt.want || seconds != tt.seconds {
			t.Errorf("started %v ago, last %v ago: %s %d, want %s %d", tt.started, tt.last, s.Status, seconds, tt.want, tt.seconds)
		}
	}
}

// Ensure local times are those of the zone asked for, over the change of the
// day, in whole seconds, and absent where there is none.
func TestLocalTime(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Asia/Seoul")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ in, want string }{
		{"2025-12-13T13:49:25Z", "2025-12-13 22:49:25"},
		{"2025-12-13T15:00:00Z", "2025-12-14 00:00:00"},
		{"2025-12-31T14:59:59.999Z", "2025-12-31 23:59:59"},
		{"2026-07-01T09:05:07+09:00", "2026-07-01 09:05:07"},
	} {
		at, err := time.Parse(time.RFC3339, tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := tasks.LocalTime(at, zone); got == nil || *got != tt.want {
			t.Errorf("%s: got %v, want %s", tt.in, got, tt.want)
		}
	}
	if got := tasks.LocalTime(time.Time{}, zone); got != nil {
		t.Errorf("no time became %s", *got)
	}
}
