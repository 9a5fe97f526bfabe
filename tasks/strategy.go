package tasks

import (
	"encoding/json"
	"time"
)

// StrategyPayload asks for one execution of a strategy.
type StrategyPayload struct {
	// Execution is its number, by which its clients know it.
	Execution int64 `json:"execution"`
	// Strategy and Version are those of the catalog when it was accepted.
	Strategy string `json:"strategy"`
	Version  string `json:"version"`
	// Parameters with defaults filled in; as they were sent where there is a Fault.
	Parameters json.RawMessage `json:"parameters"`
	// Fault says which parameter has a value that can't be used; the execution fails
	// with it. Empty: all can.
	Fault string `json:"fault,omitempty"`
}

// strategyTries is how often an execution is tried when prices can't be had for a
// while.
const strategyTries = 4

// NewStrategy drafts an execution. chat is told of its end, and its result posted to
// callbackURL, if there are such.
func NewStrategy(p StrategyPayload, limit time.Duration, chat, callbackURL string) Draft {
	return Draft{
		Type: Strategy, ChatID: chat, Queue: QueueStrategy, Payload: mustJSON(p), Limit: limit, MaxTries: strategyTries,
		CallbackURL: callbackURL,
	}
}
