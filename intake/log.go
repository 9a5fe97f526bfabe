package intake

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Entry is one request in the log.
type Entry struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Address that it came from.
	Address string `json:"address"`
	// Group that it named; empty where it wasn't one of ours.
	Group string `json:"group"`
	// Action is trading_signal, batch_trading_signal or cancel_all_orders; empty where
	// it was refused before that was known.
	Action string `json:"action"`
	// Status of the answer, and its error.
	Status int    `json:"status"`
	Error  string `json:"error,omitempty"`
	// Duplicate: it was one sent again, and First the id of the first.
	Duplicate bool   `json:"duplicate"`
	First     string `json:"first,omitempty"`
	// Jobs that were made of it, by account.
	Jobs []string `json:"jobs"`
	// Successful, Failed and Pending are orders, as the answer had them.
	Successful int `json:"successful"`
	Failed     int `json:"failed"`
	Pending    int `json:"pending"`
	// Ignored names fields that nobody knows.
	Ignored []string `json:"ignored,omitempty"`
	// Body without its token; null where it was none that could be read.
	Body json.RawMessage `json:"body"`
	// AcceptedMS is the time until its jobs were accepted, TotalMS until the answer.
	AcceptedMS float64 `json:"accepted_ms"`
	TotalMS    float64 `json:"total_ms"`
}

const (
	// keptFor is how long entries are kept; keptOurs and keptOthers how many, of those
	// of groups and of those that were refused before a token was right.
	keptFor    = 30 * 24 * time.Hour
	keptOurs   = 100_000
	keptOthers = 10_000
	// longestBody is what is kept of a body.
	longestBody = 4 << 10
	// scanned is how many entries one page looks at.
	scanned = 1000
	// readTogether is how many are read at once.
	readTogether = 100
)

// shelf is where entries lie: those of groups, and those of strangers.
type shelf struct {
	name string
	kept int
}

var ours, others = shelf{"ours", keptOurs}, shelf{"others", keptOthers}

func (s shelf) keys() []string {
	return []string{Prefix + "log:" + s.name, Prefix + "entries:" + s.name}
}

// Note writes an entry. known: its token was right. Error: Redis is out of reach.
func (s *Store) Note(ctx context.Context, e Entry, known bool) error {
	if len(e.Body) > longestBody {
		e.Body = nil
	}
	if e.Jobs == nil {
		e.Jobs = []string{}
	}
	doc, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("marshalling an entry of the log of webhooks: %w", err)
	}
	at := others
	if known {
		at = ours
	}
	if err := noteScript.Run(ctx, s.rdb, at.keys(), e.ID, e.At.UnixMilli(), doc, at.kept, e.At.Add(-keptFor).UnixMilli()).Err(); err != nil {
		return fmt.Errorf("writing the log of webhooks: %w", err)
	}
	return nil
}

// Filter limits a list.
type Filter struct {
	// Group, without regard to case; empty: all.
	Group string
	// Status of the answer; 0: all.
	Status int
}

func (f Filter) takes(e Entry) bool {
	return (f.Group == "" || strings.EqualFold(f.Group, e.Group)) && (f.Status == 0 || f.Status == e.Status)
}

// ErrCursor: the cursor is not one of an earlier list.
var ErrCursor = errors.New("not a cursor of the log of webhooks")

// List returns entries, newest first, and where to go on; empty: nowhere. A page may
// be shorter than limit although there are more. Errors: ErrCursor; Redis is out of
// reach.
func (s *Store) List(ctx context.Context, f Filter, limit int, cursor string) (page []Entry, next string, err error) {
	before, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	type found struct {
		redis.Z
		id    string
		shelf shelf
	}
	var all []found
	full := false
	for _, sh := range []shelf{ours, others} {
		ids, err := s.rdb.ZRevRangeByScoreWithScores(ctx, sh.keys()[0], &redis.ZRangeBy{Max: before.max(), Min: "-inf", Count: scanned}).Result()
		if err != nil {
			return nil, "", fmt.Errorf("reading the log of webhooks: %w", err)
		}
		full = full || len(ids) == scanned
		for _, z := range ids {
			id, _ := z.Member.(string)
			if before.id == "" || z.Score < float64(before.ms) || id < before.id {
				all = append(all, found{z, id, sh})
			}
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		if a.Score != b.Score {
			return int(b.Score - a.Score)
		}
		return strings.Compare(b.id, a.id)
	})
	more := full || len(all) > scanned
	all = all[:min(len(all), scanned)]
	for i := 0; i < len(all); i += readTogether {
		part := all[i:min(len(all), i+readTogether)]
		docs := map[string]string{}
		for _, sh := range []shelf{ours, others} {
			var ids []string
			for _, x := range part {
				if x.shelf == sh {
					ids = append(ids, x.id)
				}
			}
			if err := s.read(ctx, sh, ids, docs); err != nil {
				return nil, "", err
			}
		}
		for _, x := range part {
			var e Entry
			if json.Unmarshal([]byte(docs[x.id]), &e) == nil && f.takes(e) { // else it was just taken out
				page = append(page, e)
			}
			if len(page) == limit {
				return page, place{int64(x.Score), x.id}.String(), nil
			}
		}
	}
	if more && len(all) > 0 {
		last := all[len(all)-1]
		next = place{int64(last.Score), last.id}.String()
	}
	return page, next, nil
}

// read adds the entries of these ids to docs.
func (s *Store) read(ctx context.Context, sh shelf, ids []string, docs map[string]string) error {
	if len(ids) == 0 {
		return nil
	}
	list, err := s.rdb.HMGet(ctx, sh.keys()[1], ids...).Result()
	if err != nil {
		return fmt.Errorf("reading the log of webhooks: %w", err)
	}
	for i, doc := range list {
		docs[ids[i]], _ = doc.(string)
	}
	return nil
}

// place is where a list goes on: after the entry of this time and id.
type place struct {
	ms int64
	id string
}

func (p place) max() string {
	if p.id == "" {
		return "+inf"
	}
	return strconv.FormatInt(p.ms, 10)
}

func (p place) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.ms, 10) + " " + p.id))
}

func parseCursor(s string) (p place, err error) {
	if s == "" {
		return p, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return p, ErrCursor
	}
	ms, id, ok := strings.Cut(string(text), " ")
	p.id = id
	if p.ms, err = strconv.ParseInt(ms, 10, 64); err != nil || !ok || id == "" {
		return place{}, ErrCursor
	}
	return p, nil
}
