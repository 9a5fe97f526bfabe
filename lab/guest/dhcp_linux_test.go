package guest

import (
	"bytes"
	"slices"
	"testing"
)

// A modem offers the host's address in its network to who looks for one, grants
// it to who asks for it, and is silent to all else.
func TestDHCPGivesTheHostsAddress(t *testing.T) {
	t.Parallel()
	query := func(kind byte) []byte {
		q := make([]byte, dhcpHeader)
		q[0] = dhcpRequestOp
		copy(q[4:], "xid!")
		copy(q[236:], []byte{0x63, 0x82, 0x53, 0x63})
		return slices.Concat(q, []byte{61, 2, 7, 7, optType, 1, kind, optEnd})
	}
	for ask, want := range map[byte]byte{dhcpDiscover: dhcpOffer, dhcpAsk: dhcpAck} {
		a := dhcpAnswer(query(ask), 16)
		if len(a) < dhcpHeader {
			t.Fatalf("no answer to %d", ask)
		}
		if a[0] != dhcpReplyOp || string(a[4:8]) != "xid!" || !bytes.Equal(a[16:20], []byte{192, 168, 16, 100}) || !bytes.Equal(a[236:240], []byte{0x63, 0x82, 0x53, 0x63}) {
			t.Errorf("answer to %d: % x", ask, a)
		}
		if got := dhcpOption(a[dhcpHeader:], optType); got != want {
			t.Errorf("answer to %d is of type %d, want %d", ask, got, want)
		}
	}
	const release = 7
	for name, q := range map[string][]byte{"another type": query(release), "an answer": append([]byte{dhcpReplyOp}, query(dhcpAsk)[1:]...), "too short": query(dhcpAsk)[:100], "no options": query(dhcpAsk)[:dhcpHeader]} {
		if a := dhcpAnswer(q, 16); a != nil {
			t.Errorf("%s: answered with % x", name, a)
		}
	}
}
