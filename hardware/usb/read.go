package usb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Classes of devices and interfaces.
const (
	classHub         = 0x09
	classCDC         = 0x02
	classStorage     = 0x08
	classWireless    = 0xe0 // RNDIS, as most write it
	classMisc        = 0xef // RNDIS, as some write it
	subclassECM      = 0x06
	subclassNCM      = 0x0d
	subclassMBIM     = 0x0e
	subclassRNDIS    = 0x01
	subclassMiscNDIS = 0x04
	subclassACM      = 0x02 // RNDIS too, where the protocol is its own
	protocolOwn      = 0xff
)

// Tree reads what is plugged in. Devices that come or go meanwhile are in it or not.
// It is quick also when a device is stuck, whose names are then missing.
// Errors: errors.ErrUnsupported where there is no USB.
func (b *Bus) Tree() (*Tree, error) {
	entries, err := os.ReadDir(b.devices())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("this system has no USB (%s is missing; is sysfs mounted?): %w", b.devices(), errors.ErrUnsupported)
	}
	if err != nil {
		return nil, told("listing USB devices", err)
	}
	r := reading{b: b, interfaces: map[Path][]string{}, tree: &Tree{byInterface: map[string]Path{}}}
	for _, e := range entries {
		if p, ok := interfaceOf(e.Name()); ok {
			r.interfaces[p] = append(r.interfaces[p], e.Name())
		}
	}
	nets := r.networkInterfaces()
	for _, e := range entries {
		if p := Path(e.Name()); p.Valid() {
			if d, ok := r.device(p); ok {
				d.Interfaces = nets[p]
				r.tree.devices = append(r.tree.devices, d)
			}
		}
	}
	slices.SortFunc(r.tree.devices, func(a, b Device) int { return compare(a.Path, b.Path) })
	b.names.fill(&b.calls, b.devices(), r.tree.devices)
	return r.tree, nil
}

// reading is one of the tree.
type reading struct {
	b          *Bus
	tree       *Tree
	interfaces map[Path][]string // the folders of each device's
}

// networkInterfaces finds the device of each network interface, by the kernel's link.
func (r *reading) networkInterfaces() map[Path][]string {
	folder := filepath.Join(r.b.opts.Sysfs, "class", "net")
	entries, err := os.ReadDir(folder)
	r.fault(err)
	out := map[Path][]string{}
	for _, e := range entries {
		device, err := filepath.EvalSymlinks(filepath.Join(folder, e.Name(), "device"))
		if err != nil {
			r.fault(err) // one without hardware has none
			continue
		}
		if p, _ := pathOf(device); p != "" {
			r.tree.byInterface[e.Name()] = p
			out[p] = append(out[p], e.Name())
		}
	}
	return out
}

// fault keeps an error for the log, unless it means that what was read isn't there.
func (r *reading) fault(err error) {
	if err != nil && !absent(err) {
		r.tree.Faults = append(r.tree.Faults, err)
	}
}

// device reads one; false: it has gone meanwhile.
func (r *reading) device(p Path) (Device, bool) {
	folder := r.b.devices(string(p))
	d := Device{Path: p, Authorized: true}
	vendor, err := r.number(folder, "idVendor", 16, 16)
	if absent(err) {
		return Device{}, false
	}
	product, err := r.number(folder, "idProduct", 16, 16)
	if absent(err) {
		return Device{}, false
	}
	class, _ := r.number(folder, "bDeviceClass", 16, 8)
	d.Vendor, d.Product, d.Class = uint16(vendor), uint16(product), uint8(class)
	d.Bus, _ = r.number(folder, "busnum", 10, 16)
	d.Number, _ = r.number(folder, "devnum", 10, 16)
	d.Ports, _ = r.number(folder, "maxchild", 10, 8)
	if n, err := r.number(folder, "authorized", 10, 8); err == nil {
		d.Authorized = n != 0
	}
	d.Version = uint16(r.parsed(folder, "version", parseVersion))
	text, err := readAttribute(filepath.Join(folder, "speed"))
	if err == nil {
		d.Speed, err = parseSpeed(text)
	}
	r.about(folder, "speed", err)
	if driver, err := os.Readlink(filepath.Join(folder, "driver")); err == nil {
		d.Driver = filepath.Base(driver)
	} else {
		r.fault(err)
	}
	d.Mode, d.Ethernet = r.mode(d.ID(), r.interfaces[p])
	if d.IsHub() {
		d.Twin = r.b.twin(r.interfaces[p])
	}
	return d, true
}

