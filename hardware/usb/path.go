package usb

import (
	"fmt"
	"strconv"
	"strings"
)

// Path is where a device is plugged in, as the kernel names it: "1-3.4.2" is
// port 2 of the hub in port 4 of the hub in port 3 of bus 1, and "usb1" the
// root hub of bus 1.
type Path string

// The bounds of USB: seven tiers with the root hub and the device, so five
// hubs between; a hub's descriptor has room for 255 ports.
const (
	maxTiers = 6
	maxPort  = 255
)

// Valid tells whether p could be a device's path.
func (p Path) Valid() bool {
	if bus, ok := strings.CutPrefix(string(p), "usb"); ok {
		return number(bus, 1<<16) > 0
	}
	bus, ports, ok := strings.Cut(string(p), "-")
	if !ok || number(bus, 1<<16) == 0 {
		return false
	}
	all := strings.Split(ports, ".")
	for _, port := range all {
		if number(port, maxPort) == 0 {
			return false
		}
	}
	return len(all) <= maxTiers
}

// number reads a positive decimal without sign or leading zeros; 0: it isn't one.
func number(s string, most int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most || s[0] == '0' || s[0] == '+' {
		return 0
	}
	return n
}

// Root tells whether p is a root hub.
func (p Path) Root() bool { return strings.HasPrefix(string(p), "usb") && p.Valid() }

// Hub is the hub that the device is plugged into; "" for a root hub, and where
// p isn't valid.
func (p Path) Hub() Path {
	if !p.Valid() || p.Root() {
		return ""
	}
	if dot := strings.LastIndexByte(string(p), '.'); dot >= 0 {
		return p[:dot]
	}
	bus, _, _ := strings.Cut(string(p), "-")
	return Path("usb" + bus)
}

// Port is the port of that hub; 0 for a root hub, and where p isn't valid.
func (p Path) Port() int {
	if !p.Valid() || p.Root() {
		return 0
	}
	return number(string(p[strings.LastIndexAny(string(p), "-.")+1:]), maxPort)
}

// At is the path of what is plugged into a port of hub p; "" where there can be no
// such port.
func (p Path) At(port int) Path {
	at := Path(fmt.Sprintf("%s.%d", p, port))
	if bus, ok := strings.CutPrefix(string(p), "usb"); ok {
		at = Path(fmt.Sprintf("%s-%d", bus, port))
	}
	if !p.Valid() || !at.Valid() {
		return ""
	}
	return at
}

// Below tells whether p hangs off hub, by one or more tiers.
func (p Path) Below(hub Path) bool {
	for h := p.Hub(); h != ""; h = h.Hub() {
		if h == hub {
			return true
		}
	}
	return false
}

// ID says what kind of device one is: vendor and product, "12d1:14dc".
type ID struct{ Vendor, Product uint16 }

// ParseID reads an ID as lsusb(8) writes it.
func ParseID(s string) (ID, error) {
	v, p, ok := strings.Cut(s, ":")
	vendor, vErr := strconv.ParseUint(v, 16, 16)
	product, pErr := strconv.ParseUint(p, 16, 16)
	if !ok || vErr != nil || pErr != nil || len(v) != 4 || len(p) != 4 {
		return ID{}, fmt.Errorf("%q is no USB id, which is two times four hexadecimal digits, as in 12d1:14dc", s)
	}
	return ID{Vendor: uint16(vendor), Product: uint16(product)}, nil
}

// String is what ParseID reads.
func (id ID) String() string { return fmt.Sprintf("%04x:%04x", id.Vendor, id.Product) }

// Mode is what a device is to a host of modems.
type Mode int

// The modes.
const (
	// Other is anything that isn't known as a modem: hubs, keyboards, and network
	// adapters, too.
	Other Mode = iota
	// Modem: as it is needed, a network device.
	Modem
	// Storage: a modem that shows itself as a disk with its drivers for Windows, as
	// it does when freshly powered. SwitchMode makes a Modem of it.
	Storage
)

func (m Mode) String() string {
	switch m {
	case Modem:
		return "modem"
	case Storage:
		return "storage"
	}
	return "other"
}

// Ids of the sticks that are known (Huawei's, and Brovi's, as they are named now).
var (
	modemIDs = []ID{{0x12d1, 0x14dc}, {0x12d1, 0x14db}, {0x12d1, 0x155e}, {0x12d1, 0x1566}, {0x3566, 0x2001}}
	// 1442 shows between the two modes.
	storageIDs = []ID{{0x12d1, 0x1f01}, {0x12d1, 0x1442}, {0x12d1, 0x14fe}}
)
