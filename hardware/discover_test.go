package hardware

import (
	"net"
	"slices"
	"testing"

	"switchyard/configs"
)

// A host without configured dongles finds those whose host-side address it
// holds, also later ones, once each; one that is unplugged stays known.
func TestHostFindsDonglesByAddress(t *testing.T) {
	t.Parallel()
	h := &Host{dongles: map[int]*Dongle{}, stateDir: t.TempDir()}
	addr := func(s string) net.Addr {
		ip, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		return &net.IPNet{IP: ip, Mask: n.Mask}
	}
	uplink := addr("198.51.100.7/24")
	for _, tt := range []struct {
		what         string
		addrs        []net.Addr
		found, known []int
	}{
		{"none yet", []net.Addr{uplink}, nil, []int{}},
		{"two", []net.Addr{uplink, addr("192.168.16.100/24"), addr("192.168.11.100/24")}, []int{11, 16}, []int{11, 16}},
		{"the same again", []net.Addr{addr("192.168.16.100/24"), addr("192.168.11.100/24")}, nil, []int{11, 16}},
		{"one unplugged, one more", []net.Addr{addr("192.168.16.100/24"), addr("192.168.30.100/24")}, []int{30}, []int{11, 16, 30}},
		{"what is none", []net.Addr{addr("192.168.12.101/24"), addr("192.168.31.100/24"), addr("192.168.10.100/24")}, nil, []int{11, 16, 30}},
	} {
		found, err := h.addFound(tt.addrs)
		if err != nil {
			t.Fatalf("%s: %v", tt.what, err)
		}
		if !slices.Equal(found, tt.found) || !slices.Equal(h.Subnets(), tt.known) {
			t.Errorf("%s: found %v and knows %v, want %v and %v", tt.what, found, h.Subnets(), tt.found, tt.known)
		}
	}
	h.Close()
}

// Where dongles are configured the host looks for no others.
func TestHostWithConfiguredDonglesFindsNone(t *testing.T) {
	t.Parallel()
	h := &Host{config: configs.Host{Dongles: []configs.Dongle{{Subnet: 11}}}, dongles: map[int]*Dongle{}}
	if found, err := h.Discover(); found != nil || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}
