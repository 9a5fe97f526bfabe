package events

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Cursor is how far the streams have been read: one position in each class. Its text
// is what clients get as broadcast_id, and give back to have what they missed.
type Cursor struct{ at [classCount]position }

const classCount = 9

// position is an id of a stream: milliseconds of Redis' clock, and a number.
type position struct{ ms, n uint64 }

func (p position) before(q position) bool { return p.ms < q.ms || p.ms == q.ms && p.n < q.n }

func (p position) String() string {
	return strconv.FormatUint(p.ms, 10) + "-" + strconv.FormatUint(p.n, 10)
}

// errCursor: what a client gave is no cursor.
var errCursor = errors.New("not an id of a broadcast")

// parsePosition reads the id of an entry.
func parsePosition(id string, base int) (p position, err error) {
	ms, n, ok := strings.Cut(id, "-")
	if !ok {
		return p, errCursor
	}
	var errs [2]error
	p.ms, errs[0] = strconv.ParseUint(ms, base, 64)
	p.n, errs[1] = strconv.ParseUint(n, base, 64)
	if errs[0] != nil || errs[1] != nil {
		return position{}, errCursor
	}
	return p, nil
}

// place is the class's place in a Cursor; the order is part of its text.
func (c Class) place() int {
	for i, x := range Classes() {
		if x == c {
			return i
		}
	}
	return -1
}

// with is the cursor after an entry of class c.
func (k Cursor) with(c Class, p position) Cursor {
	k.at[c.place()] = p
	return k
}

// String writes the cursor: a position for each class, in base 36.
func (k Cursor) String() string {
	parts := make([]string, classCount)
	for i, p := range k.at {
		parts[i] = strconv.FormatUint(p.ms, 36) + "-" + strconv.FormatUint(p.n, 36)
	}
	return strings.Join(parts, ".")
}

// unread is the position in a class that a cursor knows nothing of: nothing comes after
// it.
var unread = position{math.MaxUint64, math.MaxUint64}

// ParseCursor reads what String wrote. One of a version that knew fewer classes has
// nothing after it in the others.
func ParseCursor(s string) (k Cursor, err error) {
	parts := strings.Split(s, ".")
	if len(parts) > classCount {
		return Cursor{}, errCursor
	}
	for i := range k.at {
		k.at[i] = unread
	}
	for i, part := range parts {
		if k.at[i], err = parsePosition(part, 36); err != nil {
			return Cursor{}, err
		}
	}
	return k, nil
}
