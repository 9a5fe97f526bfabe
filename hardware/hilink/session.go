package hilink

import (
	"errors"
	"net/http"
	"strings"
)

const (
	// tokenHeader carries a POST's token, and in its answer the next ones.
	tokenHeader = "__RequestVerificationToken"
	// sessionCookie is the only cookie that modems set.
	sessionCookie = "SessionID"
	// maxTokens bounds the queue. A login brings 32.
	maxTokens = 64
	// tokenLength is a token's usual length.
	tokenLength = 32
	// maxSecret bounds a token (32 bytes) and a session id (128 bytes).
	maxSecret = 512
)

// session is what a modem knows us by. It is guarded by the client's gate.
type session struct {
	cookie   string   // empty: none yet
	tokens   []string // each good for one POST, oldest first
	loggedIn bool
}

// pop takes the next token.
func (s *session) pop() (string, bool) {
	if len(s.tokens) == 0 {
		return "", false
	}
	token := s.tokens[0]
	s.tokens = s.tokens[1:]
	return token, true
}

// adopt takes what SesTokInfo says. Firmware differs in whether the session id
// is prefixed with the cookie's name, and some give it by Set-Cookie alone.
func (s *session) adopt(sesInfo, tokInfo string) {
	id, _, _ := strings.Cut(sesInfo, ";")
	s.turn(strings.TrimPrefix(strings.TrimSpace(id), sessionCookie+"="))
	if usable(tokInfo) {
		s.tokens = []string{tokInfo}
	}
}

// absorb takes what an answer's header says.
func (s *session) absorb(h http.Header, post bool) {
	for _, c := range (&http.Response{Header: h}).Cookies() {
		if c.Name == sessionCookie {
			s.turn(c.Value)
		}
	}
	if post {
		s.add(parseTokens(h))
	}
}

// add appends tokens to the queue, but for what can't be one.
func (s *session) add(tokens []string) {
	for _, token := range tokens {
		if usable(token) {
			s.tokens = append(s.tokens, token)
		}
	}
	s.tokens = s.tokens[max(0, len(s.tokens)-maxTokens):]
}

// turn changes to another session id. Tokens and a login belong to the session
// that they were given to.
func (s *session) turn(id string) {
	if usable(id) && id != s.cookie {
		*s = session{cookie: id}
	}
}

// forget drops what err says is worthless.
func (s *session) forget(err error) {
	if errors.Is(err, ErrNotHiLink) {
		// Perhaps another device sits there now.
		*s = session{}
		return
	}
	refusal, ok := errors.AsType[*Error](err)
	if !ok {
		return
	}
	switch refusal.Code {
	case codeWrongToken:
		s.tokens = nil
	case codeWrongSession, codeWrongSessionToken:
		*s = session{}
	}
}

// parseTokens reads the tokens of an answer's header: one, or several with "#"
// between them and perhaps behind them. The header's name comes in any case.
// Where it is missing the first two tokens of a login stand in headers of their
// own.
func parseTokens(h http.Header) []string {
	if tokens := tokensIn(h, tokenHeader); len(tokens) > 0 {
		return tokens
	}
	return append(tokensIn(h, tokenHeader+"one"), tokensIn(h, tokenHeader+"two")...)
}

func tokensIn(h http.Header, header string) []string {
	var tokens []string
	for name, lines := range h {
		if !strings.EqualFold(name, header) {
			continue
		}
		for _, line := range lines {
			for token := range strings.SplitSeq(line, "#") {
				token = strings.TrimSpace(token)
				if usable(token) && len(tokens) < maxTokens {
					tokens = append(tokens, token)
				}
			}
		}
	}
	return tokens
}

// usable reports whether a token or session id can stand in a header: visible
// ASCII, and none of the characters that separate.
func usable(s string) bool {
	if s == "" || len(s) > maxSecret {
		return false
	}
	for _, b := range []byte(s) {
		if b <= ' ' || b > '~' || b == '#' || b == ';' || b == ',' || b == '"' {
			return false
		}
	}
	return true
}
