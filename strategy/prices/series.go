package prices

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Bar is the prices of one day, adjusted.
type Bar struct {
	Day   Day
	Open  float64 // 0: not known
	Close float64
}

// Series is the prices of one asset, the oldest first. It is shared and never changed.
type Series struct {
	Symbol string
	Bars   []Bar
}

// Source of prices.
type Source interface {
	// Daily is all that there is of a symbol. Errors: *UnknownError, *FormatError,
	// *UnavailableError, or that of ctx.
	Daily(ctx context.Context, symbol string) (*Series, error)
	// Name is what results call the source.
	Name() string
}

// UnknownError: the source has no such symbol.
type UnknownError struct{ Symbol, Where string }

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("there are no prices of %s in %s", e.Symbol, e.Where)
}

// FormatError: what the source has can't be read.
type FormatError struct {
	// Where is the file, or the symbol.
	Where string
	// Line counts from 1; 0: the file as a whole.
	Line int
	// Reason is what is wrong, in words.
	Reason string
}

// Error implements error.
func (e *FormatError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("prices in %s: %s", e.Where, e.Reason)
	}
	return fmt.Sprintf("prices in %s, line %d: %s", e.Where, e.Line, e.Reason)
}

// UnavailableError: the source can't be reached now; it may be later.
type UnavailableError struct {
	Symbol string
	Err    error
}

// Error implements error.
func (e *UnavailableError) Error() string {
	return fmt.Sprintf("prices of %s can't be had: %v", e.Symbol, e.Err)
}

// Unwrap is the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// First is a Source: the first of several that knows a symbol.
type First []Source

// Name implements Source.
func (f First) Name() string {
	names := make([]string, len(f))
	for i, s := range f {
		names[i] = s.Name()
	}
	return strings.Join(names, ", ")
}

// Daily implements Source.
func (f First) Daily(ctx context.Context, symbol string) (s *Series, err error) {
	for _, source := range f {
		s, err = source.Daily(ctx, symbol)
		if unknown := (*UnknownError)(nil); !errors.As(err, &unknown) {
			return s, err
		}
	}
	return nil, err
}
