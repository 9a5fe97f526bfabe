package hilink

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// readings are a modem's radio levels and counters. Levels wander about a place
// of the modem's own; counters grow while it is attached. Guarded by Modem.mu.
type readings struct {
	random *rand.Rand
	on     time.Time // when the modem was powered

	homeRSRP, homeSINR float64 // what the levels are drawn to
	rsrp, rsrq, sinr   float64

	attached  bool
	since     time.Time // when the last attachment began
	counted   time.Time // up to when traffic is in the counters
	up, down  uint64    // bytes, in all
	connected time.Duration
	atSince   struct{ up, down uint64 } // the counters when it attached
	upRate    uint64                    // bytes a second, as last counted
	downRate  uint64
}

func newReadings(random *rand.Rand, now time.Time) *readings {
	recorded := recordedTraffic
	place := random.Float64()*20 - 10 // dB better or worse than recorded
	r := &readings{
		random: random, on: now, counted: now,
		homeRSRP: -96 + place, homeSINR: 7 + place/2,
		rsrq: -8,
		up:   uint64(recorded.number("TotalUpload")), down: uint64(recorded.number("TotalDownload")),
		connected: time.Duration(recorded.number("TotalConnectTime")) * time.Second,
	}
	r.rsrp, r.sinr = r.homeRSRP, r.homeSINR
	return r
}

// wander moves a level by at most step, back towards home when it is away.
func (r *readings) wander(level, home, step float64) float64 {
	level += (home-level)/4 + (r.random.Float64()*2-1)*step
	return math.Max(home-3*step, math.Min(home+3*step, level))
}

// unheard are the elements of device/signal that say nothing without a cell.
var unheard = []string{
	"pci", "cell_id", "rsrq", "rsrp", "rssi", "sinr", "ulbandwidth", "dlbandwidth",
	"txpower", "ul_mcs", "dl_mcs", "earfcn", "tac", "band", "nei_cellid", "plmn",
	"lteulfreq", "ltedlfreq", "transmode", "enodeb_id", "cqi0", "cqi1", "ulfrequency", "dlfrequency",
	"lte_bandinfo", "lte_bandwidth",
}

// signal is device/signal, as recorded from some firmware, with levels of this
// moment. A modem without a cell says nothing.
func (r *readings) signal(recorded document, cell bool) document {
	if !cell {
		var nothing document
		for _, e := range recorded {
			if slices.Contains(unheard, e.name) {
				e.value = ""
			}
			nothing = append(nothing, e)
		}
		return nothing
	}
	r.rsrp = r.wander(r.rsrp, r.homeRSRP, 1.5)
	r.rsrq = r.wander(r.rsrq, -8.5, 0.8)
	r.sinr = r.wander(r.sinr, r.homeSINR, 1.5)
	return recorded.with(
		element{"rsrp", fmt.Sprintf("%.0fdBm", r.rsrp)},
		element{"rsrq", fmt.Sprintf("%.1fdB", math.Round(r.rsrq*2)/2)},
		// Over the 50 blocks of a 10 MHz carrier RSSI follows from both, but for
		// the 2 dB by which the recording differs.
		element{"rssi", fmt.Sprintf("%.0fdBm", r.rsrp-r.rsrq+10*math.Log10(50)-2)},
		element{"sinr", fmt.Sprintf("%.0fdB", r.sinr)},
	)
}

// icon is the number of bars.
func (r *readings) icon() int {
	return max(1, min(5, int(r.homeRSRP+125)/7))
}

// connection is told when the modem attached or detached.
func (r *readings) connection(now time.Time, attached bool) {
	r.count(now)
	r.attached = attached
	if attached {
		r.since = now
		r.atSince.up, r.atSince.down = r.up, r.down
	}
}

// count adds the traffic since it was counted last.
func (r *readings) count(now time.Time) {
	passed := now.Sub(r.counted)
	r.counted = now
	if !r.attached || passed <= 0 {
		r.upRate, r.downRate = 0, 0
		return
	}
	r.upRate, r.downRate = 500+r.random.Uint64N(20_000), 2_000+r.random.Uint64N(120_000)
	r.up += 1 + uint64(float64(r.upRate)*passed.Seconds())
	r.down += 1 + uint64(float64(r.downRate)*passed.Seconds())
	r.connected += passed
}

// traffic is monitoring/traffic-statistics at this moment.
func (r *readings) traffic(now time.Time) document {
	r.count(now)
	var current time.Duration
	var up, down uint64
	if r.attached {
		current, up, down = now.Sub(r.since), r.up-r.atSince.up, r.down-r.atSince.down
	}
	return recordedTraffic.with(
		element{"CurrentConnectTime", seconds(current)},
		element{"CurrentUpload", strconv.FormatUint(up, 10)},
		element{"CurrentDownload", strconv.FormatUint(down, 10)},
		element{"CurrentUploadRate", strconv.FormatUint(r.upRate, 10)},
		element{"CurrentDownloadRate", strconv.FormatUint(r.downRate, 10)},
		element{"TotalUpload", strconv.FormatUint(r.up, 10)},
		element{"TotalDownload", strconv.FormatUint(r.down, 10)},
		element{"TotalConnectTime", seconds(r.connected)},
	)
}

// seconds is a duration as the API writes it.
func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
