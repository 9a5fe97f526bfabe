//go:build !linux

package netaddr

import (
	"errors"
	"fmt"
)

// openKernel fails: proxy hosts run Linux.
func openKernel() (kernel, error) {
	return nil, fmt.Errorf("the interfaces of dongles: %w here, it needs Linux", errors.ErrUnsupported)
}
