package hilink

import (
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxRequest is the longest request that is read, in bytes.
	maxRequest = 64 << 10
	// tokenHeader brings a POST's token, and in its answer the next one.
	tokenHeader = "__RequestVerificationToken"
	// sessionCookie holds the session's id.
	sessionCookie = "SessionID"
	// notFound stands for the web pages of a modem but its first.
	notFound = "<html><head><title>404 Not Found</title></head><body></body></html>"
)

// request is what the firmware sees of an HTTP request.
type request struct {
	method, path string // path below /api/; others begin with a slash
	media        string // of the body, without parameters
	session      string
	token        string
	body         []byte
}

// reply is what it says to it.
type reply struct {
	lost    bool // nothing: the modem died
	missing bool // no such page: HTTP status 404. Below /api/ all is 200
	body    []byte
	tokens  []string // the next ones
	session string   // a new one, to be kept as a cookie; empty: none
}

// serveAPI is the modem's web server.
func (m *Modem) serveAPI(w http.ResponseWriter, r *http.Request) {
	// The whole body first: only then the server notices a client that goes.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil || !m.suffer(r) {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Cache-Control", "no-cache")
	// A stick's clock starts at zero.
	w.Header().Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT")
	req := request{method: r.Method, token: r.Header.Get(tokenHeader), body: body}
	req.path, _ = strings.CutPrefix(r.URL.Path, "/api/")
	req.media, _, _ = mime.ParseMediaType(r.Header.Get("Content-Type"))
	if c, err := r.Cookie(sessionCookie); err == nil {
		req.session = c.Value
	}
	a := m.answer(req)
	if a.lost {
		panic(http.ErrAbortHandler)
	}
	if a.session != "" {
		w.Header().Set("Set-Cookie", sessionCookie+"="+a.session+"; path=/; HttpOnly;")
	}
	if len(a.tokens) > 0 {
		w.Header()[tokenHeader] = []string{strings.Join(a.tokens, "#")} // spelt as the firmware does
	}
	if len(a.tokens) > 1 {
		w.Header()[tokenHeader+"one"] = a.tokens[:1]
		w.Header()[tokenHeader+"two"] = a.tokens[1:2]
	}
	if a.missing {
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = w.Write(a.body) // a client that went hears nothing
}

// answer carries out a request and notes it.
func (m *Modem) answer(r request) reply {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.rebooting() {
		return reply{lost: true}
	}
	a := m.look(now, r)
	code := 0
	if d, err := parse(a.body, "error"); err == nil {
		code, _ = strconv.Atoi(d.value("code"))
	}
	m.asked(Request{Method: r.method, Path: r.path, Code: code})
	return a
}

// look decides on a request. The order of its checks is the firmware's: the
// path, the session, the token, the login, then the request itself.
func (m *Modem) look(now time.Time, r request) reply {
	if m.faults.HTML {
		return reply{body: page()}
	}
	if strings.HasPrefix(r.path, "/") {
		return m.page(now, r)
	}
	if a, ok := m.handout(now, r); ok {
		return a
	}
	e := m.firmware.endpoints[r.path]
	if !e.takes(r.method) {
		return reply{body: refusal(errNotSupported)}
	}
	var a reply
	switch {
	case m.visitors.known(now, r.session):
	case e.open:
		a.session = m.visitors.open(now)
		r.session = a.session
	case r.method == http.MethodPost && m.visitors.ousted[r.session]:
		return reply{body: refusal(errWrongSessionToken)}
	default:
		return reply{body: refusal(errWrongSession)}
	}
	v := m.visitors.sessions[r.session]
	if r.method == http.MethodGet {
		a.body = m.read(now, e, v, r)
		return a
	}
	a = m.post(now, e, v, r)
	if len(a.tokens) == 0 && !m.faults.LoseToken && m.visitors.sessions[r.session] != nil {
		a.tokens = []string{m.visitors.grant(r.session)}
	}
	return a
}

// read carries out a GET of a session that is known.
func (m *Modem) read(now time.Time, e endpoint, v *visitor, r request) []byte {
	switch code := m.refuse(r); {
	case code != 0:
		return refusal(code)
	case e.getLogin && m.account.wanted() && !v.loggedIn:
		return refusal(errNoRights)
	case e.ask != nil:
		return e.ask(m, now, v).bytes()
	}
	return e.get(m, now).bytes()
}

// post carries out a write of a session that is known.
func (m *Modem) post(now time.Time, e endpoint, v *visitor, r request) reply {
	if code := m.visitors.spend(r.session, r.token); code != 0 {
		return reply{body: refusal(code)}
	}
	if code := m.refuse(r); code != 0 {
		return reply{body: refusal(code)}
	}
	if e.postLogin && m.account.wanted() && !v.loggedIn {
		return reply{body: refusal(errNoRights)}
	}
	switch r.media {
	case "application/x-www-form-urlencoded", "text/xml", "application/xml":
	default:
		return reply{body: refusal(errFormat)}
	}
	elements, err := parse(r.body, "request")
	if err != nil {
		return reply{body: refusal(errFormat)}
	}
	if e.visit != nil {
		return e.visit(m, now, v, r, elements)
	}
	if code := e.post(m, now, elements); code != 0 {
		return reply{body: refusal(code)}
	}
	if m.faults.DieMidSwitch && !m.rebooting() {
		m.reboot(now)
		return reply{lost: true}
	}
	return reply{body: okAnswer}
}

// handout gives out a token, and a session to those that have none, at the
// places that this modem has for it. False: this isn't one.
func (m *Modem) handout(now time.Time, r request) (reply, bool) {
	if r.method != http.MethodGet {
		return reply{}, false
	}
	switch handout := m.opt.Handout; {
	case r.path == "webserver/SesTokInfo" && handout == HandoutSesTokInfo:
		session, a := m.enter(now, r.session)
		a.body = document{
			{"SesInfo", sessionCookie + "=" + session},
			{"TokInfo", m.visitors.grant(session)},
		}.bytes()
		return a, true
	case r.path == "webserver/token" && (handout == HandoutLong || handout == HandoutSesTokInfo && m.firmware.longToken):
		if !m.visitors.known(now, r.session) {
			return reply{body: refusal(errWrongSession)}, true
		}
		return reply{body: document{{"token", m.visitors.secret(tokenLength) + m.visitors.grant(r.session)}}.bytes()}, true
	}
	return reply{}, false
}

// enter is the session of a visitor, a new one where it isn't known.
func (m *Modem) enter(now time.Time, session string) (string, reply) {
	if m.visitors.known(now, session) {
		return session, reply{}
	}
	session = m.visitors.open(now)
	return session, reply{session: session}
}

// page is the start page, or none. It gives a session to who has none.
func (m *Modem) page(now time.Time, r request) reply {
	if r.method != http.MethodGet || r.path != "/" && r.path != "/html/index.html" {
		return reply{missing: true, body: []byte(notFound)}
	}
	session, a := m.enter(now, r.session)
	metas := ""
	if m.opt.Handout != HandoutLong {
		for range 2 {
			metas += `<meta name="csrf_token" content="` + m.visitors.grant(session) + "\"/>\n"
		}
	}
	a.body = []byte("<!DOCTYPE html>\n<html>\n<head>\n" + metas + "<title></title>\n</head>\n<body></body>\n</html>\n")
	return a
}

// serveEcho is the internet behind the modem. Connections come here only when
// they were made while the modem was attached, and are cut when it detaches.
func (m *Modem) serveEcho(w http.ResponseWriter, r *http.Request) {
	addr := m.Address()
	if !addr.IsValid() {
		panic(http.ErrAbortHandler) // it detached this very moment
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "GET only", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, addr.String())
}
