package hilink

import "errors"

var (
	// ErrNotHiLink means that something answered which isn't the web API of a
	// HiLink modem: a web page, a redirect, another device.
	ErrNotHiLink = errors.New("not a HiLink answer")
	// ErrTimeout means that the modem didn't answer within Options.Timeout.
	ErrTimeout = errors.New("the modem did not answer in time")
	// ErrClosed means that the client was closed.
	ErrClosed = errors.New("the modem's client is closed")
	// ErrLoginRequired is what an *Error with code 100003 is, for errors.Is: the
	// modem wants a login, and there is no password or the login didn't help.
	ErrLoginRequired = errors.New("the modem wants a login: set its password (host.modem_password), or switch the login off on its web page")
	// ErrWrongPassword is what an *Error is whose login was refused for its user
	// name or password. The client doesn't log in again after it.
	ErrWrongPassword = errors.New("the modem refuses this user name and password")
	// ErrLocked is what an *Error is while the modem takes no logins at all;
	// its Wait says for how long.
	ErrLocked = errors.New("the modem takes no logins for now")
)

// Codes that are more than words.
const (
	codeUnknown           = 100001
	codeNotSupported      = 100002
	codeNoRights          = 100003
	codeBusy              = 100004
	codeFormat            = 100005
	codeParameter         = 100006
	codeSaveFailed        = 100007
	codeReadFailed        = 100008
	codeFailed            = 100010
	codeATFailed          = 103001
	codeSIMBusy           = 103008
	codeWrongUser         = 108001
	codeWrongPassword     = 108002
	codeLoggedIn          = 108003
	codeWrongPair         = 108006
	codeLocked            = 108007
	codeTooFast           = 108010
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
	codeFormat:            "the modem can't read the request",
	codeParameter:         "the modem doesn't take a value of the request",
	codeSaveFailed:        "the modem can't save its settings",
	codeReadFailed:        "the modem can't read its settings",
	codeFailed:            "the modem failed",
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
	codeATFailed:          "a command inside the modem failed",
	codeSIMBusy:           "the SIM is busy",
	103011:                "the SIM is locked for good: its PUK was wrong too often",
	104001:                "the modem's DHCP settings failed",
	codeWrongUser:         "the modem doesn't know this user name",
	codeWrongPassword:     "the modem's password is wrong",
	codeLoggedIn:          "somebody is logged in at the modem already",
	108005:                "too many users are logged in at the modem",
	codeWrongPair:         "the modem's user name or password is wrong",
	codeLocked:            "the modem's login is locked after too many wrong tries",
	108009:                "somebody is logged in at the modem from another device",
	codeTooFast:           "logins come too fast for the modem",
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
