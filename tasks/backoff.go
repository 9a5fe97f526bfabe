package tasks

import (
	"math/rand/v2"
	"time"
)

// Backoff is how long a job waits after a failed try, tries having failed before
// it: twice as long as the time before, at most so long, with up to a tenth more so
// that those who failed together don't come together.
func Backoff(first, most time.Duration, tries int) time.Duration {
	p := first
	for range tries {
		if p *= 2; p >= most {
			p = most
			break
		}
	}
	return p + rand.N(p/10+1)
}
