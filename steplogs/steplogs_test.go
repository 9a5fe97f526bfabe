package steplogs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/sim/redisserver"
	"switchyard/steplogs"
)

// Ensure a log is read as it was written last, by host, job and step, and doesn't stay for
// ever.
func TestStore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	rdb := redis.NewClient(&redis.Options{Addr: srv.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = rdb.Close() })
	s := steplogs.New(rdb, time.Hour)
	for _, x := range []struct {
		host, text string
		step       int
	}{{"", "old", 1}, {"", "one\n", 1}, {"", "", 2}, {"seoul-1", "here", 1}} {
		if err := s.Save(ctx, x.host, "j_1", x.step, x.text); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []struct {
		host, want string
		step       int
	}{{"", "one\n", 1}, {"", "", 2}, {"seoul-1", "here", 1}} {
		if got, err := s.Read(ctx, x.host, "j_1", x.step); err != nil || got != x.want {
			t.Errorf("%+v: %q, %v", x, got, err)
		}
	}
	if _, err := s.Read(ctx, "", "j_1", 3); !errors.Is(err, steplogs.ErrUnknown) {
		t.Errorf("one that there is not: %v", err)
	}
	if left := rdb.TTL(ctx, "sw:v1:h:seoul-1:steplog:j_1:1").Val(); left < 48*time.Hour || left > 49*time.Hour {
		t.Errorf("it is kept for %s", left)
	}
	srv.Stop()
	if err := s.Save(ctx, "", "j_1", 1, "x"); !errors.Is(err, steplogs.ErrUnavailable) {
		t.Errorf("without Redis: %v", err)
	}
	if _, err := s.Read(ctx, "", "j_1", 1); !errors.Is(err, steplogs.ErrUnavailable) {
		t.Errorf("without Redis: %v", err)
	}
}
