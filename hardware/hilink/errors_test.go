package hilink

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Ensure a refusal says what was tried, why not, and the modem's code.
func TestError(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*Error{
		"set net mode: the modem refuses this net mode or these bands (112003)":                                                          {Code: 112003, Op: "set net mode"},
		"read signal: the modem wants a login: set its password (host.modem_password), or switch the login off on its web page (100003)": {Code: 100003, Op: "read signal"},
		"read signal: the modem refuses (123456): \"no \\n luck\"":                                                                       {Code: 123456, Message: "no \n luck", Op: "read signal"},
		"the modem refuses (0)": {},
		"log in: the modem's user name or password is wrong (108006): 3 wrong so far":                {Code: 108006, Op: "log in", Tries: 3},
		"log in: the modem's login is locked after too many wrong tries (108007): try again in 2m0s": {Code: 108007, Op: "log in", Wait: 2 * time.Minute},
		"read status: the modem has trouble with itself or the SIM (103005)":                         {Code: 103005, Op: "read status"},
		"read status: the modem has trouble with the SIM (101009)":                                   {Code: 101009, Op: "read status"},
		"set net mode: the modem can't read or save its dial-up profile (107725)":                    {Code: 107725, Op: "set net mode"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	long := &Error{Code: 1, Message: strings.Repeat("x", 5000)}
	if n := len(long.Error()); n > 300 {
		t.Errorf("a modem can make an error of %d bytes", n)
	}
}

// Ensure codes are sorted by what to do about them.
func TestError_classes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		is    func(*Error) bool
		codes []int
	}{
		"busy":             {(*Error).Busy, []int{100004, 103008, 120001}},
		"needs login":      {(*Error).NeedsLogin, []int{100003}},
		"not supported":    {(*Error).NotSupported, []int{100001, 100002}},
		"net mode refused": {(*Error).NetModeRefused, []int{112001, 112002, 112003, 112004, 112006, 112007}},
	}
	for code := 100000; code < 130000; code++ {
		for name, tt := range tests {
			want := false
			for _, c := range tt.codes {
				want = want || c == code
			}
			if got := tt.is(&Error{Code: code}); got != want {
				t.Errorf("%d: %s = %v", code, name, got)
			}
		}
		if _, ok := words[code]; ok && strings.Contains((&Error{Code: code}).Error(), "refuses (") {
			t.Errorf("%d has no words", code)
		}
	}
	for code, want := range map[int]error{
		108001: ErrWrongPassword, 108002: ErrWrongPassword, 108006: ErrWrongPassword, 108007: ErrLocked, 108010: ErrLocked,
		108003: nil, 108005: nil, 108009: nil,
	} {
		for _, target := range []error{ErrWrongPassword, ErrLocked, ErrLoginRequired} {
			if got := errors.Is(&Error{Code: code}, target); got != errors.Is(want, target) {
				t.Errorf("%d is %q: %v", code, target, got)
			}
		}
	}
	err := fmt.Errorf("toggle: %w", &Error{Code: codeNoRights})
	if !errors.Is(err, ErrLoginRequired) || errors.Is(err, ErrNotHiLink) {
		t.Errorf("%v is not a want of a login", err)
	}
	if errors.Is(&Error{Code: codeBusy}, ErrLoginRequired) {
		t.Error("busy is taken for a want of a login")
	}
}
