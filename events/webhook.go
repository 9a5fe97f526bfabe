package events

// WebhookKind is the kind of a Webhook.
const WebhookKind = "webhook_event"

// Webhook is what became of a try at a delivery, ours or a client's (`webhook_event`).
type Webhook struct {
	ID string `json:"webhook_id"`
	// Event is sent, failed or retrying.
	Event string `json:"event_type"`
	// Kind is whose form it has: discord, slack, generic; callback for our own.
	Kind string `json:"webhook_type"`
	// URL shows the host, and … for the rest.
	URL string `json:"url"`
	// Status is success, failed or retrying.
	Status string `json:"status"`
	// Code is the HTTP status of the answer; null: none came.
	Code       *int   `json:"response_code"`
	Message    string `json:"message"`
	SentAt     string `json:"sent_at"`
	ResponseMS int64  `json:"response_time_ms"`
}
