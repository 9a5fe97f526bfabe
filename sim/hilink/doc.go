// Package hilink is a simulated HiLink modem: the web API on one port of the
// loopback interface and the internet behind the modem on another. Demo, tests
// and chaos runs use it in place of a stick with a SIM.
//
// # What it is
//
// A Modem is one stick, of the E8372h-320 kind or of that of E8372h-153 and
// E3372h (Family). Its web API (URL) answers with what such a stick was recorded
// to answer, at the same places, in the same form, and is as strict: it wants
// the session's cookie and for a POST a token that it gave out in that session
// and that wasn't used, a login for what the family wants one for if it has a
// password, the elements of a net mode in their order, and it says no with the
// recorded error documents under HTTP status 200. It counts wrong passwords and
// locks after five; a login ends every other session. Its gateway (Gateway) is what lies behind the modem: whatever
// connects to it while the modem is attached finds a web server that answers
// each GET with the modem's address as the internet sees it. While the modem is
// detached a connection is held, and closed without a word once the modem
// attaches; connections are cut when it detaches.
//
// A net mode that differs from the one set makes the modem leave the network
// and come back after Options.Reattach with another address; so does mobile data
// switched off and on. That holds for 00 to 03 on LTE as well, where a real
// stick may see no reason to leave: how often it does depends on the operator,
// and has not been measured.
//
// # Faults
//
// SetFaults makes it misbehave, at any time, in the ways that sticks were seen
// or reported to; Refuse, TakeOver, ExpireSessions, Lock, Reboot and SetFamily do
// the rest. What is outside this process says the same to ControlURL, a port of
// the simulator's own (Options.ControlAddr). Requests is what the web server was
// asked. Ledger says afterwards what really happened: each write that
// was accepted, each time the modem detached and attached. It is the other side
// of every test: a toggle that claims a new address has to stand there.
//
// # Concurrency
//
// Start, Close and everything else may be called from any goroutine. One lock
// guards all state of a modem; Options.Addresses is called with it held and must
// not call back. Clients are served side by side, their requests take effect one
// after another. The clock is the real one.
//
// # What is promised
//
// Close waits for every goroutine of the modem. A modem that is started with
// the addresses of one that was closed takes its place, with no memory of it:
// sessions, mode and counters begin anew, as after pulling a stick. What varies
// (levels, rates, tokens) comes from Options.Seed: the same requests at the same
// times get the same answers.
//
// # To grow
//
// A firmware family is a row of families and a table of endpoints; an endpoint
// has a handler that runs under the lock and answers with a document. What a
// session may do is checked in one place, Modem.look.
//
// # Where the facts come from
//
// captured/README.md names the recordings. What no recording shows was taken
// from public client libraries (which code answers what, that elements out of
// order are 100005, that an idle session ends after five minutes, how a login is
// computed), or is a
// choice on the strict side: a body that isn't a form's or XML's media type is
// malformed, and no request is taken on an unknown session.
package hilink
