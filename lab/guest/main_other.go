//go:build !linux

package guest

import "errors"

// Main is for Linux alone.
func Main() error { return errors.ErrUnsupported }
