//go:build !linux

package keeper

import "errors"

// Start is for Linux alone: elsewhere what a program starts can't be kept track of.
func Start(Command) (*Process, error) {
	return nil, errors.New("programs run on Linux alone")
}
