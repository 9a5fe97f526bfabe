package usb

import "slices"

// NewTree is a reading that has these devices, as one of a Bus would: for what stands
// in for a Bus.
func NewTree(devices ...Device) *Tree {
	t := &Tree{devices: slices.Clone(devices), byInterface: map[string]Path{}}
	slices.SortFunc(t.devices, func(a, b Device) int { return compare(a.Path, b.Path) })
	for _, d := range t.devices {
		for _, name := range d.Interfaces {
			t.byInterface[name] = d.Path
		}
	}
	return t
}
