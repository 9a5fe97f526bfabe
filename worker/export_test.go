package worker

import (
	"time"

	"switchyard/configs"
	"switchyard/limits"
)

// Doorbell is the hook on the client that asynq fetches with.
type Doorbell = doorbell

// NewDoorbell returns one that holds an idle fetch for so long.
func NewDoorbell(hold time.Duration) *Doorbell { return newDoorbell(hold) }

// FetchErrorPause is what a failed fetch waits.
const FetchErrorPause = fetchErrorPause

// FetchRecognised reports whether the doorbell recognises how this asynq
// fetches.
func FetchRecognised() bool { return fetchRecognised() }

// Stopping reports whether Stop has begun.
func (w *Worker) Stopping() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopping
}

// TelegramWindows are what a message to this chat has to fit in.
func TelegramWindows(c configs.Telegram, chat string) []limits.Window {
	return (&Telegram{Config: c}).windows(chat)
}
