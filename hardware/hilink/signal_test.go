package hilink

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Ensure every recorded radio answer is read to the letter.
func TestSignalOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Signal{
		"e8372h320_kr.xml": {
			RSRP: new(-96.0), RSRQ: new(-8.0), RSSI: new(-73.0), SINR: new(5.0),
			Band: new("7"), CellID: new("7267507"), PCI: new("144"), PLMN: new("45005"),
		},
		"saturated_no_band_plmn.xml": {
			RSRP: new(-76.0), RSRQ: new(-8.0), RSSI: new(-51.0), SINR: new(1.0),
			CellID: new("136003329"), PCI: new("144"),
		},
		"pl_neighbours.xml": {
			RSRP: new(-86.0), RSRQ: new(-14.0), RSSI: new(-61.0), SINR: new(10.0),
			Band: new("7"), CellID: new("44294436"), PCI: new("43"), PLMN: new("26003"),
		},
		"b525_pci0.xml": {
			RSRP: new(-105.0), RSRQ: new(-9.0), RSSI: new(-79.0), SINR: new(6.0),
			Band: new("7"), CellID: new("3313439"), PCI: new("0"), PLMN: new("26001"),
		},
		"no_sim_all_empty.xml": {},
		"e8372h153_lte_bandinfo.xml": {
			RSRP: new(-87.0), RSRQ: new(-13.0), RSSI: new(-53.0), SINR: new(-1.0),
			Band: new("7"), CellID: new("2588959"), PCI: new("96"),
		},
		"au_crlf.xml": {
			RSRP: new(-105.0), RSRQ: new(-14.0), RSSI: new(-71.0), SINR: new(-7.0),
			Band: new("1"), CellID: new("21890627"), PCI: new("266"), PLMN: new("50502"),
		},
		"cpe_5g.xml": {
			Band: new("100MHz@633984(N78)"), CellID: new("0000000759672080"), PCI: new("360"), PLMN: new("46011"),
		},
	} {
		if diff := cmp.Diff(want, signalOf(parsed(t, "signal/"+name))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// rows reads a table of testdata: tab-separated, "#" starts a comment.
func rows(t testing.TB, name string) [][]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimRight(line, "\n"); !strings.HasPrefix(line, "#") {
			out = append(out, strings.Split(line, "\t"))
		}
	}
	return out
}

// Ensure every form of a level that was seen on a modem is read.
func TestLevel_seen(t *testing.T) {
	t.Parallel()
	for _, row := range rows(t, "signal/levels.tsv") {
		var want *float64
		if row[1] != "" {
			f, err := strconv.ParseFloat(row[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			want = &f
		}
		if diff := cmp.Diff(want, level(row[0])); diff != "" {
			t.Errorf("%q (-want +got):\n%s", row[0], diff)
		}
	}
}

// Ensure what isn't a level is none, and never zero.
func TestLevel(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]*float64{
		"0dB": new(0.0), "-0.0dB": new(0.0), "-5": new(-5.0), "+3 dB": new(3.0), "> -20dBm": new(-20.0),
		"\t-96dBm\r\n": new(-96.0), "<=-120DBM": new(-120.0), "&amp;gt;=30dB": nil, // encoded three times: nobody does
		"": nil, "dBm": nil, "--": nil, ">=": nil, "-": nil, "1.2.3dB": nil, "5dBx": nil, "5MHz": nil, "=5dB": nil,
		"-32768dBm": nil, "1e3dB": nil, "NaN": nil, "Inf": nil, "0x10": nil, "-96 -97dBm": nil, "PPusch:7dBm": nil,
	} {
		if diff := cmp.Diff(want, level(raw)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", raw, diff)
		}
	}
}

// Ensure cells are passed on as they come, and an empty one as none.
func TestWord(t *testing.T) {
	t.Parallel()
	for _, row := range rows(t, "signal/cell_ids.tsv") {
		got := word(row[0])
		if (got == nil) != (row[0] == "") || got != nil && *got != row[0] {
			t.Errorf("%q became %v", row[0], got)
		}
	}
	for _, none := range []string{"", "-", "--", "N/A", "n/a", "unknown", "null"} {
		if got := word(none); got != nil {
			t.Errorf("%q became %q, want none", none, *got)
		}
	}
}
