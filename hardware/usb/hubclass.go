package usb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// transfers are control transfers to devices: by usbfs, or by libusb. An error may be a
// syscall.Errno or one of this package.
type transfers interface {
	// control does one; data is what is read.
	control(to node, r request, data []byte) (int, error)
	close() error
}

// node is a device's address for now.
type node struct{ bus, number int }

func nodeOf(hub Device) node { return node{hub.Bus, hub.Number} }

// request is what a control transfer asks for.
type request struct {
	kind, code   uint8
	value, index uint16
}

// transferLimit is how long a device may take for an answer.
const transferLimit = 5 * time.Second

// Requests that every hub understands (USB 2.0, 11.24; USB 3.2, 10.16). Those about a
// port need no interface claimed, so the kernel's driver keeps the hub.
const (
	getDescriptor = 0x06
	getStatus     = 0x00
	setFeature    = 0x03
	clearFeature  = 0x01
	portPower     = 8

	fromHub  = 0xa0
	fromPort = 0xa3
	toPort   = 0x23
)

// Bits of a port's status.
const (
	statusPower2 = 0x0100
	statusPower3 = 0x0200
)

// hubDescriptor is what a hub says of itself.
type hubDescriptor struct {
	ports int
	// perPort: it switches each port by itself.
	perPort bool
	// powerGood is how long power takes to be good.
	powerGood time.Duration
}

// parseHubDescriptor reads the part that hubs of USB 2 and 3 have in common.
func parseHubDescriptor(data []byte) (hubDescriptor, error) {
	if len(data) < 7 || data[0] < 7 || data[1] != 0x29 && data[1] != 0x2a || data[2] == 0 {
		return hubDescriptor{}, fmt.Errorf("% x is no hub's descriptor", data[:min(len(data), 16)])
	}
	characteristics := binary.LittleEndian.Uint16(data[3:5])
	d := hubDescriptor{ports: int(data[2]), powerGood: time.Duration(data[5]) * 2 * time.Millisecond}
	// 0 is all ports together (of one port, that is the same), 1 each by itself, 2 and 3
	// none.
	switching := characteristics & 3
	d.perPort = switching == 1 || switching == 0 && d.ports == 1
	return d, nil
}

// wire is the way to transfers, which is opened when it is first needed.
type wire struct {
	open func() (transfers, error)

	mu sync.Mutex
	t  transfers
}

func (w *wire) control(to node, r request, data []byte) (int, error) {
	w.mu.Lock()
	if w.t == nil {
		t, err := w.open()
		if err != nil {
			w.mu.Unlock()
			return 0, err
		}
		w.t = t
	}
	t := w.t
	w.mu.Unlock()
	return t.control(to, r, data)
}

func (w *wire) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t == nil {
		return nil
	}
	t := w.t
	w.t = nil
	return t.close()
}

// describe asks a hub for its descriptor.
func (w *wire) describe(hub Device) (hubDescriptor, error) {
	kind := uint16(0x2900)
	if (port{hub: hub}).superSpeed() {
		kind = 0x2a00
	}
	// Room for 255 ports: two bitmaps of 32 bytes.
	data := make([]byte, 7+2*32)
	n, err := w.control(nodeOf(hub), request{kind: fromHub, code: getDescriptor, value: kind}, data)
	if err != nil {
		return hubDescriptor{}, hubSays(fmt.Sprintf("asking hub %s what it is", hub.Path), err)
	}
	d, err := parseHubDescriptor(data[:max(0, min(n, len(data)))])
	if err != nil {
		return hubDescriptor{}, fmt.Errorf("hub %s: %w", hub.Path, err)
	}
	return d, nil
}

// powered asks a hub for the power of a port.
func (w *wire) powered(p port) (bool, error) {
	data := make([]byte, 4)
	n, err := w.control(nodeOf(p.hub), request{kind: fromPort, code: getStatus, index: uint16(p.number)}, data)
	if err != nil {
		return false, hubSays(fmt.Sprintf("asking for the state of %s", p), err)
	}
	if n < len(data) {
		return false, fmt.Errorf("the state of %s: an answer of %d bytes", p, n)
	}
	bit := uint16(statusPower2)
	if p.superSpeed() {
		bit = statusPower3
	}
	return binary.LittleEndian.Uint16(data)&bit != 0, nil
}

// power tells a hub to switch a port.
func (w *wire) power(p port, on bool) error {
	r := request{kind: toPort, code: clearFeature, value: portPower, index: uint16(p.number)}
	if on {
		r.code = setFeature
	}
	_, err := w.control(nodeOf(p.hub), r, nil)
	return hubSays(fmt.Sprintf("switching %s", p), err)
}

// hubSays wraps the error of a transfer.
func hubSays(doing string, err error) error {
	switch {
	case errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("%s: the hub refuses the request, so it can't do this: %w", doing, err)
	case errors.Is(err, syscall.ETIMEDOUT):
		return fmt.Errorf("%s: the hub doesn't answer: %w", doing, err)
	}
	return told(doing, err)
}
