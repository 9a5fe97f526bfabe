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
// HTTP request and doesn't run while waiting; a call makes one of them where
// session and token are there, and a dozen at worst (session, login and request,
// and all of it again in another session). Close ends the call under way, waits
// for it, and makes every later one fail with ErrClosed.
//
// # Sessions and tokens
//
// A session is a cookie. A GET needs it; a POST needs a token besides, each good
// for one POST; its answer's header brings the next one, a login's a list of 32.
// The client keeps these in a queue and asks for a new one when it is empty.
// GET /api/webserver/SesTokInfo hands out both; firmware without it gives the
// session with its start page and the token there or at /api/webserver/token.
//
// # Logins
//
// Firmware differs in what it wants a login for. The client logs in when a call
// is refused for want of one (100003), and in each later session before it makes
// that call again. State-login says how: with the password in base64 (types 0
// and 3), hashed with the token (type 4), or by SCRAM. A modem locks after five
// wrong passwords, so one that was refused (ErrWrongPassword) is never sent again
// by this client; while the modem is locked (ErrLocked, Error.Wait) it isn't
// asked. What needs no login goes on meanwhile.
//
// # Refusals
//
// What can be done about a refusal is done, once a call, and the call made again:
//
//	125001                          with another token
//	125002 125003                   in another session, logged in if that call wants it
//	100003                          after a login
//	100004 103001 103008            after Options.RetryDelay: the modem was busy
//	100007 100008 100010            after Options.RetryDelay: its settings failed
//	102001-102004 107720-107729     after Options.RetryDelay: so did these
//	108003 at a login               after a logout
//
// All of these come before the modem does anything, so nothing is done twice. No
// other refusal is repeated: a person has to act (101001 and on), it is for good
// (100002, 100005, 100006), somebody else is logged in (108005, 108009), or
// another way has to be taken (112001 and on). A POST whose answer was lost isn't
// repeated either.
//
// # What is promised
//
// What a modem doesn't say, or says in a way nobody can read, is absent (nil,
// or -1 for the numbers of Status) and never zero: zero is a value here, as
// cell 0 and 0 dB are. A refusal of the modem is an *Error with the modem's code
// and our words for it; something that isn't a HiLink modem is ErrNotHiLink;
// silence is ErrTimeout. Errors of the network keep their cause for errors.Is
// and errors.As. Neither passwords nor tokens nor session ids appear in any error.
//
// # Where the facts come from
//
// From published recordings of real sticks (E8372h-153, -155 and -320,
// E3372h-153 and -320, B525 and others), from the modems' own web pages, and
// from public client libraries; testdata/README.md names the recordings that
// the tests read. Not one of the calls has been tried on a stick of ours yet.
package hilink
