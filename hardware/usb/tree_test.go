package usb

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Ensure the whole tree is read as it is, also where devices are alike to the letter.
func TestTree(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{}, rig()...)
	golden(t, "rig", m.tree().String())
}

// Ensure devices are found by interface, mode and kind, and none that isn't there.
func TestTree_find(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{}, rig()...)
	tree := m.tree()
	for name, want := range map[string]Path{"eth1": "1-3.2", "eth2": "1-3.1", "eth3": "1-3.4.2", "eth4": "1-3.4.1", "eno1": "", "lo": "", "eth9": "", "": ""} {
		if d, ok := tree.ByInterface(name); d.Path != want || ok != (want != "") {
			t.Errorf("interface %q is %q, %t, want %q", name, d.Path, ok, want)
		}
	}
	paths := func(all []Device) (out []Path) {
		for _, d := range all {
			out = append(out, d.Path)
		}
		return out
	}
	if diff := cmp.Diff([]Path{"1-3.1", "1-3.2", "1-3.4.1", "1-3.4.2", "1-3.4.3"}, paths(tree.Modems())); diff != "" {
		t.Errorf("modems (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Path{"usb1", "1-3", "1-3.4", "usb2", "2-3", "2-3.4"}, paths(tree.Hubs())); diff != "" {
		t.Errorf("hubs (-want +got):\n%s", diff)
	}
	if len(tree.All()) != len(rig()) {
		t.Errorf("there are %d devices, want %d", len(tree.All()), len(rig()))
	}
	if d, ok := tree.Device("1-3.3"); ok {
		t.Errorf("there is %v", d)
	}
	tree.Modems()[0].Interfaces[0] = "changed"
	if d, _ := tree.ByInterface("eth2"); d.Interfaces[0] != "eth2" {
		t.Error("a caller can change the tree")
	}
}

// Ensure what a device is goes by its ids, those of the configuration too, and by its
// interfaces where the ids leave it open.
func TestTree_modes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		id         string
		interfaces []string
		want       Mode
		ethernet   bool
	}{
		"modem":                    {"12d1:14dc", []string{"02/06/00", "0a/06/00"}, Modem, true},
		"modem with a card reader": {"12d1:14dc", []string{"02/06/00", "0a/06/00", "08/06/50"}, Modem, true},
		"modem as a disk":          {"12d1:14dc", []string{"08/06/50"}, Storage, false},
		"modem without interfaces": {"12d1:14dc", nil, Modem, false},
		"fresh from the box":       {"12d1:1f01", []string{"08/06/50"}, Storage, false},
		"between the modes":        {"12d1:1442", []string{"08/06/50", "08/06/50"}, Storage, false},
		"fresh without interfaces": {"12d1:1f01", nil, Storage, false},
		"Brovi as a modem":         {"3566:2001", []string{"e0/01/03", "0a/00/00"}, Modem, true},
		"Brovi as a disk":          {"3566:2001", []string{"08/06/50"}, Storage, false},
		"added modem":              {"0525:a4a2", []string{"02/02/ff", "0a/00/00"}, Modem, true},
		"added storage":            {"19d2:1225", []string{"08/06/50"}, Storage, false},
		"unknown RNDIS":            {"1bbb:0195", []string{"ef/04/01", "0a/00/00"}, Other, true},
		"unknown NCM":              {"0bda:8156", []string{"02/0d/00", "0a/00/01"}, Other, true},
		"memory stick":             {"0781:5567", []string{"08/06/50"}, Other, false},
		"telephone's modem":        {"1bbb:0196", []string{"02/02/01", "0a/00/00"}, Other, false},
		"camera":                   {"046d:0825", []string{"0e/01/00", "ef/02/01"}, Other, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := Options{Modems: []ID{{0x0525, 0xa4a2}}, Storages: []ID{{0x19d2, 0x1225}}}
			m := boot(t, opts, rootHub(1), gadget{path: "1-1", id: tt.id, interfaces: tt.interfaces})
			d, ok := m.tree().Device("1-1")
			if !ok || d.Mode != tt.want || d.Ethernet != tt.ethernet || d.ID().String() != tt.id {
				t.Errorf("is %v, want %v, ethernet %t", d, tt.want, tt.ethernet)
			}
		})
	}
}

