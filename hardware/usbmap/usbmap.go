package usbmap

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"switchyard/hardware/statefile"
	"switchyard/hardware/usb"
)

// ErrUnknown: it is not known where a dongle hangs.
var ErrUnknown = errors.New("it is not known where the dongle hangs on the USB")

// Options of a Map.
type Options struct {
	// File keeps what was read.
	File string
	// Configured are the paths that the configuration gives, by subnet.
	Configured map[int]usb.Path
}

// Map is where the dongles of a host hang.
type Map struct {
	opt Options

	mu   sync.Mutex
	last map[int]entry // when they were last read
	// As of the latest reading.
	tree    *usb.Tree
	now     map[int]usb.Path
	doubles map[int][]usb.Path // dongles that were seen in several places at once
	// unsaved: the file doesn't say all of last. loadErr is told by the next reading.
	unsaved bool
	loadErr error
}

// entry is what was once read of a dongle.
type entry struct {
	Path usb.Path `json:"path"`
	// ID is that of its device.
	ID string `json:"id"`
}

// document is the file.
type document struct {
	Dongles map[int]entry `json:"dongles"`
}

// Open returns the map with what its file has kept. A file that can't be read
// costs what was in it, and the next Read says so.
func Open(opt Options) *Map {
	m := &Map{opt: opt}
	m.last, m.loadErr = load(opt.File)
	return m
}

// Read takes in a reading of the USB and the network interfaces that have an
// address of a dongle's network, by subnet. An error is for a log: what could be
// used of the reading has been.
func (m *Map) Read(tree *usb.Tree, holders map[int][]string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen, of := map[int][]usb.Path{}, map[usb.Path][]int{}
	for _, n := range slices.Sorted(maps.Keys(holders)) {
		for _, name := range holders[n] {
			d, ok := tree.ByInterface(name)
			if !ok || slices.Contains(seen[n], d.Path) {
				continue
			}
			seen[n], of[d.Path] = append(seen[n], d.Path), append(of[d.Path], n)
		}
	}
	m.tree, m.now, m.doubles = tree, map[int]usb.Path{}, map[int][]usb.Path{}
	var errs []error
	for _, n := range slices.Sorted(maps.Keys(seen)) {
		switch paths := seen[n]; {
		case len(paths) > 1:
			m.doubles[n] = paths
			errs = append(errs, fmt.Errorf("the network of dongle %d is at several places of the USB: %v", n, paths))
		case len(of[paths[0]]) > 1:
			errs = append(errs, fmt.Errorf("the device at %s has the networks of several dongles: %v", paths[0], of[paths[0]]))
		default:
			d, _ := tree.Device(paths[0])
			m.learn(n, entry{Path: d.Path, ID: d.ID().String()})
			if says := m.opt.Configured[n]; says != "" && says != d.Path {
				errs = append(errs, fmt.Errorf("dongle %d hangs at %s, not at %s as host.dongles says: correct that, or plug it in there", n, d.Path, says))
			}
		}
	}
	return errors.Join(errors.Join(errs...), m.keep())
}

// learn takes in that a dongle was read at a place. Whatever else was known to
// hang there does so no more.
func (m *Map) learn(n int, e entry) {
	m.now[n] = e.Path
	if m.last[n] == e {
		return
	}
	maps.DeleteFunc(m.last, func(other int, was entry) bool { return other != n && was.Path == e.Path })
	m.last[n], m.unsaved = e, true
}

// keep writes down what is not in the file yet.
func (m *Map) keep() error {
	err := m.loadErr
	m.loadErr = nil
	if !m.unsaved {
		return err
	}
	if saveErr := statefile.Write(m.opt.File, document{Dongles: m.last}); saveErr != nil {
		return errors.Join(err, fmt.Errorf("writing down where the dongles hang: %w", saveErr)) // the next reading tries again
	}
	m.unsaved = false
	return err
}

// load reads what an earlier process has read. What can't be is left out.
func load(path string) (map[int]entry, error) {
	var doc document
	if _, err := statefile.Read(path, &doc); err != nil {
		return map[int]entry{}, fmt.Errorf("where the dongles hang is to be read from the USB anew: %w", err)
	}
	out, taken := map[int]entry{}, map[usb.Path]bool{}
	for _, n := range slices.Sorted(maps.Keys(doc.Dongles)) {
		if e := doc.Dongles[n]; e.Path.Valid() && !taken[e.Path] {
			out[n], taken[e.Path] = e, true
		}
	}
	return out, nil
}

// Place tells where a dongle hangs. Error: ErrUnknown.
func (m *Map) Place(n int) (usb.Path, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p, ok := m.places()[n]; ok {
		return p, nil
	}
	wanted, from := m.opt.Configured[n], "host.dongles says "
	if wanted == "" {
		wanted, from = m.last[n].Path, "it was last seen at "
	}
	for other, p := range m.places() {
		if p == wanted {
			return "", fmt.Errorf("%w: %s%s, but dongle %d hangs there", ErrUnknown, from, wanted, other)
		}
	}
	if paths := m.doubles[n]; len(paths) > 0 {
		return "", fmt.Errorf("%w: its network is at %v", ErrUnknown, paths)
	}
	return "", fmt.Errorf("%w: it has not been seen there yet (host.dongles[].usb can tell)", ErrUnknown)
}

// places are the certain ones: as just read, else as configured, else as once
// read, and each path once.
func (m *Map) places() map[int]usb.Path {
	out := maps.Clone(m.now)
	if out == nil {
		out = map[int]usb.Path{}
	}
	taken := map[usb.Path]bool{}
	for _, p := range out {
		taken[p] = true
	}
	add := func(n int, p usb.Path) {
		if _, known := out[n]; known || taken[p] {
			return
		}
		out[n], taken[p] = p, true
	}
	for _, n := range slices.Sorted(maps.Keys(m.opt.Configured)) {
		add(n, m.opt.Configured[n])
	}
	for _, n := range slices.Sorted(maps.Keys(m.last)) {
		if _, says := m.opt.Configured[n]; !says && m.doubles[n] == nil {
			add(n, m.last[n].Path)
		}
	}
	return out
}

// On are the dongles that hang on a hub, by port.
func (m *Map) On(hub usb.Path) map[int]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[int]int{}
	for n, p := range m.places() {
		if p.Hub() == hub {
			out[p.Port()] = n
		}
	}
	return out
}

// Is tells whether a device can be the dongle's: it is a modem by its kind, or of
// the maker whose stick was read there.
func (m *Map) Is(n int, d usb.Device) bool {
	if d.IsHub() {
		return false
	}
	if d.Mode != usb.Other {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	id, err := usb.ParseID(m.last[n].ID)
	return err == nil && id.Vendor == d.Vendor
}
