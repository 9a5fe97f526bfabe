package jobs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/jobs"
)

var idForm = regexp.MustCompile(`^j_[0-7][0-9a-hjkmnp-tv-z]{25}$`)

// Ids have the documented form, differ, and sort by the time of acceptance.
func TestNewID(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var ids []string
	for i := range 1000 {
		id := jobs.NewID(now.Add(time.Duration(i) * time.Millisecond))
		if !idForm.MatchString(id) || !jobs.ValidID(id) {
			t.Fatalf("%q is no id", id)
		}
		ids = append(ids, id)
	}
	if !slices.IsSorted(ids) {
		t.Error("ids don't sort by time")
	}
	if a, b := jobs.NewID(now), jobs.NewID(now); a == b {
		t.Errorf("%s was made twice", a)
	}
}

// The same fact always gives the same id, another fact another one.
func TestDerivedID(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	id := jobs.DerivedID(at, "callback", "j_1", "result")
	// Jobs that were accepted before an upgrade are found after it.
	if want := "j_01kdyak34ezc3fr3ntkp5gpvqf"; id != want {
		t.Errorf("id is %s, not %s: it must never change", id, want)
	}
	if again := jobs.DerivedID(at.In(time.FixedZone("", 3600)), "callback", "j_1", "result"); again != id {
		t.Errorf("the same fact gave %s and %s", id, again)
	}
	if !idForm.MatchString(id) || !jobs.ValidID(id) {
		t.Errorf("%q is no id", id)
	}
	for _, tt := range []struct {
		name  string
		at    time.Time
		parts []string
	}{
		{"other time", at.Add(time.Millisecond), []string{"callback", "j_1", "result"}},
		{"other part", at, []string{"callback", "j_1", "start"}},
		{"other order", at, []string{"callback", "result", "j_1"}},
		{"parts joined", at, []string{"callback", "j_1result"}},
		{"letters moved", at, []string{"callbackj", "_1", "result"}},
		{"empty part", at, []string{"callback", "j_1", "result", ""}},
		{"nothing", at, nil},
	} {
		if other := jobs.DerivedID(tt.at, tt.parts...); other == id || !jobs.ValidID(other) {
			t.Errorf("%s: %s", tt.name, other)
		}
	}
	if a, b := jobs.DerivedID(at, "x"), jobs.DerivedID(at.Add(time.Millisecond), "x"); a >= b {
		t.Errorf("derived ids don't sort by time: %s, %s", a, b)
	}
}

// A time that no job has still gives an id, rather than a crash.
func TestDerivedIDOfOddTimes(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{{}, time.Unix(-1, 0), time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if id := jobs.DerivedID(at, "x"); !jobs.ValidID(id) {
			t.Errorf("%v: %q is no id", at, id)
		}
	}
}

// Only what has the form of an id is one.
func TestValidID(t *testing.T) {
	t.Parallel()
	id := "j_01kdyaqsh6zr0qjq2a5h0m2v7c"
	if !jobs.ValidID(id) {
		t.Errorf("%q is no id", id)
	}
	for name, s := range map[string]string{
		"empty": "", "prefix": "j_", "no prefix": id[2:], "other prefix": "p_" + id[2:], "short": id[:27], "long": id + "0",
		"upper case": strings.ToUpper(id), "upper prefix": "J_" + id[2:], "a letter that ULIDs have not": id[:27] + "u",
		"too large": "j_8" + id[3:], "space": " " + id, "newline": id + "\n", "host": id + "@h1", "glob": id[:27] + "*",
		"a letter whose upper case is one of ours":    id[:27] + "ſ",
		"the same, with the right length":             id[:26] + "ſ",
		"a letter whose lower case is one of ours":    id[:27] + "\u212a",
		"bytes that are no text":                      id[:27] + "\xff",
		"a letter whose upper case is one, elsewhere": "j_0ſ" + id[4:],
	} {
		if jobs.ValidID(s) {
			t.Errorf("%s: %q passes for an id", name, s)
		}
	}
}

// What passes for an id has the documented form, letter by letter: ids are put
// into keys and addresses.
func FuzzValidID(f *testing.F) {
	id := "j_01kdyaqsh6zr0qjq2a5h0m2v7c"
	for _, s := range []string{"", "j_", id, strings.ToUpper(id), id + "@h1", id[:27] + "ſ", "j_8" + id[3:], "j_7" + strings.Repeat("z", 25)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := jobs.ValidID(s), idForm.MatchString(s); got != want {
			t.Errorf("ValidID(%q) = %t, want %t", s, got, want)
		}
	})
}
