package metrics_test

import (
	"testing"

	"go.uber.org/goleak"
)

// go-redis, once it could not connect, looks whether its pool was closed only
// once a second.
var afterAnOutage = goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, afterAnOutage) }
