//go:build !linux

package netaddr

import "errors"

func setAddress(string, string) error { return errors.ErrUnsupported }
