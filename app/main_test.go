package app_test

import (
	"testing"

	"go.uber.org/goleak"
)

// go-redis, once it could not connect, looks whether its pool was closed only
// once a second.
var afterAnOutage = goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")

// rotation is lumberjack's goroutine that removes old log files: it waits for the
// next rotation for as long as the process lives.
var rotation = goleak.IgnoreTopFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, afterAnOutage, rotation) }
