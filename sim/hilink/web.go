package hilink

import (
	"io"
	"mime"
	"net/http"
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
	// notFound stands for the web pages of a modem, which this one hasn't.
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
	missing bool // no such page: HTTP status 404. Below /api/ all is 200
	body    []byte
	token   string // the next one; empty: none
	session string // a new one, to be kept as a cookie; empty: none
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
	if a.session != "" {
		w.Header().Set("Set-Cookie", sessionCookie+"="+a.session+"; path=/; HttpOnly;")
	}
	if a.token != "" {
		w.Header()[tokenHeader] = []string{a.token} // spelt as the firmware does
	}
	if a.missing {
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = w.Write(a.body) // a client that went hears nothing
}

// answer carries out a request. The order of its checks is the firmware's: the
// path, the session, the token, then the request itself.
func (m *Modem) answer(r request) reply {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.faults.HTML {
		return reply{body: page()}
	}
	if strings.HasPrefix(r.path, "/") {
		return reply{missing: true, body: []byte(notFound)}
	}
	if r.path == "webserver/SesTokInfo" && r.method == http.MethodGet {
		return m.sesTokInfo(now, r.session)
	}
	e := family10[r.path]
	switch {
	case r.method == http.MethodGet && e.get != nil, r.method == http.MethodPost && e.post != nil:
	default:
		return reply{body: refusal(errNotSupported)}
	}
	if !m.visitors.known(now, r.session) {
		return reply{body: refusal(errWrongSession)}
	}
	if r.method == http.MethodGet {
		return reply{body: e.get(m, now).bytes()}
	}
	a := reply{body: okAnswer}
	if code := m.post(now, e, r); code != 0 {
		a.body = refusal(code)
	}
	if !m.faults.LoseToken {
		a.token = m.visitors.grant(r.session)
	}
	return a
}

// post carries out a write of a session that is known.
func (m *Modem) post(now time.Time, e endpoint, r request) int {
	if code := m.visitors.spend(r.session, r.token); code != 0 {
		return code
	}
	switch r.media {
	case "application/x-www-form-urlencoded", "text/xml", "application/xml":
	default:
		return errFormat
	}
	elements, err := parse(r.body, "request")
	if err != nil {
		return errFormat
	}
	return e.post(m, now, elements)
}

// sesTokInfo gives out a token, and a session to those that have none.
func (m *Modem) sesTokInfo(now time.Time, session string) reply {
	var a reply
	if !m.visitors.known(now, session) {
		session = m.visitors.open(now)
		a.session = session
	}
	a.body = document{
		{"SesInfo", sessionCookie + "=" + session},
		{"TokInfo", m.visitors.grant(session)},
	}.bytes()
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
