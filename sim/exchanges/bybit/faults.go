package bybit

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault is what goes wrong with a request.
type Fault struct {
	// Method and Path limit it: Path is the end of the request's path. Empty: any.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Times is how many requests it hits; 0: all, until Recover.
	Times int `json:"times,omitempty"`

	// Status, Code (Bybit's retCode) and Message of the answer. Status 0: the answer
	// is the real one, if it comes at all.
	Status  int    `json:"status,omitempty"`
	Code    int    `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// Reset is in how many seconds the limit is said to be over; 0: nothing is said.
	Reset int `json:"reset,omitempty"`
	// Done: the request is done before this goes wrong, so only its answer is
	// lost.
	Done bool `json:"done,omitempty"`
	// Drop closes the connection without an answer.
	Drop bool `json:"drop,omitempty"`
	// Cut closes it in the middle of a good answer. Implies Done.
	Cut bool `json:"cut,omitempty"`
	// Hang gives no answer until the client gives up, or Recover.
	Hang bool `json:"hang,omitempty"`
	// Fill is the part of a new order that is executed where it could be wholly:
	// "0.5". The rest of an order at the market is cancelled. Implies Done.
	Fill string `json:"fill,omitempty"`
	// Reject is the reason for which an order is refused after it was acknowledged.
	// Implies Done.
	Reject string `json:"reject,omitempty"`
	// Hidden is how many questions don't find the new order. Implies Done.
	Hidden int `json:"hidden,omitempty"`
}

// Fail has requests go wrong from now on; of several faults the first that fits
// counts.
func (s *Server) Fail(f Fault) {
	f.Done = f.Done || f.Cut || f.Fill != "" || f.Reject != "" || f.Hidden > 0
	s.Faults.Add(f, f.Times)
}

// hits tells whether the fault is one of this request.
func (f *Fault) hits(r *http.Request) bool {
	return (f.Method == "" || f.Method == r.Method) && strings.HasSuffix(r.URL.Path, f.Path)
}

// meet has a request meet its fault; met is false where the real answer is to come.
func (s *Server) meet(f *Fault, w http.ResponseWriter, r *http.Request, freed <-chan struct{}) (status, code int, met bool) {
	if f.Hang {
		select {
		case <-r.Context().Done():
		case <-freed:
		}
		return 0, 0, true
	}
	if f.Status == 0 {
		return 0, 0, false
	}
	if f.Reset > 0 {
		s.Lock()
		at := s.Now().Add(time.Duration(f.Reset) * time.Second).UnixMilli()
		s.Unlock()
		w.Header().Set("X-Bapi-Limit-Reset-Timestamp", strconv.FormatInt(at, 10))
	}
	if f.Status != http.StatusOK {
		http.Error(w, f.Message, f.Status)
		return f.Status, f.Code, true
	}
	answer(w, envelope{Code: f.Code, Message: f.Message, Result: struct{}{}, Extra: struct{}{}, Time: time.Now().UnixMilli()})
	return f.Status, f.Code, true
}
