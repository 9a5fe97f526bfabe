package hilink

import (
	"fmt"
	"time"
)

// Error is a refusal of the modem.
type Error struct {
	// Code is the modem's number for it (112003); 0 where it sent none.
	Code int
	// Message is the modem's own text, nearly always empty.
	Message string
	// Op is what was tried: "read signal", "set net mode", "read signal: log in".
	Op string
	// Wait is how long the modem takes no logins, where it says so.
	Wait time.Duration
	// Tries is how many wrong passwords the modem has counted, where it says so.
	// At five it locks.
	Tries int
}

// Error says in words what was tried and what the modem has against it.
func (e *Error) Error() string {
	why, ok := words[e.Code]
	switch {
	case ok:
	case e.Code >= 101001 && e.Code <= 101009:
		why = "the modem has trouble with the SIM"
	case e.Code >= 103001 && e.Code <= 103018, e.Code == 103101, e.Code == 103102:
		why = "the modem has trouble with itself or the SIM"
	case e.dialUp():
		why = "the modem can't read or save its dial-up profile"
	default:
		why = "the modem refuses"
	}
	why = fmt.Sprintf("%s (%d)", why, e.Code)
	if e.Message != "" {
		why += fmt.Sprintf(": %.100q", e.Message)
	}
	if e.Tries > 0 {
		why += fmt.Sprintf(": %d wrong so far", e.Tries)
	}
	if e.Wait > 0 {
		why += fmt.Sprintf(": try again in %v", e.Wait.Round(time.Second))
	}
	if e.Op == "" {
		return why
	}
	return e.Op + ": " + why
}

// in is the refusal as it ends a call: one that came in the middle of it says
// both.
func (e *Error) in(op string) *Error {
	out := *e
	out.Op = op
	if e.Op != "" {
		out.Op += ": " + e.Op
	}
	return &out
}

// Is makes a refusal one of the errors that say what to do about it.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrLoginRequired:
		return e.NeedsLogin()
	case ErrWrongPassword:
		return e.wrongPassword()
	case ErrLocked:
		return e.locked()
	}
	return false
}

// Busy reports whether the modem may do it when asked again in a while.
func (e *Error) Busy() bool {
	return e.Code == codeBusy || e.Code == codeSIMBusy || e.Code == codeVoiceBusy
}

// NeedsLogin reports whether the modem wants a login first.
func (e *Error) NeedsLogin() bool { return e.Code == codeNoRights }

// NotSupported reports whether the modem will never do it: the request isn't
// known to this firmware.
func (e *Error) NotSupported() bool {
	return e.Code == codeUnknown || e.Code == codeNotSupported
}

// NetModeRefused reports whether the modem refuses a net mode or its bands, so
// that another way has to be taken: while it dials (112001, 112002) or connects
// (112006), or these values at any time (112003, 112004, 112007).
func (e *Error) NetModeRefused() bool {
	return e.Code >= 112001 && e.Code <= 112004 || e.Code == 112006 || e.Code == 112007
}

// Final reports whether the modem will refuse it however often it is asked: it
// doesn't know the request, doesn't take its values, or wants another password.
// Whatever else a modem refuses for may pass: somebody else at its web page,
// sessions, a SIM that is busy.
func (e *Error) Final() bool {
	switch e.Code {
	case codeFormat, codeParameter, 112003, 112004, 112007:
		return true
	}
	return e.NotSupported() || e.wrongPassword() || e.locked()
}

func (e *Error) wrongPassword() bool {
	return e.Code == codeWrongUser || e.Code == codeWrongPassword || e.Code == codeWrongPair
}

func (e *Error) locked() bool { return e.Code == codeLocked || e.Code == codeTooFast }

func (e *Error) dialUp() bool { return e.Code >= 107720 && e.Code <= 107729 }

// remedy is what can be done about a refusal, after which the request is made
// once more. Each is tried once a call.
type remedy int

const (
	// nothing can be done: the request is wrong, the modem can't, or a person
	// has to act.
	nothing remedy = iota
	// renew asks for another token or session.
	renew
	// login logs in.
	login
	// repeat does the same again, a moment later.
	repeat
)

// remedy is the one for this refusal. A wrong password has none: the modem
// locks after five.
func (e *Error) remedy() remedy {
	switch e.Code {
	case codeWrongToken, codeWrongSession, codeWrongSessionToken:
		return renew
	case codeNoRights:
		return login
	case codeBusy, codeSIMBusy, codeATFailed, codeSaveFailed, codeReadFailed, codeFailed,
		102001, 102002, 102003, 102004:
		return repeat
	}
	if e.dialUp() {
		return repeat
	}
	return nothing
}
