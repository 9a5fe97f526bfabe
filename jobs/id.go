package jobs

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

const idPrefix = "j_"

// NewID returns the id of a job accepted now: "j_" and a lower-case ULID, so
// that ids sort by the time of acceptance.
func NewID(now time.Time) string {
	return idPrefix + strings.ToLower(ulid.MustNew(ulid.Timestamp(now), rand.Reader).String())
}

// DerivedID returns the id of the job that follows from a fact told by parts,
// dated at. The same fact always gives the same id, so following it up twice
// makes one job.
func DerivedID(at time.Time, parts ...string) string {
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	var u ulid.ULID
	// A time before 1970 or after the year 10889 is no time of a job.
	_ = u.SetTime(ulid.Timestamp(at))
	copy(u[6:], h[:10])
	return idPrefix + strings.ToLower(u.String())
}

// ValidID reports whether s has the form of a job id.
func ValidID(s string) bool {
	rest, ok := strings.CutPrefix(s, idPrefix)
	// The length is asked for in bytes: some letters beyond ASCII have one of
	// ours for their upper case.
	if !ok || len(rest) != ulid.EncodedSize || rest != strings.ToLower(rest) {
		return false
	}
	_, err := ulid.ParseStrict(strings.ToUpper(rest))
	return err == nil
}

// idTime is when the job with this id was accepted, to the millisecond.
func idTime(id string) (time.Time, bool) {
	rest, ok := strings.CutPrefix(id, idPrefix)
	if !ok {
		return time.Time{}, false
	}
	u, err := ulid.ParseStrict(strings.ToUpper(rest))
	if err != nil {
		return time.Time{}, false
	}
	return ulid.Time(u.Time()), true
}
