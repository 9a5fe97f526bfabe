package redisserver_test

import (
	"runtime"
	"testing"

	"github.com/redis/go-redis/v9"

	"switchyard/sim/redisserver"
)

// Ensure a server outlives the thread that asked for it: tests that change their
// thread, as for a network namespace, let it end with them.
func TestStart_threadEnds(t *testing.T) {
	t.Parallel()
	started := make(chan *redisserver.Server)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		s, err := redisserver.Start(t.Context(), redisserver.Options{Dir: t.TempDir()})
		if err != nil {
			t.Error(err)
		}
		started <- s
	}()
	first := <-started
	if first == nil {
		return
	}
	defer first.Stop()
	// By when another one is up, it has been told that its thread has ended.
	second, err := redisserver.Start(t.Context(), redisserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Stop()
	c := redis.NewClient(&redis.Options{Addr: first.Addr(), MaxRetries: -1})
	defer c.Close()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("it ended with the thread: %v", err)
	}
}
