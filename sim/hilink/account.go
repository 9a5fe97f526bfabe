package hilink

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Scheme is the way in which a modem wants its password.
type Scheme string

// The schemes, and their numbers in state-login.
const (
	// SchemeDefault is the family's.
	SchemeDefault Scheme = ""
	// Plain is type 0: base64 of the password.
	Plain Scheme = "plain"
	// PlainAfter is type 3: the same.
	PlainAfter Scheme = "plain_after"
	// Hashed is type 4: SHA-256 of user, hashed password and the request's token.
	Hashed Scheme = "hashed"
	// SCRAM is extern_password_type 1: a challenge and its proof.
	SCRAM Scheme = "scram"
)

const (
	// maxFailures is how many wrong passwords lock the modem.
	maxFailures = 5
	// loginTokens is how many tokens a login brings.
	loginTokens = 32
	iterations  = 100
)

// account is the modem's one account. Guarded by Modem.mu.
type account struct {
	user, password string // no password: no login is wanted
	lockTime       time.Duration
	salt           []byte
	failures       int
	locked         time.Time // until then no login is taken
}

// forget drops what pulling the stick drops.
func (a *account) forget() { a.failures, a.locked = 0, time.Time{} }

func (a *account) wanted() bool { return a.password != "" }

// fail counts a wrong password and returns the refusal's document.
func (a *account) fail(now time.Time) []byte {
	if a.failures++; a.failures >= maxFailures {
		a.failures, a.locked = 0, now.Add(a.lockTime)
		return refusal(errLocked)
	}
	return countedRefusal(errWrongPair, a.failures)
}

// scheme is the one in force. Called with mu held.
func (m *Modem) scheme() Scheme {
	if m.opt.Login != SchemeDefault {
		return m.opt.Login
	}
	return m.firmware.scheme
}

func (m *Modem) hilinkLogin(time.Time, *visitor) document {
	if m.account.wanted() {
		return document{{"hilink_login", "1"}}
	}
	return document{{"hilink_login", "0"}}
}

func (m *Modem) heartbeat(_ time.Time, v *visitor) document {
	if v.loggedIn {
		return document{{"userlevel", "2"}}
	}
	return document{{"userlevel", "0"}}
}

func (m *Modem) stateLogin(now time.Time, v *visitor) document {
	state, kind, extern := "-1", "4", "0"
	if v.loggedIn || !m.account.wanted() {
		state = "0"
	}
	switch m.scheme() {
	case Plain:
		kind = "0"
	case PlainAfter:
		kind = "3"
	case SCRAM:
		extern = "1"
	}
	if m.firmware.briefState && extern == "0" {
		return document{{"State", state}, {"Username", ""}, {"password_type", kind}}
	}
	lock, minutes := "0", 0
	if left := m.account.locked.Sub(now); left > 0 {
		lock, minutes = "1", int((left+time.Minute-1)/time.Minute)
	}
	return document{
		{"password_type", kind}, {"extern_password_type", extern}, {"history_login_flag", "0"}, {"State", state},
		{"lockstatus", lock}, {"accounts_number", "1"}, {"rsapadingtype", "1"},
		{"remainwaittime", strconv.Itoa(minutes)}, {"wifipwdsamewithwebpwd", "0"}, {"username", ""}, {"firstlogin", "1"}, {"userlevel", ""},
	}
}

// shut is the refusal of a login whatever its password; 0: it is looked at.
func (m *Modem) shut(now time.Time, v *visitor) int {
	switch {
	case !m.account.wanted():
		return errNotSupported
	case v.loggedIn:
		return errLoggedIn
	case now.Before(m.account.locked):
		return errLocked
	}
	return 0
}

