//go:build !linux

package netevent

import (
	"errors"
	"fmt"
)

// open fails: proxy hosts run Linux.
func open(int) (source, error) {
	return nil, fmt.Errorf("watching the network: %w here, it needs Linux", errors.ErrUnsupported)
}
