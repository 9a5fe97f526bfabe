package delivery

import (
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine behind: an attempt that outlives its timeout
// would do the same in production.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