// number reads an attribute; what is there and no number is a fault.
func (r *reading) number(folder, name string, base, bits int) (int, error) {
	text, err := readAttribute(filepath.Join(folder, name))
	if err != nil {
		r.fault(err)
		return 0, err
	}
	n, err := parseNumber(text, base, bits)
	r.about(folder, name, err)
	return n, err
}

func (r *reading) parsed(folder, name string, parse func(string) (int, error)) int {
	text, err := readAttribute(filepath.Join(folder, name))
	if err != nil {
		r.fault(err)
		return 0
	}
	n, err := parse(text)
	r.about(folder, name, err)
	return n
}

// about keeps a fault in what an attribute says.
func (r *reading) about(folder, name string, err error) {
	if err != nil {
		r.fault(fmt.Errorf("%s: %w", filepath.Join(folder, name), err))
	}
}

// mode tells what a device is. A stick of Brovi's keeps its ID in both modes, so where
// there are interfaces they decide.
func (r *reading) mode(id ID, folders []string) (m Mode, ethernet bool) {
	storage := len(folders) > 0
	for _, name := range folders {
		folder := r.b.devices(name)
		class, err := r.number(folder, "bInterfaceClass", 16, 8)
		if err != nil {
			storage = false
			continue
		}
		subclass, _ := r.number(folder, "bInterfaceSubClass", 16, 8)
		protocol, _ := r.number(folder, "bInterfaceProtocol", 16, 8)
		storage = storage && class == classStorage
		ethernet = ethernet || isEthernet(class, subclass, protocol)
	}
	switch {
	case slices.Contains(storageIDs, id), slices.Contains(r.b.opts.Storages, id):
		return Storage, ethernet
	case slices.Contains(modemIDs, id), slices.Contains(r.b.opts.Modems, id):
		if storage {
			return Storage, ethernet
		}
		return Modem, ethernet
	}
	return Other, ethernet
}

func isEthernet(class, subclass, protocol int) bool {
	switch class {
	case classCDC:
		return subclass == subclassECM || subclass == subclassNCM || subclass == subclassMBIM ||
			subclass == subclassACM && protocol == protocolOwn
	case classWireless:
		return subclass == subclassRNDIS && protocol == 0x03
	case classMisc:
		return subclass == subclassMiscNDIS && protocol == 0x01
	}
	return false
}

// names are what the devices call themselves. The kernel reads them out only while it
// holds the device, so a stuck one would keep the whole tree from being read: each
// device's are read aside, and once.
type names struct {
	limit time.Duration // nameLimit

	mu    sync.Mutex
	known map[address]*named
}

// address is a device as it is plugged in now.
type address struct {
	path   Path
	number int
}

type named struct {
	name, maker string
	done        chan struct{}
}

// nameLimit is how long a tree waits for names.
const nameLimit = 200 * time.Millisecond

// fill writes names into the devices, as far as they are known in time.
func (n *names) fill(s *calls, folder string, devices []Device) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := make(map[address]*named, len(devices))
	for _, d := range devices {
		a := address{d.Path, d.Number}
		now[a] = n.known[a]
		if now[a] != nil {
			continue
		}
		read := &named{done: make(chan struct{})}
		if s.spawn(func() {
			defer close(read.done)
			read.name, read.maker = label(folder, d.Path, "product"), label(folder, d.Path, "manufacturer")
		}) {
			now[a] = read
		} else {
			delete(now, a)
		}
	}
	n.known = now
	timer := time.NewTimer(n.limit)
	defer timer.Stop()
	late := false
	for i := range devices {
		read := now[address{devices[i].Path, devices[i].Number}]
		if read == nil {
			continue
		}
		if !late {
			select {
			case <-read.done:
			case <-timer.C:
				late = true
			}
		}
		select {
		case <-read.done:
			devices[i].Name, devices[i].Maker = read.name, read.maker
		default:
		}
	}
}

// label is a name, or nothing: many devices have none.
func label(folder string, p Path, attribute string) string {
	text, err := readAttribute(filepath.Join(folder, string(p), attribute))
	if err != nil {
		return ""
	}
	return clean(text)
}
