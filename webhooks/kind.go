package webhooks

import "slices"

// Kind is whose form a message has (`webhook_type`).
type Kind string

// The kinds.
const (
	Discord  Kind = "discord"
	Slack    Kind = "slack"
	Telegram Kind = "telegram" // to a chat, instead of a URL
	Generic  Kind = "generic"  // JSON of our own
)

// Kinds returns all of them.
func Kinds() []Kind { return []Kind{Discord, Slack, Telegram, Generic} }

// Known reports whether there is such a kind.
func (k Kind) Known() bool { return slices.Contains(Kinds(), k) }

// KindError says that there is no such kind.
type KindError struct{ Kind Kind }

// Error implements error.
func (e *KindError) Error() string { return "unknown kind of webhook " + quoted(string(e.Kind)) }