func (m *Modem) login(now time.Time, v *visitor, r request, d document) reply {
	if len(d) != 3 || d[0].name != "Username" || d[1].name != "Password" || d[2].name != "password_type" {
		return reply{body: refusal(errFormat)}
	}
	if code := m.shut(now, v); code != 0 {
		return reply{body: refusal(code)}
	}
	right, kind := "", ""
	switch m.scheme() {
	case Plain, PlainAfter:
		right, kind = base64.StdEncoding.EncodeToString([]byte(m.account.password)), "0"
		if m.scheme() == PlainAfter {
			kind = "3"
		}
	case Hashed:
		right, kind = hashed(m.account.user+hashed(m.account.password)+r.token), "4"
	}
	if kind == "" || d[2].value != kind || d[0].value != m.account.user || d[1].value != right {
		return reply{body: m.account.fail(now)}
	}
	return m.welcome(now, okAnswer)
}

// hashed is the base64 of the hex of the SHA-256.
func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:])))
}

// welcome ends every session and begins one that is logged in.
func (m *Modem) welcome(now time.Time, body []byte) reply {
	m.account.failures = 0
	m.visitors.oust()
	a := reply{body: body, session: m.visitors.open(now)}
	m.visitors.sessions[a.session].loggedIn = true
	for range loginTokens {
		a.tokens = append(a.tokens, m.visitors.grant(a.session))
	}
	m.note(now, "login "+m.account.user)
	return a
}

func (m *Modem) challenge(now time.Time, v *visitor, _ request, d document) reply {
	first := d.value("firstnonce")
	if d.value("username") == "" || len(first) < 32 || d.value("mode") != "1" {
		return reply{body: refusal(errFormat)}
	}
	if m.scheme() != SCRAM {
		return reply{body: refusal(errNotSupported)}
	}
	if code := m.shut(now, v); code != 0 {
		return reply{body: refusal(code)}
	}
	v.user, v.first, v.server = d.value("username"), first, first+m.visitors.secret(tokenLength)
	return reply{body: document{
		{"iterations", strconv.Itoa(iterations)}, {"servernonce", v.server}, {"modeselected", "1"},
		{"salt", hex.EncodeToString(m.account.salt)}, {"newType", "0"},
	}.bytes()}
}

func (m *Modem) authenticate(now time.Time, v *visitor, _ request, d document) reply {
	if m.scheme() != SCRAM {
		return reply{body: refusal(errNotSupported)}
	}
	if code := m.shut(now, v); code != 0 {
		return reply{body: refusal(code)}
	}
	proof, server := scram(m.account.password, m.account.salt, iterations, v.first, v.server)
	right := v.server != "" && v.user == m.account.user &&
		d.value("finalnonce") == v.server && strings.EqualFold(d.value("clientproof"), hex.EncodeToString(proof))
	v.server = ""
	if !right {
		return reply{body: m.account.fail(now)}
	}
	modulus := strings.Repeat("c5", 256)
	raw, _ := hex.DecodeString(modulus)
	return m.welcome(now, document{
		{"serversignature", hex.EncodeToString(server.signature)},
		{"rsapubkeysignature", hex.EncodeToString(mac(server.key, raw))},
		{"rsan", modulus}, {"rsae", "010001"},
	}.bytes())
}

// serverSide is what a modem proves with that it knows the password.
type serverSide struct{ key, signature []byte }

// scram computes both sides' proofs, with key and message of the HMACs the way
// the firmware has them.
func scram(password string, salt []byte, rounds int, first, server string) ([]byte, serverSide) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
	if err != nil {
		panic(err)
	}
	message := []byte(first + "," + server + "," + server)
	key := mac([]byte("Client Key"), salted)
	stored := sha256.Sum256(key)
	proof := mac(message, stored[:])
	for i := range proof {
		proof[i] ^= key[i]
	}
	serverKey := mac([]byte("Server Key"), salted)
	return proof, serverSide{serverKey, mac(message, serverKey)}
}

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

func (m *Modem) logout(_ time.Time, v *visitor, _ request, d document) reply {
	if len(d) != 1 || d.value("Logout") != "1" {
		return reply{body: refusal(errFormat)}
	}
	v.loggedIn = false
	return reply{body: okAnswer}
}

// TakeOver logs somebody else in: this ends every session there is.
func (m *Modem) TakeOver() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.welcome(time.Now(), nil)
}
