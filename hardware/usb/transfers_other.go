//go:build !linux

package usb

import (
	"errors"
	"fmt"
)

// openTransfers fails: proxy hosts run Linux.
func openTransfers(string) (transfers, error) {
	return nil, fmt.Errorf("control of USB hubs: %w here, it needs Linux", errors.ErrUnsupported)
}
