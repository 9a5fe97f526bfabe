package worker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"switchyard/jobs"
	"switchyard/tasks"
	"switchyard/worker"
)

// shelf is a Redis with one queue and nothing else, without a network.
type shelf struct {
	mu      sync.Mutex
	tasks   []string
	delayed int
	fail    error
	asked   []string // what it was asked: fetch, fetch*n, exists, forward
}

func (s *shelf) DialHook(redis.DialHook) redis.DialHook {
	return func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network here") }
}

func (s *shelf) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, fmt.Sprintf("fetch*%d", len(cmds)))
		for _, c := range cmds {
			_ = s.fetch(c)
		}
		return nil
	}
}

func (s *shelf) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if c, ok := cmd.(*redis.IntCmd); ok {
			s.asked = append(s.asked, "exists")
			n := 0
			for _, k := range c.Args()[1:] {
				if strings.HasSuffix(fmt.Sprint(k), ":pending") && len(s.tasks) > 0 || strings.HasSuffix(fmt.Sprint(k), ":scheduled") && s.delayed > 0 {
					n++
				}
			}
			c.SetVal(int64(n))
			return s.fail
		}
		if strings.HasSuffix(fmt.Sprint(cmd.Args()[4]), ":pending") {
			s.asked = append(s.asked, "forward")
			return s.fail
		}
		s.asked = append(s.asked, "fetch")
		return s.fetch(cmd)
	}
}

func (s *shelf) fetch(cmd redis.Cmder) error {
	err := s.fail
	if err == nil && len(s.tasks) == 0 {
		err = redis.Nil
	}
	if err != nil {
		cmd.SetErr(err)
		return err
	}
	cmd.(*redis.Cmd).SetVal(s.tasks[0])
	s.tasks = s.tasks[1:]
	return nil
}

// put adds n tasks.
func (s *shelf) put(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.tasks = append(s.tasks, fmt.Sprint("t", len(s.tasks)+1))
	}
}

func (s *shelf) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.asked = nil }()
	return strings.Join(s.asked, " ")
}

func (s *shelf) client(t *testing.T, d *worker.Doorbell) *redis.Client {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0"})
	t.Cleanup(func() { _ = rdb.Close() })
	rdb.AddHook(d)
	rdb.AddHook(s)
	return rdb
}

// shelved returns a doorbell on a shelf, with so many handlers.
func shelved(t *testing.T, handlers int) (*worker.Doorbell, *shelf, func() (any, error)) {
	t.Helper()
	s := &shelf{}
	d := worker.NewDoorbell(time.Minute)
	rdb := s.client(t, d)
	d.On(rdb)
	d.Expect("q", handlers)
	return d, s, func() (any, error) {
		cmd := fetchOf("q")
		err := rdb.Process(context.Background(), cmd)
		return cmd.Val(), err
	}
}

// A backlog is fetched in growing numbers, handed out in order, and asked for
// no more when it has come to its end.
func TestBacklogIsFetchedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s, fetch := shelved(t, 1000)
		s.put(50)
		var got, want []string
		for i := range 50 {
			task, err := fetch()
			if err != nil {
				t.Fatal(err)
			}
			got, want = append(got, fmt.Sprint(task)), append(want, fmt.Sprint("t", i+1))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if got, want := s.log(), "fetch fetch*2 fetch*4 fetch*8 fetch*16 fetch*16 fetch*16"; got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
		began := time.Now()
		if task, err := fetch(); !errors.Is(err, redis.Nil) {
			t.Errorf("after the last there was %v, %v", task, err)
		}
		if held := time.Since(began); held != time.Minute {
			t.Errorf("the next fetch was held for %v, want as long as an idle one", held)
		}
	})
}

// Single jobs are fetched one by one: an idle queue costs no more than it has
// to.
func TestSingleJobsAreFetchedAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, s, fetch := shelved(t, 16)
		_, _ = fetch()
		s.log()
		for range 3 {
			s.put(1)
			d.Ring("q")
			if task, err := fetch(); err != nil {
				t.Errorf("got %v, %v", task, err)
			}
			_, _ = fetch()
			if got, want := s.log(), "fetch fetch"; got != want {
				t.Errorf("asked for %s, want %s", got, want)
			}
			d.Ended("q")
		}
	})
}

// No more is fetched than have a free handler.
func TestFetchLeavesWhatNobodyCanTake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, s, fetch := shelved(t, 5)
		s.put(100)
		for range 5 {
			if _, err := fetch(); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := s.log(), "fetch fetch*2 fetch*2"; got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
		// asynq asks on as soon as one of them has ended.
		d.Ended("q")
		_, _ = fetch()
		for range 3 {
			d.Ended("q")
		}
		_, _ = fetch()
		if got, want := s.log(), "fetch fetch*3"; got != want {
			t.Errorf("then asked for %s, want %s", got, want)
		}
	})
}