// Ensure a device in any state of vanishing spoils nothing: neither the tree, nor does
// it bring a fault.
func TestTree_vanishing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		gone  string // below the device, or the device's link for ""
		there bool
	}{
		"dangling link":     {"", false},
		"no vendor":         {"idVendor", false},
		"no product":        {"idProduct", false},
		"no class":          {"bDeviceClass", true},
		"no number":         {"devnum", true},
		"no speed":          {"speed", true},
		"no authorized":     {"authorized", true},
		"no names":          {"product", true},
		"no interfaces":     {"1-3.2:1.0", true},
		"no class of one":   {"1-3.2:1.0/bInterfaceClass", true},
		"no driver":         {"driver", true},
		"dangling net link": {"1-3.2:1.0/net/eth1", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := boot(t, Options{}, small()...)
			m.must(os.RemoveAll(m.path(m.where("1-3.2") + "/" + tt.gone)))
			tree := m.tree()
			if d, there := tree.Device("1-3.2"); there != tt.there {
				t.Errorf("there is %v, %t", d, there)
			}
			if len(tree.Hubs()) != 2 {
				t.Errorf("of the others there are\n%s", tree)
			}
		})
	}
}

// Ensure garbage in a file makes a fault that names the file, and the device unknown in
// this alone; and that what a device calls itself can't break a line.
func TestTree_garbage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file, text string
		want       string // of the device; a fault where fault is set
		fault      bool
	}{
		{"idVendor", "xyz", `1-3.2 0000:14dc 480M ethernet eth1 "HUAWEI_MOBILE HUAWEI_MOBILE"`, true},
		{"idVendor", "112d1", `1-3.2 0000:14dc 480M ethernet eth1 "HUAWEI_MOBILE HUAWEI_MOBILE"`, true},
		{"idProduct", "", `1-3.2 12d1:0000 480M ethernet eth1 "HUAWEI_MOBILE HUAWEI_MOBILE"`, true},
		{"speed", "fast\nvery", `1-3.2 12d1:14dc modem eth1 "HUAWEI_MOBILE HUAWEI_MOBILE"`, true},
		{"speed", "unknown", `1-3.2 12d1:14dc modem eth1 "HUAWEI_MOBILE HUAWEI_MOBILE"`, false},
		{"speed", "1.5", `1-3.2 12d1:14dc 1.5M modem eth1 "HUAWEI_MOBILE HUAWEI_MOBILE"`, false},
		{"authorized", "perhaps", `1-3.2 12d1:14dc 480M modem eth1 "HUAWEI_MOBILE HUAWEI_MOBILE"`, true},
		{"version", "two", `1-3.2 12d1:14dc 480M modem eth1 "HUAWEI_MOBILE HUAWEI_MOBILE"`, true},
		{"devnum", "-1", `1-3.2 12d1:14dc 480M modem eth1 "HUAWEI_MOBILE HUAWEI_MOBILE"`, true},
		{"product", "a\nb\x1b[31m\xff\u202ec", `1-3.2 12d1:14dc 480M modem eth1 "HUAWEI_MOBILE ab[31mc"`, false},
		{"manufacturer", strings.Repeat("ü", 3000), `1-3.2 12d1:14dc 480M modem eth1 "` + strings.Repeat("ü", 64) + ` HUAWEI_MOBILE"`, false},
	} {
		t.Run(tt.file+" "+tt.text[:min(len(tt.text), 8)], func(t *testing.T) {
			t.Parallel()
			m := boot(t, Options{}, small()...)
			m.file(m.where("1-3.2")+"/"+tt.file, tt.text)
			tree, err := m.bus.Tree()
			m.must(err)
			if d, _ := tree.Device("1-3.2"); d.String() != tt.want {
				t.Errorf("is %v\nwant %v", d, tt.want)
			}
			if got := errors.Join(tree.Faults...); (got != nil) != tt.fault || tt.fault && (len(tree.Faults) != 1 || !strings.Contains(got.Error(), "1-3.2/"+tt.file)) {
				t.Errorf("faults: %v", got)
			}
		})
	}
}

