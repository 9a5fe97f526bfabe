package usb

import (
	"testing"

	"go.uber.org/goleak"
)

// Ensure everything that a Bus begins ends with it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
