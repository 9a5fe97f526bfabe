package tasks

import (
	"encoding/json"
	"fmt"
)

// Unrun is how a job ends without a word of a worker.
type Unrun struct {
	// Completed: it counts as completed (with a result that says "no"), not as
	// failed.
	Completed bool
	Result    []byte
	Error     string
}

// Expired is the end of a job that waited for its worker too long.
func Expired(t Type, payload []byte) Unrun {
	u := Unrun{Error: "no worker took the job up in time"}
	if t == Toggle {
		u.Completed = true
		u.Error = "the host was away for too long"
		u.Result = unrunToggle(payload)
	}
	return u
}

// Cancelled is the result of a job that was cancelled before it ran. Its
// state is cancelled whatever Completed says.
func Cancelled(t Type, payload []byte) Unrun {
	u := Unrun{Error: "cancelled"}
	if t == Toggle {
		u.Result = unrunToggle(payload)
	}
	return u
}

// Lost is the end of a job that was given up after its workers died.
func Lost(t Type, payload []byte, why string) Unrun {
	u := Unrun{Error: why}
	if t == Toggle {
		u.Completed = true
		u.Result = unrunToggle(payload)
	}
	return u
}

// Removed is the end of a job whose host was removed.
func Removed(t Type, payload []byte) Unrun {
	u := Unrun{Error: "its host was removed"}
	if t == Toggle {
		u.Result = unrunToggle(payload)
	}
	return u
}

func unrunToggle(payload []byte) []byte {
	var p TogglePayload
	if err := json.Unmarshal(payload, &p); err != nil {
		// A payload of ours always parses; what is broken still ends.
		return mustJSON(map[string]string{"error": fmt.Sprintf("unreadable payload: %v", err)})
	}
	return mustJSON(FailedToggle(p, 0))
}
