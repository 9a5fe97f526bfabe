package hilink

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// challenges are logins that were recorded, and what proved them.
var challenges = map[string]struct {
	password string
	challenge
	proof, signature string
}{
	"E3372": {"test", challenge{
		first:  "6513d4a1bfa0d6b3a7e3320dc6b3b1cd703a479d4958b5e1462658d75f0c5029",
		server: "6513d4a1bfa0d6b3a7e3320dc6b3b1cd703a479d4958b5e1462658d75f0c5029BsP0n8rghqsOgEbevsDvKnn0eCjBfed2",
		salt:   "ef08b9902cfb555135d098952c6d4ce629d52a3e835d4831147c96081538113c", iterations: 100,
	}, "efc134fac358b3e148c62714eae94edda8143840e4e13f12f723defefa9dca1f", "e926be337454a1d7213f21de17a3e5ee8cc537f6f5fae54dea20ffb3b0c660de"},
	"a client library": {"testpass", challenge{
		first:  "868f304eec646840959cb3830c0fe352bbc3b24f264ddd652764c8ad2c5fabe3",
		server: "868f304eec646840959cb3830c0fe352bbc3b24f264ddd652764c8ad2c5fabe31RYXGq1AJapOUsCb57h0bT5oCTsgDIDu",
		salt:   "4ec91c5b362986cec5ef6db10eb4bb5b1c54eef1eff89006cf00a8993226fabd", iterations: 100,
	}, "a79ce371acb04daeca2f4f496a9906df970794885ed764760316c54e2433de46", ""},
	"the firmware's own script": {"Test@1234", challenge{
		first:  strings.Repeat("a", 64),
		server: strings.Repeat("b", 96),
		salt:   "ebd3413f32f86f29fb199db8e35192a85f05e01f9becef77939472ef432715f8", iterations: 1000,
	}, "316f1a690d7436e32ce83d5fa1f007a12f0ebf3e869df5e65eabf80e7afcca35", ""},
}

// Ensure proofs are those that were published of real logins.
func TestChallenge_proof(t *testing.T) {
	t.Parallel()
	for name, v := range challenges {
		proof, signature, err := v.challenge.proof(v.password)
		if err != nil || proof != v.proof || v.signature != "" && signature != v.signature {
			t.Errorf("%s: proof %s, signature %s, %v", name, proof, signature, err)
		}
	}
}

// Ensure a challenge can't make us compute for ever, or without salt.
func TestChallenge_unusable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]challenge{
		"no salt":              {salt: "", iterations: 100},
		"salt that isn't hex":  {salt: "xyz", iterations: 100},
		"no iterations":        {salt: "ab", iterations: -1},
		"too many iterations":  {salt: "ab", iterations: maxIterations + 1},
		"iterations that miss": {salt: "ab"},
	} {
		if _, _, err := c.proof("x"); err == nil {
			t.Errorf("%s: was used", name)
		}
	}
}

// Ensure the password of type 4 is hashed as the web pages do it: the inner
// hash in base64 with its padding, bound to the token.
func TestHashed(t *testing.T) {
	t.Parallel()
	const want = "NjJlYWMyN2UxZTZiZTdkMWQ1NWU3MjczM2VhY2ViZDAxMzhiYTBjNzU1Nzk4NTc2OWI3ODljNGFkZGJmMjg2ZA=="
	if got := hashed("admin", "admin", "WxP4vWdnPVWloYVy1xWNv3E1SWaKBq0E"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// scripted answers a login by path, and everything else by refusing for want
// of one.
func scripted(t *testing.T, byPath map[string]string) *stub {
	t.Helper()
	s := newStub(t, Options{Password: "sesame-1"})
	s.answer = func(w http.ResponseWriter, r *http.Request, _ int) {
		body, known := byPath[strings.TrimPrefix(r.URL.Path, "/api/user/")]
		switch {
		case known:
		case strings.HasPrefix(r.URL.Path, "/api/user/"):
			body = refuse(codeNotSupported)
		default:
			body = refuse(codeNoRights)
		}
		io.WriteString(w, body)
	}
	return s
}

// Ensure a login is refused by us that the modem does wrong, before or after
// the password is out, with words for it.
func TestLogin_unusable(t *testing.T) {
	t.Parallel()
	const extern = "<response><password_type>4</password_type><extern_password_type>1</extern_password_type></response>"
	for want, byPath := range map[string]map[string]string{
		"a password of type 7":            {"state-login": "<response><password_type>7</password_type></response>"},
		"isn't an answer to ours":         {"state-login": extern, "challenge_login": "<response><servernonce>abc</servernonce></response>"},
		"answered \"no\" and not OK":      {"state-login": "<response><password_type>4</password_type></response>", "login": "<response>no</response>"},
		"doesn't support this request":    {"state-login": extern},
		"the modem wants a login":         {"hilink_login": "<response><hilink_login>0</hilink_login></response>"},
		"somebody is logged in":           {"login": refuse(108009)},
		"too many users":                  {"login": refuse(108005)},
		"logins come too fast":            {"login": refuse(108010)},
		"try again in 5m0s":               {"state-login": "<response><remainwaittime>5</remainwaittime></response>"},
		"try again in 1m0s":               {"state-login": "<response><lockstatus>1</lockstatus></response>"},
		"doesn't know this user name":     {"login": refuse(108001)},
		"the modem's password is wrong":   {"login": refuse(108002)},
		"log in: the modem wants a login": {"login": refuse(100003)},
	} {
		_, err := scripted(t, byPath).client.Signal(within(t))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "read signal: ") {
			t.Errorf("%v, want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "sesame") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// Ensure firmware too old for state-login gets the password in base64.
func TestLogin_old(t *testing.T) {
	t.Parallel()
	s := scripted(t, map[string]string{"login": ok})
	_, _ = s.client.Signal(within(t))
	found := false
	for _, body := range s.bodies {
		found = found || strings.Contains(body, "<Username>admin</Username><Password>c2VzYW1lLTE=</Password><password_type>0</password_type>")
	}
	if !found {
		t.Errorf("bodies %q", s.bodies)
	}
}

// Ensure a lock is left alone for as long as it lasts, and no longer.
func TestLogin_lockEnds(t *testing.T) {
	t.Parallel()
	byPath := map[string]string{"state-login": "<response><lockstatus>1</lockstatus><remainwaittime>2</remainwaittime></response>"}
	s := scripted(t, byPath)
	now := time.Now()
	s.client.now = func() time.Time { return now }
	asked := func() (n int) {
		_, _ = s.client.Signal(within(t))
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, e := range s.entries {
			if strings.HasPrefix(e, "GET user/state-login") {
				n++
			}
		}
		return n
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {2*time.Minute - 1, 1}, {1, 2}} {
		now = now.Add(step.after)
		if got := asked(); got != step.want {
			t.Errorf("after %v: asked %d times, want %d", step.after, got, step.want)
		}
	}
}
