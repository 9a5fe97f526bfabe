package hilink

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recordings are all files of testdata below the given folders.
func recordings(f *testing.F, folders ...string) [][]byte {
	f.Helper()
	var all [][]byte
	for _, folder := range folders {
		names, err := filepath.Glob(filepath.Join("testdata", folder, "*"))
		if err != nil || len(names) == 0 {
			f.Fatalf("%s: %v", folder, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, b)
		}
	}
	return all
}

// Ensure no answer makes a reader fail badly: it is values, or one of the
// errors that callers know, and every value can go into a JSON document.
func FuzzDecode(f *testing.F) {
	for _, b := range recordings(f, "signal", "status", "errors", "html") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := decode(body)
		if err != nil {
			if refusal, ok := errors.AsType[*Error](err); ok && (refusal.Code < 0 || len(refusal.Error()) > 1000) {
				t.Errorf("%+v", refusal)
			}
			if a.text != "" || a.fields != nil {
				t.Errorf("an answer and an error: %+v, %v", a, err)
			}
			return
		}
		s := signalOf(a)
		if _, err := json.Marshal(s); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
		info, n := infoOf(a), networkOf(a)
		for _, v := range []*string{
			s.Band, s.CellID, s.PCI, s.PLMN, n.PLMN, n.Name, n.Short,
			info.Device, info.Class, info.Software, info.Hardware, info.WebUI, info.IMEI, info.IMSI, info.ICCID, info.MSISDN, info.WorkMode,
		} {
			if v != nil && (*v == "" || *v != strings.TrimSpace(*v)) {
				t.Errorf("%q instead of none", *v)
			}
		}
		if st := statusOf(a); st.Connection < -1 || st.String() == "" {
			t.Errorf("%+v", st)
		}
		if info.Uptime != nil && *info.Uptime < 0 || n.RAT != nil && *n.RAT < 0 {
			t.Errorf("uptime %v, network type %v", info.Uptime, n.RAT)
		}
		if wait, locked := lockOf(a); locked && wait <= 0 {
			t.Errorf("locked for %v", wait)
		}
		var ses session
		ses.adopt(a.field("SesInfo"), a.field("TokInfo"))
		for _, v := range append(ses.tokens, ses.cookie) {
			if v != "" && !usable(v) {
				t.Errorf("%q would go into a header", v)
			}
		}
	})
}

// Ensure a level is a number within bounds, that a digit was there for it, and
// that its text doesn't change what it is.
func FuzzLevel(f *testing.F) {
	for _, b := range recordings(f, "signal") {
		for line := range strings.Lines(string(b)) {
			f.Add(strings.Split(strings.TrimSpace(line), "\t")[0])
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		v := level(s)
		if v == nil {
			return
		}
		if !strings.ContainsAny(s, "0123456789") {
			t.Errorf("%q became %v", s, *v)
		}
		if !(*v > -levelBound && *v < levelBound) {
			t.Errorf("%q became %v", s, *v)
		}
		b, err := json.Marshal(*v)
		if err != nil {
			t.Fatal(err)
		}
		if again := level(string(b) + "dBm"); again == nil || *again != *v {
			if !strings.Contains(string(b), "e") {
				t.Errorf("%q became %s, and that %v", s, b, again)
			}
		}
	})
}

// Ensure whatever a modem sends as tokens, each that is kept can stand in a
// header alone.
func FuzzParseTokens(f *testing.F) {
	for _, s := range []string{"a", "a#b#", "#", " a # b ", "CQe0Jf8cFydqncdI49jX1NCUnLE5qPSZ", "/RkJgmRg7HQ8MyN5bAo3zT8OqPKvN6Vs", "a\r\nX: y"} {
		f.Add("__RequestVerificationToken", s)
		f.Add("__requestverificationtoken", s)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		tokens := parseTokens(http.Header{name: {value}})
		if len(tokens) > maxTokens {
			t.Errorf("%d tokens", len(tokens))
		}
		for _, token := range tokens {
			if !usable(token) || strings.ContainsAny(token, "# \r\n") {
				t.Errorf("token %q", token)
			}
			if !strings.Contains(value, token) {
				t.Errorf("token %q isn't in %q", token, value)
			}
		}
	})
}
