package access

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"switchyard/configs"
)

// Ensure any number of callers takes a bounded memory, and who goes on asking
// is not forgotten in favour of those who asked once.
func TestBucketsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // in which no time goes by
		var b buckets
		b.limit(configs.RateLimit{PerSecond: 1, Burst: 1})
		busy := &Caller{Key: "busy"}
		b.take(busy)
		addr := netip.MustParseAddr("192.0.2.0")
		for i := range 5 * maxBuckets {
			addr = addr.Next()
			b.take(&Caller{Addr: addr})
			if i%1000 == 0 && b.of(keyOf(busy)).Tokens() > 0.9 {
				t.Fatalf("after %d others it has its burst again", i)
			}
			if n := len(b.young) + len(b.old); n > 2*maxBuckets {
				t.Fatalf("%d are remembered", n)
			}
		}
	})
}
