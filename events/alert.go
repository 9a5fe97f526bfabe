package events

// AlertKind is the kind of an Alert.
const AlertKind = "alert"

// AlertLevel is how much an alert matters.
type AlertLevel string

// The levels.
const (
	Info     AlertLevel = "info"
	Warning  AlertLevel = "warning"
	Failure  AlertLevel = "error"
	Critical AlertLevel = "critical"
)

// Alert is something that people should know of (`alert`).
type Alert struct {
	Level   AlertLevel `json:"level"`
	Title   string     `json:"title"`
	Message string     `json:"message"`
	// Category is what it is about, such as trading; Source is who noticed.
	Category string `json:"category"`
	Source   string `json:"source"`
	// Actions that a client may offer.
	Actions []AlertAction `json:"actions"`
	// Metadata has the id, which is the same as long as it is about the same thing, and
	// what else there is to know.
	Metadata map[string]any `json:"metadata"`
}

// AlertAction is one of them.
type AlertAction struct {
	Label  string `json:"label"`
	Action string `json:"action"`
}
