package hardware

import (
	"context"
	"log/slog"
	"time"
)

// KeepInOrderEvery is KeepInOrder with another rhythm.
func (h *Host) KeepInOrderEvery(ctx context.Context, every time.Duration, log *slog.Logger) {
	h.keepInOrder(ctx, every, log)
}
