package hardware

import (
	"context"
	"log/slog"
	"net/netip"
	"time"
)

// KeepInOrderEvery is KeepInOrder with another rhythm.
func (h *Host) KeepInOrderEvery(ctx context.Context, every time.Duration, log *slog.Logger) {
	h.keepInOrder(ctx, every, log)
}

// RepairWithoutPause has KeepRouted repair as often as the test breaks.
func (h *Host) RepairWithoutPause() { h.longestAgain = 0 }

// NoteWait is what a repair tells what it waits for by.
var NoteWait = noteWait

// NamesBy resolves by a function instead of the host's resolver.
func NamesBy(lookup func(context.Context, string) ([]netip.Addr, error), limit time.Duration) *Names {
	return newNames(lookup, limit)
}
