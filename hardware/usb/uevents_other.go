//go:build !linux

package usb

import (
	"errors"
	"fmt"
)

// openUevents fails: proxy hosts run Linux.
func openUevents() (socket, error) {
	return nil, fmt.Errorf("the kernel's events: %w here, it needs Linux", errors.ErrUnsupported)
}
