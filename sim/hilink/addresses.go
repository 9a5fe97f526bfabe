package hilink

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
)

// addresses is the default sequence: each subnet goes round its own twelve of
// 203.0.113.0/24, in steps that make neighbours in time no neighbours in number.
func addresses(subnet int, seed uint64) func() netip.Addr {
	const each, step = 12, 5
	slot := ((subnet-11)%20 + 20) % 20
	k := int(seed % each)
	return func() netip.Addr {
		k = (k + step) % each
		return netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + slot*each + k)})
	}
}

// Sequence is Options.Addresses for these addresses, in turn and over again.
func Sequence(addrs ...string) func() netip.Addr {
	k := 0
	return func() netip.Addr {
		a := netip.MustParseAddr(addrs[k%len(addrs)])
		k++
		return a
	}
}

// salt is an account's, of its own and not of the random sequence: what a seed
// gives a modem doesn't change with its login.
func salt(opt Options) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "salt %d %d", opt.Subnet, opt.Seed))
	return sum[:]
}
