package alerts

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/redis/go-redis/v9"

	"switchyard/events"
)

// Prefix of all keys.
const Prefix = "sw:v1:alerts:"

// Of Redis.
const (
	watchKey   = Prefix + "watch"   // hash: kind|subject → Watch
	recordsKey = Prefix + "records" // hash: id → Alert
	indexKey   = Prefix + "index"   // sorted set: id by when it was raised, in ms
	untoldKey  = Prefix + "untold"  // sorted set: "id state" by when, in ms
	cursorKey  = Prefix + "cursor:" // string, by reader: how far it has read
)

const (
	// kept is how many alerts are kept, and keep how long those that are over.
	kept = 1000
	keep = 7 * 24 * time.Hour
	// tries bounds how often somebody else may be quicker.
	tries = 8
)

var (
	// ErrUnknown: there is no such alert (any more).
	ErrUnknown = errors.New("there is no such alert")
	// ErrOver: it has been resolved, so there is nothing to dismiss.
	ErrOver = errors.New("the alert is over")
	// ErrUnavailable: Redis can't be reached.
	ErrUnavailable = errors.New("the alerts are out of reach")
)

// Book keeps the alerts in Redis. It is safe for concurrent use, by many processes.
type Book struct {
	rdb redis.UniversalClient
	now func() time.Time
}

// NewBook returns the book; now is Redis' clock.
func NewBook(rdb redis.UniversalClient, now func() time.Time) *Book {
	return &Book{rdb: rdb, now: now}
}

func unavailable(doing string, err error) error {
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}

// write changes what is known of a subject, unless somebody else has done so, and with
// it an alert, its event, and who is to be told.
// KEYS 1 watch, 2 records, 3 index, 4 untold, 5 stream
// ARGV 1 field, 2 what it was (”: nothing), 3 what it becomes (”: nothing), 4 id, 5 record (”: no change), 6 when it was
// raised, 7 now, 8 event (”: none), 9 untold (”: nobody), 10 how many events are kept, 11-13 names of the event's fields, 14 its kind
// RETURNS 1, or 0 where somebody else was quicker.
var write = redis.NewScript(`
local was = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if was ~= ARGV[2] then return 0 end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[4], ARGV[5])
  redis.call('ZADD', KEYS[3], ARGV[6], ARGV[4])
end
if ARGV[8] ~= '' then
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[10], '*', ARGV[11], ARGV[14], ARGV[12], ARGV[7], ARGV[13], ARGV[8])
end
if ARGV[9] ~= '' then redis.call('ZADD', KEYS[4], ARGV[7], ARGV[9]) end
return 1`)

// field is where a subject's watch is.
func field(k Kind, subject string) string { return string(k) + "|" + subject }

// Observe takes in what was seen, and returns the alerts that were raised or resolved by
// it. Error: ErrUnavailable; what was not taken in may be observed again.
func (b *Book) Observe(ctx context.Context, rules Rules, seen ...Observation) ([]*Alert, error) {
	if len(seen) == 0 {
		return nil, nil
	}
	fields := make([]string, len(seen))
	for i, o := range seen {
		fields[i] = field(o.Kind, o.Subject)
	}
	known, err := b.rdb.HMGet(ctx, watchKey, fields...).Result()
	if err != nil {
		return nil, unavailable("reading what is watched", err)
	}
	var changed []*Alert
	for i, o := range seen {
		was, _ := known[i].(string)
		a, err := b.observe(ctx, rules[o.Kind], o, was)
		if err != nil {
			return changed, err
		}
		if a != nil {
			changed = append(changed, a)
		}
	}
	return changed, nil
}

// observe takes in one observation, given what was known.
func (b *Book) observe(ctx context.Context, r Rule, o Observation, was string) (*Alert, error) {
	f := field(o.Kind, o.Subject)
	for range tries {
		now := b.now()
		w := parseWatch(was)
		next, change := w.Next(o, r, now, newID(now))
		if change == Nothing {
			return nil, nil
		}
		var a *Alert
		switch change {
		case Raised:
			a = raise(o, r, next, now)
		case Resolved:
			var err error
			if a, err = b.Get(ctx, w.ID); err != nil && !errors.Is(err, ErrUnknown) {
				return nil, err
			}
			if a != nil { // else it was forgotten
				a.Ended, a.State = now.UTC(), Over
			}
		}
		done, err := b.write(ctx, f, was, next, a, now, a != nil && (change == Raised || !w.Dismissed))
		if done || err != nil {
			return a, err
		}
		if was, err = b.rdb.HGet(ctx, watchKey, f).Result(); err != nil && !errors.Is(err, redis.Nil) {
			return nil, unavailable("reading what is watched", err)
		}
	}
	return nil, nil // those who were quicker have seen the same
}

