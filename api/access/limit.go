package access

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"switchyard/configs"
)

// maxBuckets is how many callers of one generation are remembered: at about
// 200 bytes each, 3 MB with the generation before.
const maxBuckets = 8192

// bucketKey tells whose requests are counted together.
type bucketKey struct {
	key  string
	addr netip.Addr
}

// buckets count the requests of callers. Memory is bounded by generations: when
// one is full the next begins, and who is not seen during it is forgotten. A
// caller that is forgotten has its burst again, which takes at least maxBuckets
// others to ask in between.
type buckets struct {
	mu     sync.Mutex
	config configs.RateLimit
	young  map[bucketKey]*rate.Limiter
	old    map[bucketKey]*rate.Limiter
}

func (b *buckets) limit(c configs.RateLimit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.config != c {
		b.config, b.young, b.old = c, map[bucketKey]*rate.Limiter{}, nil
	}
}

// take takes one request, or returns how long until there is one.
func (b *buckets) take(c *Caller) time.Duration {
	b.mu.Lock()
	if b.config.PerSecond == 0 {
		b.mu.Unlock()
		return 0
	}
	l := b.of(keyOf(c))
	b.mu.Unlock()
	now := time.Now()
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now) // who is refused has used nothing
	}
	return wait
}

func (b *buckets) of(k bucketKey) *rate.Limiter {
	if l := b.young[k]; l != nil {
		return l
	}
	l := b.old[k]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(b.config.PerSecond), b.config.Burst)
	}
	if len(b.young) >= maxBuckets {
		b.young, b.old = make(map[bucketKey]*rate.Limiter, maxBuckets), b.young
	}
	b.young[k] = l
	return l
}

// siteBits is what one customer has of IPv6 addresses at least: more than 64
// bits could not be told apart from one caller with many addresses.
const siteBits = 64

func keyOf(c *Caller) bucketKey {
	if c.Key != "" {
		return bucketKey{key: c.Key}
	}
	if c.Addr.Is6() {
		site, _ := c.Addr.Prefix(siteBits) // 64 bits are there
		return bucketKey{addr: site.Addr()}
	}
	return bucketKey{addr: c.Addr}
}
