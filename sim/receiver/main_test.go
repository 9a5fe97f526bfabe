package receiver_test

import (
	"testing"

	"go.uber.org/goleak"
)

// The standard library's server waits half a second before it closes the
// connection of a request that it didn't read to its end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}