// write reports whether nobody else was quicker.
func (b *Book) write(ctx context.Context, f, was string, next Watch, a *Alert, now time.Time, tell bool) (bool, error) {
	var becomes, id, record, event, untold string
	raised := int64(0)
	if next != (Watch{}) {
		text, err := json.Marshal(next)
		if err != nil {
			return false, fmt.Errorf("writing what is watched: %w", err)
		}
		becomes = string(text)
	}
	if a != nil {
		text, err := json.Marshal(a)
		if err != nil {
			return false, fmt.Errorf("writing an alert: %w", err)
		}
		told, err := json.Marshal(a.event())
		if err != nil {
			return false, fmt.Errorf("writing an alert's event: %w", err)
		}
		id, record, event, raised = a.ID, string(text), string(told), a.Raised.UnixMilli()
		if tell {
			untold = a.ID + " " + string(a.State)
		}
	}
	n, err := write.Run(ctx, b.rdb, []string{watchKey, recordsKey, indexKey, untoldKey, events.Alerts.Stream()},
		f, was, becomes, id, record, raised, now.UnixMilli(), event, untold, events.Kept, events.KindField, events.AtField, events.DataField, events.AlertKind).Int()
	if err != nil {
		return false, unavailable("writing an alert", err)
	}
	return n == 1, nil
}

// Dismiss has nobody told of an alert any more until it is over and begins anew. It may
// be repeated. Errors: ErrUnknown, ErrOver, ErrUnavailable.
func (b *Book) Dismiss(ctx context.Context, id string) (*Alert, error) {
	for range tries {
		a, err := b.Get(ctx, id)
		switch {
		case err != nil:
			return nil, err
		case a.State == Over:
			return a, ErrOver
		case a.State == Dismissed:
			return a, nil
		}
		f := field(a.Kind, a.Subject)
		was, err := b.rdb.HGet(ctx, watchKey, f).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, unavailable("reading what is watched", err)
		}
		w := parseWatch(was)
		if w.ID != id {
			continue // it has just been resolved
		}
		now := b.now()
		w.Dismissed, a.State, a.Dismissed = true, Dismissed, now.UTC()
		if done, err := b.write(ctx, f, was, w, a, now, false); done || err != nil {
			return a, err
		}
	}
	return nil, fmt.Errorf("dismissing alert %s: %w: others write it all the time", id, ErrUnavailable)
}

// Get returns an alert. Errors: ErrUnknown, ErrUnavailable.
func (b *Book) Get(ctx context.Context, id string) (*Alert, error) {
	text, err := b.rdb.HGet(ctx, recordsKey, id).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, ErrUnknown
	case err != nil:
		return nil, unavailable("reading an alert", err)
	}
	var a Alert
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return nil, fmt.Errorf("reading alert %s: %w", id, err)
	}
	return &a, nil
}

// List returns all alerts that are kept, the newest first. Error: ErrUnavailable.
func (b *Book) List(ctx context.Context) ([]*Alert, error) {
	all, err := b.rdb.HGetAll(ctx, recordsKey).Result()
	if err != nil {
		return nil, unavailable("reading the alerts", err)
	}
	out := make([]*Alert, 0, len(all))
	for _, text := range all {
		var a Alert
		if json.Unmarshal([]byte(text), &a) == nil { // one of another version is passed over
			out = append(out, &a)
		}
	}
	slices.SortFunc(out, func(a, b *Alert) int { return strings.Compare(b.ID, a.ID) })
	return out, nil
}

func parseWatch(text string) (w Watch) {
	if json.Unmarshal([]byte(text), &w) != nil {
		return Watch{} // nothing, or of another version: as if it had not been seen
	}
	return w
}

func newID(now time.Time) string {
	return "a_" + strings.ToLower(ulid.MustNew(ulid.Timestamp(now), rand.Reader).String())
}