// Ensure a host without USB says so.
func TestTree_noUSB(t *testing.T) {
	t.Parallel()
	b := New(Options{Sysfs: t.TempDir()})
	defer b.Close()
	_, treeErr := b.Tree()
	_, switchErr := b.Switchable(t.Context(), "1-3")
	_, poweredErr := b.Powered(t.Context(), "1-3", 1)
	for _, err := range []error{treeErr, switchErr, poweredErr, b.Rebind(t.Context(), "1-3.1"), b.SetPower(t.Context(), "1-3", 1, true), b.SwitchMode(t.Context(), "1-3.1")} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("returned %v", err)
		}
	}
}

// Ensure paths are taken apart as the kernel puts them together, and what can be none is
// none.
func TestPath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		p     Path
		valid bool
		hub   Path
		port  int
	}{
		{"usb1", true, "", 0},
		{"usb12", true, "", 0},
		{"1-3", true, "usb1", 3},
		{"12-3", true, "usb12", 3},
		{"1-3.4.2", true, "1-3.4", 2},
		{"1-3.15", true, "1-3", 15},
		{"1-1.2.3.4.5.6", true, "1-1.2.3.4.5", 6},
		{"1-1.2.3.4.5.6.7", false, "", 0},
		{"", false, "", 0}, {"usb", false, "", 0}, {"usb0", false, "", 0}, {"usb1-2", false, "", 0}, {"1", false, "", 0},
		{"1-", false, "", 0}, {"1-0", false, "", 0}, {"0-1", false, "", 0}, {"1-03", false, "", 0}, {"1-+3", false, "", 0},
		{"1-3.", false, "", 0}, {"1-3..2", false, "", 0}, {"1-3.256", false, "", 0}, {"1-3:1.0", false, "", 0}, {"../1-3", false, "", 0},
		{"1-3/..", false, "", 0}, {"1-3\n", false, "", 0},
	} {
		if tt.p.Valid() != tt.valid || tt.p.Hub() != tt.hub || tt.p.Port() != tt.port {
			t.Errorf("%q: valid %t, hub %q, port %d", tt.p, tt.p.Valid(), tt.p.Hub(), tt.p.Port())
		}
		if tt.hub != "" && tt.hub.At(tt.port) != tt.p {
			t.Errorf("port %d of %s is %q, want %q", tt.port, tt.hub, tt.hub.At(tt.port), tt.p)
		}
	}
	if !Path("1-3.4.2").Below("1-3") || !Path("1-3.4.2").Below("usb1") || Path("1-3").Below("1-3") || Path("1-30").Below("1-3") {
		t.Error("what hangs off what is wrong")
	}
	if at := Path("1-3").At(0); at != "" {
		t.Errorf("port 0 is %q", at)
	}
}

// Ensure ids are read as they are written, and nothing else is one.
func TestParseID(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"12d1:14dc": "12d1:14dc", "12D1:14DC": "12d1:14dc", "12d1": "", "12d1:": "", "12d1:14dcx": "", "12d1:014dc": "", ":": "", "0x12:14dc": "", "+123:14dc": ""} {
		id, err := ParseID(in)
		if (err == nil) != (want != "") || want != "" && id.String() != want {
			t.Errorf("%q is %v, %v", in, id, err)
		}
	}
}
