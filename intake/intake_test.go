package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/intake"
	"switchyard/sim/redisserver"
)

func setup(t *testing.T) (context.Context, *intake.Store, *redis.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "no"})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	rdb := redis.NewClient(&redis.Options{Addr: srv.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	return ctx, intake.New(rdb), rdb
}

// Ensure of many who send the same at once exactly one is first, and all others come to
// it, whatever its age within the window.
func TestClaim(t *testing.T) {
	t.Parallel()
	ctx, s, rdb := setup(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC)
	key := intake.Key("token", "body")
	var mu sync.Mutex
	var firsts []string
	var others []intake.Claim
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			c, first, err := s.Claim(ctx, key, now.Add(time.Duration(i)*time.Second), []byte("body"), time.Hour)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case first:
				firsts = append(firsts, c.ID)
			default:
				others = append(others, c)
			}
		})
	}
	all.Wait()
	if len(firsts) != 1 || len(others) != 49 {
		t.Fatalf("%d were first, %d not", len(firsts), len(others))
	}
	for _, c := range others {
		if c.ID != firsts[0] || !c.Same || c.Answer != nil || c.Received.Nanosecond()%1e6 != 0 {
			t.Fatalf("%+v, want the claim of %s", c, firsts[0])
		}
	}

	claim := others[0]
	for _, answer := range []string{"first answer", "another answer"} {
		if err := s.Answered(ctx, claim, []byte(answer)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Answered(ctx, intake.Claim{Key: key, ID: "wh_other"}, []byte("a stranger's")); err != nil {
		t.Fatal(err)
	}
	c, first, err := s.Claim(ctx, key, now, []byte("other body"), time.Hour)
	if err != nil || first || c.Same || string(c.Answer) != "first answer" {
		t.Errorf("%+v, %v, %v; want the first answer, and that the content is another", c, first, err)
	}

	// After the window it is another request.
	keys, err := rdb.Keys(ctx, intake.Prefix+"seen:*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("%q, %v", keys, err)
	}
	if ttl := rdb.PTTL(ctx, keys[0]).Val(); ttl <= 0 || ttl > time.Hour {
		t.Errorf("remembered for %s", ttl)
	}
	if err := rdb.Del(ctx, keys[0]).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Answered(ctx, claim, []byte("late")); err != nil {
		t.Fatal(err)
	}
	if c, first, err := s.Claim(ctx, key, now, []byte("body"), time.Hour); err != nil || !first || c.ID == claim.ID {
		t.Errorf("%+v, %v, %v; want a first one", c, first, err)
	}
	// Parts of a key can't run into each other.
	if intake.Key("a", "bc") == intake.Key("ab", "c") {
		t.Error("different parts, the same key")
	}
}

// Ensure the log is listed newest first, page by page, by group and status, and nothing
// is missed or twice.
func TestLog(t *testing.T) {
	t.Parallel()
	ctx, s, _ := setup(t)
	start := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	var want []string
	for i := range 25 {
		// Several in one millisecond, of strangers and of groups.
		e := intake.Entry{ID: fmt.Sprintf("wh_%02d", i), At: start.Add(time.Duration(i/4) * time.Millisecond), Status: 200 + i%2, Group: []string{"Alpha", "", "beta"}[i%3], Body: json.RawMessage(`{"n":1}`)}
		if err := s.Note(ctx, e, e.Group != ""); err != nil {
			t.Fatal(err)
		}
		want = append(want, e.ID)
	}
	slices.Reverse(want)
	list := func(f intake.Filter, limit int) (ids []string) {
		for cursor := ""; ; {
			page, next, err := s.List(ctx, f, limit, cursor)
			if err != nil || len(page) > limit {
				t.Fatalf("%d entries, %v", len(page), err)
			}
			for _, e := range page {
				if e.Jobs == nil || string(e.Body) != `{"n":1}` {
					t.Errorf("%+v", e)
				}
				ids = append(ids, e.ID)
			}
			if cursor = next; cursor == "" {
				return ids
			}
		}
	}
	for _, limit := range []int{1, 3, 4, 25, 100} {
		if got := list(intake.Filter{}, limit); !slices.Equal(got, want) {
			t.Errorf("by %d: %q", limit, got)
		}
	}
	if got := list(intake.Filter{Group: "alpha"}, 4); len(got) != 9 || got[0] != "wh_24" || got[8] != "wh_00" {
		t.Errorf("of a group: %q", got)
	}
	if got := list(intake.Filter{Group: "BETA", Status: 201}, 100); len(got) != 4 {
		t.Errorf("of a group and a status: %q", got)
	}
	for _, cursor := range []string{"x", "1", "!!", "MQ"} {
		if _, _, err := s.List(ctx, intake.Filter{}, 10, cursor); !errors.Is(err, intake.ErrCursor) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

// Ensure what is too old goes when something new comes, and a body that is too long isn't
// kept.
func TestLogForgets(t *testing.T) {
	t.Parallel()
	ctx, s, _ := setup(t)
	now := time.Now()
	long, err := json.Marshal(string(make([]byte, 5000)))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []intake.Entry{{ID: "wh_old", At: now.Add(-31 * 24 * time.Hour)}, {ID: "wh_kept", At: now.Add(-29 * 24 * time.Hour)}, {ID: "wh_new", At: now, Body: long}} {
		if err := s.Note(ctx, e, true); err != nil {
			t.Fatal(err)
		}
	}
	page, _, err := s.List(ctx, intake.Filter{}, 10, "")
	if err != nil || len(page) != 2 || page[0].ID != "wh_new" || page[1].ID != "wh_kept" || page[0].Body != nil && string(page[0].Body) != "null" {
		t.Errorf("%+v, %v", page, err)
	}
}

// Ensure an outage is told as one.
func TestOutage(t *testing.T) {
	t.Parallel()
	ctx, _, rdb := setup(t)
	s := intake.New(rdb)
	if err := rdb.Close(); err != nil {
		t.Fatal(err)
	}
	_, first, err := s.Claim(ctx, "k", time.Now(), nil, time.Hour)
	_, _, listing := s.List(ctx, intake.Filter{}, 1, "")
	for _, err := range []error{err, listing, s.Note(ctx, intake.Entry{}, true), s.Answered(ctx, intake.Claim{}, nil)} {
		if !errors.Is(err, redis.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
	if first {
		t.Error("claimed without Redis")
	}
}
