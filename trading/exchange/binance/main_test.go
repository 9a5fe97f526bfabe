package binance_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Everything that a client or a simulator starts ends with it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