// A failure is answered as one, and followed by a pause and a single fetch.
func TestFetchingTogetherFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s, fetch := shelved(t, 100)
		s.put(10)
		for range 3 {
			_, _ = fetch()
		}
		s.fail = errors.New("connection refused")
		if task, err := fetch(); !errors.Is(err, s.fail) {
			t.Errorf("got %v, %v", task, err)
		}
		s.fail = nil
		began := time.Now()
		if task, err := fetch(); err != nil || task != "t4" {
			t.Errorf("after that %v, %v", task, err)
		}
		if held := time.Since(began); held != worker.FetchErrorPause {
			t.Errorf("the next fetch was held for %v", held)
		}
		if got, want := s.log(), "fetch fetch*2 fetch*4 exists fetch"; got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
	})
}

// What was fetched is still handed out when the doorbell stops, and Drain waits
// for that.
func TestDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, s, fetch := shelved(t, 100)
		s.put(100)
		for range 4 { // of seven
			_, _ = fetch()
		}
		d.Stop()
		drained := make(chan struct{})
		go func() { d.Drain(context.Background()); close(drained) }()
		for i := range 3 {
			synctest.Wait()
			select {
			case <-drained:
				t.Fatalf("drained with %d tasks left", 3-i)
			default:
			}
			if task, err := fetch(); err != nil {
				t.Errorf("got %v, %v", task, err)
			}
		}
		<-drained
		if task, err := fetch(); !errors.Is(err, redis.Nil) {
			t.Errorf("then got %v, %v", task, err)
		}
		if got, want := s.log(), "fetch fetch*2 fetch*4"; got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
	})
}

// Nobody waits for long where asynq takes nothing any more.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, s, fetch := shelved(t, 100)
		s.put(100)
		for range 2 {
			_, _ = fetch()
		}
		d.Stop()
		began := time.Now()
		d.Drain(context.Background())
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// asynq's two looks for delayed tasks cost one command while there is nothing;
// a fetch that nobody has rung for costs none then.
func TestNothingDelayed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, s, fetch := shelved(t, 100)
		rdb := s.client(t, d)
		look := func() {
			for _, from := range []string{"scheduled", "retry"} {
				cmd := script("asynq:{q}:"+from, "asynq:{q}:pending")
				if err := rdb.Process(t.Context(), cmd); err != nil || s.delayed == 0 && cmd.Val() != int64(0) {
					t.Errorf("forwarding from %s: %v, %v", from, cmd.Val(), err)
				}
			}
		}
		_, _ = fetch()
		s.log()
		look()
		if got, want := s.log(), "exists"; got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
		<-time.After(59500 * time.Millisecond)
		look()
		_, _ = fetch() // held for a minute
		if got, want := s.log(), "exists exists"; got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
		s.delayed = 1
		look()
		if got, want := s.log(), "exists forward forward"; got != want {
			t.Errorf("with a delayed task asked for %s, want %s", got, want)
		}
		// A ring that was lost costs a job no more than the hold.
		s.put(1)
		if task, err := fetch(); err != nil || task != "t1" {
			t.Errorf("unrung: %v, %v", task, err)
		}
	})
}

// A worker that is stopped in the middle of a backlog leaves nothing lying:
// every job runs once, there or with the next worker.
func TestStopInABacklog(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 400
	var mu sync.Mutex
	runs := map[string]int{}
	enough := make(chan struct{})
	h := func(_ context.Context, r *worker.Run) worker.Outcome {
		mu.Lock()
		defer mu.Unlock()
		runs[r.ID]++
		if len(runs) == n/4 {
			close(enough)
		}
		return worker.Done(nil)
	}
	var ids []string
	for range n {
		ids = append(ids, b.accept(t, jobs.Request{Draft: tasks.NewCallback(tasks.CallbackPayload{Kind: "test"}, "", "", time.Minute, 1)}))
	}
	many := func(o *worker.Options) { o.Queues = []worker.Queue{{Name: queue, Concurrency: 64}} }
	first := b.start(t, h, many)
	b.until(t, "a quarter has run", enough)
	b.stop(t, first)
	info, err := b.asynq.GetQueueInfo(queue)
	must(t, err)
	if info.Active != 0 {
		t.Errorf("%d tasks are left active", info.Active)
	}
	b.start(t, h, many, soon)
	for _, id := range ids {
		b.ended(t, id)
	}
	for _, id := range slices.Sorted(slices.Values(ids)) {
		if runs[id] != 1 {
			t.Errorf("job %s ran %d times", id, runs[id])
		}
	}
}
