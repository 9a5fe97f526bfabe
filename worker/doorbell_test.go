package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"switchyard/worker"
)

// This asynq fetches in a way that the doorbell recognises. Should an upgrade
// break it, a worker still works, but polls: read asynq's Dequeue again.
func TestDoorbellRecognisesTheFetch(t *testing.T) {
	t.Parallel()
	if !worker.FetchRecognised() {
		t.Error("asynq's fetch was not recognised")
	}
}

// script is a call as asynq makes it, with its first two keys.
func script(first, second string) *redis.Cmd {
	return redis.NewCmd(context.Background(), "evalsha", "0123", 4, first, second, "x", "y", "z")
}

func fetchOf(q string) *redis.Cmd {
	return script("asynq:{"+q+"}:pending", "asynq:{"+q+"}:paused")
}

// answering is a Redis that gives one answer: an error, or a value.
func answering(a any) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		if err, bad := a.(error); bad {
			cmd.SetErr(err)
			return err
		}
		cmd.(*redis.Cmd).SetVal(a)
		return nil
	}
}

// A fetch waits before it is sent as long as the one before gave cause to, so
// that an idle server is quiet and a busy one isn't slowed down.
func TestDoorbellHolds(t *testing.T) {
	t.Parallel()
	const hold = 5 * time.Second
	for _, tt := range []struct {
		name   string
		before []any // answers to the fetches before
		want   time.Duration
	}{
		{"the first", nil, 0},
		{"after a task", []any{"task"}, 0},
		{"after an empty one", []any{redis.Nil}, hold},
		{"after a task after an empty one", []any{redis.Nil, "task"}, 0},
		{"after a failure", []any{errors.New("connection refused")}, worker.FetchErrorPause},
		{"after an empty one after a failure", []any{errors.New("connection refused"), redis.Nil}, hold},
		{"redis did not know the script", []any{redisError("NOSCRIPT No matching script.")}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := worker.NewDoorbell(hold)
				for _, a := range tt.before {
					_ = d.ProcessHook(answering(a))(t.Context(), fetchOf("q"))
				}
				began := time.Now()
				var took time.Duration
				cmd := fetchOf("q")
				err := d.ProcessHook(func(ctx context.Context, c redis.Cmder) error {
					took = time.Since(began)
					return answering("task")(ctx, c)
				})(t.Context(), cmd)
				if err != nil || cmd.Val() != "task" {
					t.Errorf("it brought %v, %v", cmd.Val(), err)
				}
				if took != tt.want {
					t.Errorf("it was held for %v, want %v", took, tt.want)
				}
			})
		})
	}
}

type redisError string

func (e redisError) Error() string { return string(e) }
func (redisError) RedisError()     {}

// What lets go of a held fetch, and what doesn't.
func TestDoorbellRings(t *testing.T) {
	t.Parallel()
	forward := func(from string, moved any) func(*worker.Doorbell) {
		return func(d *worker.Doorbell) {
			_ = d.ProcessHook(answering(moved))(context.Background(), script("asynq:{q}:"+from, "asynq:{q}:pending"))
		}
	}
	for _, tt := range []struct {
		name string
		ring func(*worker.Doorbell)
		want bool
	}{
		{"nothing", func(*worker.Doorbell) {}, false},
		{"its own bell", func(d *worker.Doorbell) { d.Ring("q") }, true},
		{"another's bell", func(d *worker.Doorbell) { d.Ring("other") }, false},
		{"all bells", (*worker.Doorbell).RingAll, true},
		{"a scheduled task that is due", forward("scheduled", int64(1)), true},
		{"a task to be tried again that is due", forward("retry", int64(2)), true},
		{"nothing is due", forward("scheduled", int64(0)), false},
		{"what is due is not known", forward("retry", errors.New("x")), false},
		{"another command", func(d *worker.Doorbell) {
			_ = d.ProcessHook(answering(int64(1)))(context.Background(), script("asynq:{q}:active", "asynq:{q}:lease"))
		}, false},
	} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, before it waits: %t", tt.name, early), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					d := worker.NewDoorbell(time.Hour)
					_ = d.ProcessHook(answering(redis.Nil))(t.Context(), fetchOf("q"))
					if early {
						tt.ring(d)
					}
					sent := false
					go func() {
						_ = d.ProcessHook(func(ctx context.Context, c redis.Cmder) error {
							sent = true
							return answering(redis.Nil)(ctx, c)
						})(context.Background(), fetchOf("q"))
					}()
					synctest.Wait()
					if !early {
						tt.ring(d)
						synctest.Wait()
					}
					if sent != tt.want {
						t.Errorf("the fetch was let go: %t, want %t", sent, tt.want)
					}
					d.Stop()
				})
			})
		}
	}
}

// However often a bell rings while nobody waits, it is one look more: a burst
// of jobs doesn't become a burst of empty fetches.
func TestDoorbellRingsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := worker.NewDoorbell(time.Hour)
		var held []time.Duration
		for range 3 {
			for range 100 {
				d.Ring("q")
			}
			for range 2 {
				began := time.Now()
				_ = d.ProcessHook(answering(redis.Nil))(t.Context(), fetchOf("q"))
				held = append(held, time.Since(began))
			}
		}
		// The first one of all waits for nothing and leaves the ring to the next.
		if diff := cmp.Diff([]time.Duration{0, 0, 0, time.Hour, 0, time.Hour}, held); diff != "" {
			t.Errorf("held for (-want +got):\n%s", diff)
		}
	})
}

// Stop lets go of every held fetch without sending it, and no other comes
// through after that; other commands still do.
func TestDoorbellStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := worker.NewDoorbell(time.Hour)
		if d.Recognised() {
			t.Error("a fetch was recognised before there was one")
		}
		var sent []string
		send := d.ProcessHook(func(ctx context.Context, c redis.Cmder) error {
			sent = append(sent, fmt.Sprint(c.Args()[3]))
			return answering(redis.Nil)(ctx, c)
		})
		held := make(chan error, 2)
		for _, q := range []string{"a", "b"} {
			_ = send(t.Context(), fetchOf(q))
			go func() { held <- send(context.Background(), fetchOf(q)) }()
		}
		synctest.Wait()
		d.Stop()
		d.Stop()
		for range 2 {
			if err := <-held; !errors.Is(err, redis.Nil) {
				t.Errorf("a held fetch got %v, want nothing", err)
			}
		}
		if err := send(t.Context(), fetchOf("c")); !errors.Is(err, redis.Nil) {
			t.Errorf("a fetch after that got %v, want nothing", err)
		}
		_ = send(t.Context(), script("asynq:{a}:active", "asynq:{a}:lease"))
		if got, want := strings.Join(sent, " "), "asynq:{a}:pending asynq:{b}:pending asynq:{a}:active"; got != want {
			t.Errorf("sent were %s, want %s", got, want)
		}
		if !d.Recognised() {
			t.Error("no fetch was recognised")
		}
	})
}
