//go:build !linux

package hardware

import (
	"context"
	"errors"
	"syscall"
)

// bindToDevice fails: proxy hosts run Linux; elsewhere only simulated dongles
// work.
func bindToDevice(string) func(context.Context, string, string, syscall.RawConn) error {
	return func(context.Context, string, string, syscall.RawConn) error {
		return errors.New("real dongles need Linux")
	}
}
