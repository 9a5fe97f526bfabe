package logs_test

import (
	"testing"

	"go.uber.org/goleak"
)

// lumberjack's goroutine that removes old files waits for the next rotation for
// as long as the process lives.
var forGood = goleak.IgnoreTopFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, forGood) }
