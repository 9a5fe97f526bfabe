package hilink

import (
	"context"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// currentPLMN is where the network is named.
const currentPLMN = "/api/net/current-plmn"

// Signal is what a modem says of its radio. Each member is nil where the modem
// says nothing, or nothing that can be read.
type Signal struct {
	RSRP *float64 // dBm
	RSRQ *float64 // dB
	RSSI *float64 // dBm
	SINR *float64 // dB, may be negative

	// Band is the band's number ("7") or what the firmware has instead
	// ("100MHz@633984(N78)").
	Band *string
	// CellID is a decimal number ("7267507"), or eNB and cell ("0029435-012").
	CellID *string
	// PCI is the physical cell, 0 included.
	PCI *string
	// PLMN is the network, MCC and MNC ("45008").
	PLMN *string
}

// Signal reads the radio. Firmware that leaves the network out of it is asked
// for that separately; where that fails PLMN is nil and there is no error.
// Wants a login on some firmware.
//
// A value beyond the modem's scale (">=-51dBm") is given as the scale's end.
// The members for 5G that some routers add are not read.
func (c *Client) Signal(ctx context.Context) (Signal, error) {
	a, err := c.call(ctx, request{op: "read signal", path: "/api/device/signal"})
	if err != nil {
		return Signal{}, err
	}
	s := signalOf(a)
	if s.PLMN == nil && s.CellID != nil {
		if n, err := c.Network(ctx); err == nil {
			s.PLMN = n.PLMN
		}
	}
	return s, nil
}

func signalOf(a answer) Signal {
	s := Signal{
		RSRP: level(a.field("rsrp")), RSRQ: level(a.field("rsrq")),
		RSSI: level(a.field("rssi")), SINR: level(a.field("sinr")),
		Band:   word(a.field("band")),
		CellID: word(a.field("cell_id")), PCI: word(a.field("pci")), PLMN: word(a.field("plmn")),
	}
	if s.Band == nil {
		s.Band = word(a.field("lte_bandinfo"))
	}
	return s
}

// levelForm is a level as firmware writes it: "-96dBm", "-8.0dB", "-71 dBm",
// ">=30dB".
var levelForm = regexp.MustCompile(`^(?:[<>]=?)?\s*([+-]?[0-9]+(?:\.[0-9]+)?)\s*(?i:dBm?)?$`)

// levelBound is beyond every level there is; firmware writes numbers like
// -32768 for "unknown".
const levelBound = 1000

// level reads a level in dBm or dB; nil where there is none.
func level(s string) *float64 {
	m := levelForm.FindStringSubmatch(plain(s))
	if m == nil {
		return nil
	}
	f, err := strconv.ParseFloat(m[1], 64)
	if err != nil || math.Abs(f) >= levelBound {
		return nil
	}
	if f == 0 {
		f = 0 // "-0.0dB" is no negative zero, which JSON would show
	}
	return &f
}

// word takes a value as it is; nil where it is empty or says that there is
// none.
func word(s string) *string {
	switch strings.ToLower(s) {
	case "", "-", "--", "n/a", "unknown", "null":
		return nil
	}
	return &s
}
