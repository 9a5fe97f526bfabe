package usb

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// port is one of a hub.
type port struct {
	hub    Device
	number int
	// folder is the kernel's for it; "": it has none.
	folder string
}

func (p port) String() string { return fmt.Sprintf("port %d of hub %s", p.number, p.hub.Path) }

// at is the path of what is plugged in.
func (p port) at() Path { return p.hub.Path.At(p.number) }

// superSpeed: the hub is the half of USB 3.
func (p port) superSpeed() bool { return p.hub.Version >= 0x0300 }

// ports finds a port and its twin: those that have to be switched together. The first
// is the one that was asked for.
func (b *Bus) ports(tree *Tree, hub Path, number int) ([]port, error) {
	first, err := b.port(tree, hub, number)
	if err != nil {
		return nil, err
	}
	twinHub, twinPort, ok := peer(first.folder)
	if !ok {
		return []port{first}, nil
	}
	twin, err := b.port(tree, twinHub, twinPort)
	if err != nil {
		return nil, fmt.Errorf("the twin of %s: %w", first, err)
	}
	return []port{first, twin}, nil
}

func (b *Bus) port(tree *Tree, hub Path, number int) (port, error) {
	d, ok := tree.Device(hub)
	switch {
	case !ok:
		return port{}, fmt.Errorf("hub %s: %w", hub, ErrGone)
	case !d.IsHub():
		return port{}, fmt.Errorf("%s is no hub: %w", hub, ErrGone)
	case number < 1 || number > d.Ports:
		return port{}, fmt.Errorf("hub %s has ports 1 to %d, not %d: %w", hub, d.Ports, number, ErrGone)
	}
	entries, err := os.ReadDir(b.devices())
	if err != nil {
		return port{}, told("listing USB devices", err)
	}
	var interfaces []string
	for _, e := range entries {
		if of, ok := interfaceOf(e.Name()); ok && of == hub {
			interfaces = append(interfaces, e.Name())
		}
	}
	return port{hub: d, number: number, folder: b.portFolder(hub, interfaces, number)}, nil
}

// portFolder is the kernel's for a port, below one of the hub's interfaces.
func (b *Bus) portFolder(hub Path, interfaces []string, number int) string {
	for _, name := range interfaces {
		folder := b.devices(name, fmt.Sprintf("%s-port%d", hub, number))
		if _, err := os.Stat(folder); err == nil {
			return folder
		}
	}
	return ""
}

// peer is the port that shares its socket with another, in the other half of the hub.
func peer(folder string) (hub Path, port int, ok bool) {
	if folder == "" {
		return "", 0, false
	}
	link, err := os.Readlink(filepath.Join(folder, "peer"))
	if err != nil {
		return "", 0, false
	}
	return portOf(filepath.Base(link))
}

// twin is the other half of the hub that has these interfaces, by the first port with a peer.
func (b *Bus) twin(interfaces []string) Path {
	for _, name := range interfaces {
		entries, err := os.ReadDir(b.devices(name))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if !strings.Contains(e.Name(), "-port") {
				continue
			}
			if twin, _, ok := peer(b.devices(name, e.Name())); ok {
				return twin
			}
		}
	}
	return ""
}

// refusal says why ports that belong together are not switched off; nil: nothing
// speaks against it but what the hub itself may say.
func (b *Bus) refusal(tree *Tree, ports []port) error {
	first := ports[0]
	refuse := func(format string, args ...any) error {
		return &RefusedError{Hub: first.hub.Path, Port: first.number, Reason: fmt.Sprintf(format, args...)}
	}
	for _, p := range ports {
		if d, ok := tree.Device(p.at()); ok && (d.IsHub() || d.Ports > 0) {
			return refuse("it feeds hub %s, and everything behind it would lose power; switch that hub's own ports", d.Path)
		}
		for _, hub := range b.opts.Allow {
			if hub == p.at() || hub.Below(p.at()) {
				return refuse("it feeds hub %s, which is one of those whose own ports may be switched", hub)
			}
		}
	}
	switch allowed := b.allowed(ports); {
	case len(b.opts.Allow) == 0 && first.hub.Path.Root():
		return refuse("root hubs often don't come back until a restart, so they have to be allowed by name: use an external hub, or add %s to the hubs allowed", first.hub.Path)
	case len(b.opts.Allow) > 0 && !allowed:
		return refuse("only ports of %s may be switched off; add %s to the hubs allowed if it may be", list(b.opts.Allow), first.hub.Path)
	}
	return nil
}

// allowed tells whether the hub of a port or of its twin is allowed by name.
func (b *Bus) allowed(ports []port) bool {
	return slices.ContainsFunc(ports, func(p port) bool { return slices.Contains(b.opts.Allow, p.hub.Path) })
}
