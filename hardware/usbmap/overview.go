package usbmap

import (
	"cmp"
	"maps"
	"slices"

	"switchyard/hardware/usb"
	"switchyard/tasks"
)

// Physical is the number of dongles on the USB, in whatever mode; false where the
// USB has not been read.
func (m *Map) Physical() (int, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tree == nil {
		return 0, false
	}
	return len(m.present()), true
}

// present are the paths of the dongles that are plugged in: those that are modems
// by their kind, and those that have the network of one.
func (m *Map) present() map[usb.Path]bool {
	out := map[usb.Path]bool{}
	for _, d := range m.tree.Modems() {
		out[d.Path] = true
	}
	for _, p := range m.now {
		out[p] = true
	}
	return out
}

// Storage are the dongles that show themselves as disks, by path: they are
// there, and of no use as they are.
func (m *Map) Storage() []usb.Path {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tree == nil {
		return nil
	}
	var out []usb.Path
	for _, d := range m.tree.Modems() {
		if d.Mode == usb.Storage {
			out = append(out, d.Path)
		}
	}
	return out
}

// Place is where a dongle hangs, as a host tells of it.
type Place struct {
	Path usb.Path
	// Plugged tells whether something is plugged in there, and Mode what.
	Plugged bool
	Mode    usb.Mode
}

// Places are those that are known, by subnet.
func (m *Map) Places() map[int]Place {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[int]Place{}
	for n, path := range m.places() {
		p := Place{Path: path}
		if m.tree != nil {
			var d usb.Device
			d, p.Plugged = m.tree.Device(path)
			p.Mode = d.Mode
		}
		if m.now[n] == path {
			p.Mode = usb.Modem // whatever its ids say
		}
		out[n] = p
	}
	return out
}

// Hubs tells how the dongles hang on the host's hubs; nil where nothing is known.
// The main hub is the one that all others with dongles hang below; where there is
// none, the one with the most dongles.
func (m *Map) Hubs() *tasks.HubInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tree == nil {
		return nil
	}
	dongles := m.present()
	for _, p := range m.places() {
		dongles[p] = true
	}
	count := map[usb.Path]int{}
	for p := range dongles {
		count[p.Hub()]++
	}
	if len(count) == 0 {
		return nil
	}
	hubs := slices.SortedFunc(maps.Keys(count), func(a, b usb.Path) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	main := hubs[0]
	for h := main; h != "" && !h.Root(); h = h.Hub() {
		if above(h, hubs) {
			main = h
			break
		}
	}
	info := &tasks.HubInfo{MainHub: string(main), SubHubs: []string{}}
	slices.Sort(hubs)
	for _, h := range hubs {
		if h != main {
			info.SubHubs = append(info.SubHubs, string(h))
		}
	}
	for _, h := range append(hubs, main) {
		if d, ok := m.tree.Device(h); ok {
			info.PortsPerHub = max(info.PortsPerHub, d.Ports)
		}
	}
	return info
}

// above tells whether each of hubs is h or hangs below it.
func above(h usb.Path, hubs []usb.Path) bool {
	return !slices.ContainsFunc(hubs, func(other usb.Path) bool { return other != h && !other.Below(h) })
}
