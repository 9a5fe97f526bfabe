package hilink

import (
	"net/netip"
	"strings"
	"time"
)

// The states of a connection, as monitoring/status numbers them.
const (
	connecting    = 900
	connected     = 901
	disconnected  = 902
	disconnecting = 903
	autoDialOff   = 113 // how the E8372h-153 says that it is disconnected
)

// radio is a modem's way in and out of the network. It has no clock and no
// lock of its own: who calls it says what time it is, and holds the modem's.
//
// It is attached, or dialling, or switched off. A way back takes reattach; its
// first tenth it hangs up (903), then, where the mode has changed, it searches
// until four tenths (902, no cell), and then dials (900).
type radio struct {
	reattach    time.Duration
	stickyBelow time.Duration
	next        func() netip.Addr
	// moved is told of each attachment and detachment.
	moved func(now time.Time, what string)

	mode     NetMode
	data     bool
	attached bool
	addr     netip.Addr // of the last attachment
	fresh    bool       // the next attachment brings another address
	search   bool       // the way back began with a change of mode
	began    time.Time  // of the way back
	lost     time.Time  // when it was last attached
	off      time.Time  // when data was switched off

	sticky bool // fault: no attachment brings another address
	barred bool // fault: it never attaches
	unlit  bool // the modem reboots
}

// Ways through reattach at which the state changes, in tenths.
const (
	hungUp = 1
	camped = 4
)

// address is what the modem has in the network.
func (r *radio) address() netip.Addr {
	if !r.attached {
		return netip.Addr{}
	}
	return r.addr
}

// dialling reports whether it is on its way into the network.
func (r *radio) dialling() bool { return r.data && !r.attached }

// due is when it attaches, unless something happens before.
func (r *radio) due() (time.Time, bool) {
	if !r.dialling() || r.barred || r.unlit {
		return time.Time{}, false
	}
	return r.began.Add(r.reattach), true
}

// tick attaches it if it is due.
func (r *radio) tick(now time.Time) {
	if due, ok := r.due(); ok && !now.Before(due) {
		r.attach(now)
	}
}

func (r *radio) attach(now time.Time) {
	if !r.addr.IsValid() || r.fresh && !r.sticky {
		r.addr = r.next()
	}
	r.attached, r.fresh, r.search = true, false, false
	r.moved(now, "attached "+r.addr.String())
}

func (r *radio) detach(now time.Time) {
	if r.attached {
		r.attached, r.lost = false, now
		r.moved(now, "detached")
	}
}

// setMode sets another mode. One that means the same changes nothing; any
// other begins the way back into the network anew.
func (r *radio) setMode(now time.Time, m NetMode) {
	if m.Mode == unchangedMode {
		m.Mode = r.mode.Mode
	}
	if m.same(r.mode) {
		return
	}
	r.mode, r.fresh, r.search = m, true, true
	r.detach(now)
	r.began = now
}

// setData switches mobile data.
func (r *radio) setData(now time.Time, on bool) {
	switch {
	case on == r.data:
	case on:
		if now.Sub(r.off) >= r.stickyBelow {
			r.fresh = true
		}
		r.data, r.began = true, now
	default:
		r.data, r.off, r.search = false, now, false
		r.detach(now)
	}
}

// dark takes the radio's power, light gives it back: the way into the network
// begins anew then, and brings another address.
func (r *radio) dark(now time.Time) {
	r.detach(now)
	r.unlit = true
}

func (r *radio) light(now time.Time) {
	r.unlit, r.fresh, r.search, r.began = false, true, true, now
}

// bar makes it unable to attach, or able again, which begins the way anew.
func (r *radio) bar(now time.Time, barred bool) {
	if r.barred && !barred {
		r.began = now
	}
	r.barred = barred
}

// within reports whether less than so many tenths of reattach have passed.
func (r *radio) within(now, since time.Time, tenths int64) bool {
	return now.Sub(since).Nanoseconds()*10 < r.reattach.Nanoseconds()*tenths
}

// status is the state of the connection.
func (r *radio) status(now time.Time) int {
	switch {
	case r.attached:
		return connected
	case r.within(now, r.lost, hungUp):
		return disconnecting
	case !r.data, !r.onCell(now):
		return disconnected
	default:
		return connecting
	}
}

// onCell reports whether the modem hears a cell; while it searches it doesn't.
func (r *radio) onCell(now time.Time) bool {
	return r.attached || !r.search || !r.within(now, r.began, camped)
}

// unchangedMode is the mode that a write leaves as it is.
const unchangedMode = "99"

// modes are the modes that this family takes.
var modes = map[string]bool{
	"00": true, "01": true, "02": true, "03": true, "0201": true, "0301": true, "0302": true, unchangedMode: true,
}

// same reports whether two modes have the same effect.
func (m NetMode) same(o NetMode) bool {
	return m.Mode == o.Mode && m.sameBands(o)
}

func (m NetMode) sameBands(o NetMode) bool {
	return mask(m.NetworkBand) == mask(o.NetworkBand) && mask(m.LTEBand) == mask(o.LTEBand)
}

// mask is a hex number in its one shortest form.
func mask(s string) string { return strings.ToUpper(strings.TrimLeft(s, "0")) }
