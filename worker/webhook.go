package worker

import (
	"time"

	"switchyard/events"
	"switchyard/tasks"
)

// The events of a webhook: it has arrived, it will be tried again, it won't.
const (
	hookSent     = "sent"
	hookRetrying = "retrying"
	hookFailed   = "failed"
)

// tellHook publishes what became of a try that began at a time: w, whose Event says what,
// and code, the status of the answer (0: there was none). A nil publisher drops it.
func tellHook(to *events.Publisher, w events.Webhook, at time.Time, code int) {
	w.SentAt, w.Status = at.UTC().Format(tasks.MilliTime), w.Event
	if w.Event == hookSent {
		w.Status, w.Message = "success", "웹훅이 성공적으로 전송되었습니다"
	}
	if code != 0 {
		w.Code = &code
	}
	if e, err := events.New(events.Deliveries, events.WebhookKind, at, w); err == nil { // text and numbers always can be written
		to.Publish(e)
	}
}
