package hilink

import (
	"errors"
	"fmt"
)

var (
	// ErrNotHiLink means that something answered which isn't the web API of a
	// HiLink modem: a web page, a redirect, another device.
	ErrNotHiLink = errors.New("not a HiLink answer")
	// ErrTimeout means that the modem didn't answer within Options.Timeout.
	ErrTimeout = errors.New("the modem did not answer in time")
	// ErrClosed means that the client was closed.
	ErrClosed = errors.New("the modem's client is closed")
	// ErrLoginRequired is what an *Error with code 100003 is, for errors.Is.
	ErrLoginRequired = errors.New("the modem wants a login: open its web page, log in, and switch the login off")
)

// Codes that are more than words.
const (
	codeUnknown           = 100001
	codeNotSupported      = 100002
	codeNoRights          = 100003
	codeBusy              = 100004
	codeSIMBusy           = 103008
	codeVoiceBusy         = 120001
	codeWrongToken        = 125001
	codeWrongSession      = 125002
	codeWrongSessionToken = 125003
)

// words says what the codes mean that a proxy host can meet.
var words = map[int]string{
	codeUnknown:           "the modem doesn't know this request",
	codeNotSupported:      "the modem doesn't support this request",
	codeNoRights:          ErrLoginRequired.Error(),
	codeBusy:              "the modem is busy",
	100005:                "the modem can't read the request",
	100006:                "the modem doesn't take a value of the request",
	100007:                "the modem can't save its settings",
	100008:                "the modem can't read its settings",
	100010:                "the modem failed",
	101001:                "no SIM, or not a valid one",
	101002:                "the SIM wants its PIN",
	101003:                "the SIM wants its PUK",
	101004:                "the SIM is unusable",
	101005:                "the SIM's PIN can't be switched on",
	101006:                "the SIM's PIN can't be switched off",
	101007:                "the SIM can't be unlocked with this PIN",
	102001:                "the modem can't read its network type",
	102002:                "the modem can't read its service state",
	102003:                "the modem can't read its roaming state",
	102004:                "the modem can't read its connection state",
	codeSIMBusy:           "the SIM is busy",
	103011:                "the SIM is locked for good: its PUK was wrong too often",
	104001:                "the modem's DHCP settings failed",
	108001:                "the modem doesn't know this user name",
	108002:                "the modem's password is wrong",
	108003:                "somebody is logged in at the modem already",
	108005:                "too many users are logged in at the modem",
	108006:                "the modem's user name or password is wrong",
	108007:                "the modem's login is locked after too many wrong tries",
	108009:                "somebody is logged in at the modem from another device",
	108010:                "logins come too fast for the modem",
	112001:                "the modem refuses a net mode or bands while it is dialling",
	112002:                "the modem refuses a search mode while it is dialling",
	112003:                "the modem refuses this net mode or these bands",
	112004:                "the modem refuses this search mode",
	112005:                "the modem can't register with the network",
	112006:                "the modem refuses this while it is connected",
	112007:                "the modem doesn't support this net mode",
	112008:                "the SIM isn't ready",
	112009:                "the modem is out of memory",
	codeVoiceBusy:         "the modem is busy with a call",
	codeWrongToken:        "the modem refuses the token, also a new one",
	codeWrongSession:      "the modem refuses the session, also a new one",
	codeWrongSessionToken: "the modem refuses session and token, also new ones",
}

// Error is a refusal of the modem.
type Error struct {
	// Code is the modem's number for it (112003); 0 where it sent none.
	Code int
	// Message is the modem's own text, nearly always empty.
	Message string
	// Op is what was tried: "read signal", "set net mode".
	Op string
}

// Error says in words what was tried and what the modem has against it.
func (e *Error) Error() string {
	why, ok := words[e.Code]
	switch {
	case ok:
	case e.Code >= 101001 && e.Code <= 101009:
		why = "the modem has trouble with the SIM"
	case e.Code >= 107720 && e.Code <= 107729:
		why = "the modem can't read or save its dial-up profile"
	default:
		why = "the modem refuses"
	}
	why = fmt.Sprintf("%s (%d)", why, e.Code)
	if e.Message != "" {
		why += fmt.Sprintf(": %.100q", e.Message)
	}
	if e.Op == "" {
		return why
	}
	return e.Op + ": " + why
}

// Is makes a refusal for want of a login an ErrLoginRequired.
func (e *Error) Is(target error) bool {
	return target == ErrLoginRequired && e.NeedsLogin()
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
