package usb

import "fmt"

// RefusedError says why a port isn't switched off. It is an ErrRefused.
type RefusedError struct {
	Hub  Path
	Port int
	// Reason and what to do, in words.
	Reason string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%v: port %d of hub %s: %s", ErrRefused, e.Port, e.Hub, e.Reason)
}

func (e *RefusedError) Unwrap() error { return ErrRefused }
