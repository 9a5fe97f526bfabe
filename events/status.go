package events

// The kinds of figures and of lines of the log.
const (
	StatusKind = "status_update"
	LogKind    = "log_update"
)

// LogLine is one line of a process' log. Readers put several into one log_update.
type LogLine struct {
	// Timestamp is RFC 3339 in UTC with milliseconds.
	Timestamp string `json:"timestamp"`
	// Level is DEBUG, INFO, WARNING or ERROR.
	Level string `json:"level"`
	// Logger is the package that wrote it.
	Logger  string `json:"logger_name"`
	Message string `json:"message"`
	// Module and Line are the file and the line of its source.
	Module string `json:"module"`
	Line   int    `json:"line_number"`
	// Thread is the role of the process that wrote it.
	Thread string `json:"thread_id"`
}
