// Package hilink speaks the web API of a Huawei HiLink modem ("dongle"): it
// reads the modem's radio, traffic and connection, and works the two switches
// that give a dongle another public address, the network mode and mobile data.
//
// # Use
//
// One Client is one modem. New takes the modem's base URL (http://192.168.N.1
// on a proxy host) and the dialer that reaches it, so the same code works
// through a dongle's own interface and against a simulated modem on loopback.
// New does no I/O; the first call opens the session. Nothing but the modem is
// ever contacted: proxies of the environment are ignored and redirects are not
// followed, because a modem that redirects is showing a web page and an answer
// of any other host would be believed to be the modem's.
//
// # Concurrency
//
// All methods of a Client may be called from any goroutine. The modem itself
// bears one visitor at a time, so calls are let through one by one; a call that
// waits for its turn gives up when its context does. Options.Timeout bounds one
// HTTP request and doesn't run while waiting; a call makes one to four of
// them (session, request, and both again where the modem had dropped the
// session), Signal up to twice as many. Close ends the call under way, waits for
// it, and makes every later one fail with ErrClosed.
//
// # Sessions and tokens
//
// A session is a cookie that GET /api/webserver/SesTokInfo hands out, together
// with a token. A GET needs the cookie. A POST needs a token besides, each good
// for one POST; its answer's header brings the next one, or a list of them.
// The client keeps these in a queue and asks for a new one when it is empty. A
// token refused (125001) empties the queue, a session refused (125002, 125003)
// drops both; the call is then made once more, and only once: these refusals
// come before the modem does anything, so nothing is done twice. No other
// refusal is repeated here, and a POST whose answer was lost isn't either.
//
// Logins are not part of this package yet: a modem that wants one answers
// 100003, which is ErrLoginRequired.
//
// # What is promised
//
// What a modem doesn't say, or says in a way nobody can read, is absent (nil,
// or -1 for the numbers of Status) and never zero: zero is a value here, as
// cell 0 and 0 dB are. A refusal of the modem is an *Error with the modem's code
// and our words for it; something that isn't a HiLink modem is ErrNotHiLink;
// silence is ErrTimeout. Errors of the network keep their cause for errors.Is
// and errors.As. Neither tokens nor session ids appear in any error.
//
// # Where the facts come from
//
// From published recordings of real sticks (E8372h-153, -155 and -320,
// E3372h-153 and -320, B525 and others), from the modems' own web pages, and
// from public client libraries; testdata/README.md names the recordings that
// the tests read. Not one of the calls has been tried on a stick of ours yet.
package hilink
