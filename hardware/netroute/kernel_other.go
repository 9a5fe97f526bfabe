//go:build !linux

package netroute

import (
	"errors"
	"fmt"
)

// openKernel fails: proxy hosts run Linux.
func openKernel() (kernel, error) {
	return nil, fmt.Errorf("the routing of dongles: %w here, it needs Linux", errors.ErrUnsupported)
}
