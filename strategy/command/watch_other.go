//go:build !linux

package command

import (
	"context"
	"errors"
	"os/exec"
)

// watched is for Linux alone: elsewhere a program's memory and children can't be
// bounded this way.
func watched(context.Context, *exec.Cmd, Spec, string, *results) error {
	return errors.New("strategies that are programs run on Linux alone")
}
