package usb

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// uevent writes a message as the kernel does.
func uevent(action, devpath string, pairs ...string) []byte {
	all := append([]string{action + "@" + devpath, "ACTION=" + action, "DEVPATH=" + devpath}, pairs...)
	return []byte(strings.Join(all, "\x00") + "\x00")
}

const stick = "/devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3.4/1-3.4.2"

// messages are what the kernel says when a stick comes up, and what is made of it.
var messages = map[string]struct {
	text []byte
	want Event
	ok   bool
}{
	"device": {
		uevent("add", stick, "SUBSYSTEM=usb", "DEVTYPE=usb_device", "DEVNUM=009", "SEQNUM=4711"),
		Event{Action: "add", Subsystem: "usb", Path: "1-3.4.2", Whole: true}, true,
	},
	"interface": {
		uevent("bind", stick+"/1-3.4.2:1.0", "SUBSYSTEM=usb", "DRIVER=cdc_ether"),
		Event{Action: "bind", Subsystem: "usb", Path: "1-3.4.2"}, true,
	},
	"root hub": {
		uevent("add", "/devices/pci0000:00/0000:00:14.0/usb1", "SUBSYSTEM=usb"),
		Event{Action: "add", Subsystem: "usb", Path: "usb1", Whole: true}, true,
	},
	"network": {
		uevent("add", stick+"/1-3.4.2:1.0/net/eth3", "SUBSYSTEM=net", "INTERFACE=eth3", "IFINDEX=7"),
		Event{Action: "add", Subsystem: "net", Path: "1-3.4.2", Interface: "eth3"}, true,
	},
	"network renamed": {
		uevent("move", stick+"/1-3.4.2:1.0/net/wwan3", "DEVPATH_OLD="+stick+"/1-3.4.2:1.0/net/eth3", "SUBSYSTEM=net", "INTERFACE=wwan3"),
		Event{Action: "move", Subsystem: "net", Path: "1-3.4.2", Interface: "wwan3"}, true,
	},
	"network without USB": {
		uevent("add", "/devices/virtual/net/veth7", "SUBSYSTEM=net", "INTERFACE=veth7"),
		Event{Action: "add", Subsystem: "net", Interface: "veth7"}, true,
	},
	"disk of a stick":   {uevent("add", stick+"/1-3.4.2:1.2/host3", "SUBSYSTEM=scsi"), Event{}, false},
	"USB's own driver":  {uevent("add", "/bus/usb/drivers/usbfs", "SUBSYSTEM=drivers"), Event{}, false},
	"usb without path":  {uevent("add", "/module/usb", "SUBSYSTEM=usb"), Event{}, false},
	"queue":             {uevent("add", stick+"/1-3.4.2:1.0/net/eth3/queues/rx-0", "SUBSYSTEM=queues"), Event{}, false},
	"net without name":  {uevent("add", stick+"/1-3.4.2:1.0/net/eth3", "SUBSYSTEM=net"), Event{}, false},
	"udev's":            {[]byte("libudev\x00\xfe\xed\xca\xfeSUBSYSTEM=usb\x00"), Event{}, false},
	"two heads":         {append([]byte("remove@/x\x00"), uevent("add", stick, "SUBSYSTEM=usb")...), Event{}, false},
	"empty":             {nil, Event{}, false},
	"without end":       {[]byte("add@/devices"), Event{}, false},
	"nothing but zeros": {make([]byte, 100), Event{}, false},
}

// Ensure a message of the kernel is read as what it is about, and whatever else comes is
// passed over.
func TestParseUevent(t *testing.T) {
	t.Parallel()
	for name, tt := range messages {
		if e, ok := parseUevent(tt.text); ok != tt.ok || ok && e != tt.want {
			t.Errorf("%s: %+v, %t, want %+v", name, e, ok, tt.want)
		}
	}
}

// FuzzParseUevent: whatever comes is an event about a valid path, or none.
func FuzzParseUevent(f *testing.F) {
	for _, tt := range messages {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, ok := parseUevent(text)
		if ok && (e.Path != "" && !e.Path.Valid() || e.Subsystem != "usb" && e.Subsystem != "net" || e.Lost) {
			t.Errorf("made %+v of %q", e, text)
		}
	})
}

// line is a socket of the tests.
type line struct {
	in     chan any // []byte or error
	closed chan struct{}
}

var _ socket = (*line)(nil)

func newLine() *line { return &line{in: make(chan any), closed: make(chan struct{})} }

func (l *line) receive() ([]byte, error) {
	select {
	case x := <-l.in:
		if err, ok := x.(error); ok {
			return nil, err
		}
		return x.([]byte), nil
	case <-l.closed:
		return nil, errors.New("use of closed socket")
	}
}

func (l *line) close() error {
	close(l.closed) // and panics where it is closed twice
	return nil
}

// lines are the sockets that are opened one after the other; an error fails one.
func lines(b *Bus, all ...any) (opened func() int) {
	n := 0
	b.uevents = func() (socket, error) {
		x := all[n]
		n++
		if err, ok := x.(error); ok {
			return nil, err
		}
		return x.(*line), nil
	}
	return func() int { return n }
}

// Ensure events are passed on as they come, and that the channel ends with the context.
func TestWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{Sysfs: "/nowhere"})
		l := newLine()
		lines(b, l)
		ctx, cancel := context.WithCancel(t.Context())
		events, err := b.Watch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"disk of a stick", "udev's", "device", "empty", "network"} {
			l.in <- messages[name].text
		}
		for _, name := range []string{"device", "network"} {
			if diff := cmp.Diff(messages[name].want, <-events); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		cancel()
		if e, ok := <-events; ok {
			t.Errorf("after the end: %+v", e)
		}
		<-l.closed
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Ensure lost messages, and a socket that breaks, come as an event that says so, and that
// it goes on with a new socket, however often opening one fails.
func TestWatch_lost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{Sysfs: "/nowhere"})
		first, second := newLine(), newLine()
		failed := errors.New("out of sockets")
		opened := lines(b, first, failed, failed, failed, failed, failed, failed, failed, failed, failed, failed, failed, second)
		events, err := b.Watch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := func(want Event) {
			t.Helper()
			if got := <-events; got != want {
				t.Errorf("came %+v, want %+v", got, want)
			}
		}
		first.in <- syscall.EINTR
		first.in <- syscall.ENOBUFS
		want(Event{Lost: true})
		first.in <- messages["device"].text
		want(messages["device"].want)
		first.in <- errors.New("the socket is broken")
		want(Event{Lost: true})
		<-first.closed
		if opened() != 13 {
			t.Errorf("%d sockets were opened", opened())
		}
		second.in <- messages["network"].text
		want(messages["network"].want)
		// Close ends it, too.
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if e, ok := <-events; ok {
			t.Errorf("after Close: %+v", e)
		}
		<-second.closed
		third := newLine()
		lines(b, third)
		if _, err := b.Watch(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		<-third.closed
	})
}

// Ensure nobody who has stopped taking events keeps the Bus from closing.
func TestWatch_nobodyTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{Sysfs: "/nowhere"})
		l := newLine()
		lines(b, l)
		if _, err := b.Watch(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range eventsWaiting + 1 {
			l.in <- messages["device"].text
		}
		synctest.Wait()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Ensure a system that has no such events says so at once.
func TestWatch_unsupported(t *testing.T) {
	t.Parallel()
	b := New(Options{})
	defer b.Close()
	lines(b, errors.ErrUnsupported)
	if _, err := b.Watch(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("returned %v", err)
	}
}
