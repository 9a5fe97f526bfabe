package tasks

import (
	"encoding/json"
	"strings"
	"time"
)

// CallbackPayload is one document to one receiver.
type CallbackPayload struct {
	// Receiver names a configured receiver and which of its URLs
	// ("toggle/main/start"); the address itself stays in the configuration,
	// since it may hold a secret. Empty when URL is set.
	Receiver string `json:"receiver,omitempty"`
	// URL was given by a request and is guarded.
	URL string `json:"url,omitempty"`
	// Kind is what it tells: toggle/start, toggle/result, strategy/result, or whose form
	// it has (HookKind).
	Kind string `json:"kind"`
	// Body is posted as it stands, byte for byte.
	Body string `json:"body"`
}

// hookKind stands in front of the kind of message to somebody else's service.
const hookKind = "webhook/"

// HookKind is the Kind of a message to such a service: discord, slack, generic.
func HookKind(service string) string { return hookKind + service }

// Hook is the service whose form the document has; empty for one of our own.
func (p CallbackPayload) Hook() string {
	service, ok := strings.CutPrefix(p.Kind, hookKind)
	if !ok {
		return ""
	}
	return service
}

// hookTries is how often a message to such a service is tried.
const hookTries = 5

// NewHook drafts a message to somebody else's service. Those to one host keep their
// order, so that one that asks for patience (429) gets it from all of them.
func NewHook(p CallbackPayload, host string, limit time.Duration) Draft {
	return NewCallback(p, "", "webhook:"+host, limit, hookTries)
}

// CallbackResult is what became of it.
type CallbackResult struct {
	Kind     string `json:"kind"`
	Receiver string `json:"receiver,omitempty"`
	// URLHost is all that is shown of the address.
	URLHost  string            `json:"url_host"`
	Parent   string            `json:"parent"`
	Attempts []json.RawMessage `json:"attempts"`
}

// NewCallback drafts a delivery that follows from job parent. Deliveries to
// one receiver about one job keep their order.
func NewCallback(p CallbackPayload, parent, orderKey string, limit time.Duration, maxTries int) Draft {
	return Draft{
		Type: Callback, Queue: QueueDelivery, OrderKey: orderKey, Payload: mustJSON(p),
		Limit: limit, MaxTries: maxTries, Once: maxTries == 1, Parent: parent,
	}
}
