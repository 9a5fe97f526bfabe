package hardware_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"switchyard/hardware"
)

// holdLock names, in the environment of a helper process, the lock that it is
// to take and hold until it is killed.
const holdLock = "SWITCHYARD_TEST_HOLD_LOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdLock); path != "" {
		hold(path)
	}
	stop, err := trustTestCA()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		stop()
		os.Exit(code)
	}))
}

// hold takes the lock, says so, and waits for its death: its parent keeps its
// standard input open.
func hold(path string) {
	if _, err := hardware.TryLock(path); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}
