package events_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"switchyard/events"
)

// Ensure a cursor is read as it was written, and nothing else is one.
func TestParseCursor(t *testing.T) {
	t.Parallel()
	zero := events.Cursor{}.String()
	for text, ok := range map[string]bool{
		zero: true, "m0-1": true, "0-0.0-0": true, "": false, "0": false, "0-": false, "-0": false, "0-0.": false, "!-0": false,
		zero + ".0-0": false, "zzzzzzzzzzzzzzzzzzzz-0": false,
	} {
		k, err := events.ParseCursor(text)
		if (err == nil) != ok {
			t.Errorf("%q: %v, %v", text, k, err)
		}
		if again, err := events.ParseCursor(k.String()); err != nil || again != k {
			t.Errorf("%q: %v, %v", text, again, err)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(events.Cursor{}.String())
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := events.ParseCursor(s); err == nil {
			if again, err := events.ParseCursor(k.String()); err != nil || again != k {
				t.Errorf("%q: %v, %v", s, again, err)
			}
		}
	})
}

// heard are the events that a listener was told of.
type heard struct {
	mu  sync.Mutex
	all []events.Entry
}

func (h *heard) note(e events.Event, at events.Cursor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, events.Entry{Event: e, Cursor: at})
}

func (h *heard) have(n int) []events.Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.all) < n {
		return nil
	}
	return append([]events.Entry(nil), h.all...)
}

// Ensure what is published reaches those who listen, class by class in order, and that
// who comes back with a cursor gets what followed it, once, oldest first, and of many
// the newest.
func TestPublished(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := &heard{}
	b.hub.Listen(h.note)
	b.run(t)
	b.await(t, "the reader is ready", b.ready)
	p := events.NewPublisher(b.client, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(b.ctx)
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	for i := range 20 {
		e, err := events.New([]events.Class{events.Alerts, events.Orders}[i%2], "alert", at, map[string]int{"n": i})
		if err != nil {
			t.Fatal(err)
		}
		p.Publish(e)
	}
	stop() // what waits is written all the same
	running.Wait()
	var all []events.Entry
	for tick := time.NewTicker(5 * time.Millisecond); all == nil; <-tick.C {
		if all = h.have(20); b.ctx.Err() != nil {
			t.Fatal("not all were heard")
		}
	}
	next := map[events.Class]int{events.Alerts: 0, events.Orders: 1}
	for _, x := range all {
		c := x.Event.Class
		if want := fmt.Sprintf(`{"n":%d}`, next[c]); string(x.Event.Data) != want || x.Event.Kind != "alert" || !x.Event.At.Equal(at) {
			t.Errorf("%s: %+v, want %s", c, x.Event, want)
		}
		next[c] += 2
	}
	last := all[19].Cursor
	for _, tt := range []struct{ after, most, want int }{{0, 100, 19}, {10, 100, 9}, {19, 100, 0}, {0, 5, 5}} {
		since, err := events.Since(b.ctx, b.client, all[tt.after].Cursor, last, tt.most)
		if err != nil || len(since) != tt.want {
			t.Errorf("after %d, at most %d: %d, %v; want %d", tt.after, tt.most, len(since), err, tt.want)
		}
		if n := len(since); n > 0 && since[n-1].Cursor != last {
			t.Errorf("after %d: the last has cursor %s, want %s", tt.after, since[n-1].Cursor, last)
		}
	}
	if _, err := events.New(events.Alerts, "alert", at, func() {}); err == nil {
		t.Error("what is no JSON is an event")
	}
}

// Ensure a publisher never waits, and counts what it drops.
func TestPublisherDrops(t *testing.T) {
	t.Parallel()
	var none *events.Publisher
	none.Publish(events.Event{}) // nobody is there
	p := events.NewPublisher(nil, slog.New(slog.DiscardHandler))
	for range 5000 {
		p.Publish(events.Event{Class: events.Logs})
	}
	if p.Dropped() == 0 {
		t.Error("5000 events wait for nobody")
	}
}

// Ensure a reader goes on after an outage where it was, so that nobody misses what was
// written in between.
func TestReaderGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := &heard{}
	b.hub.Listen(h.note)
	b.run(t)
	b.await(t, "the reader is ready", b.ready)
	add := func(n int) {
		t.Helper()
		if err := b.client.Do(b.ctx, "XADD", events.Alerts.Stream(), "*", events.KindField, "alert", events.DataField, fmt.Sprint(n)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	await := func(n int) (all []events.Entry) {
		t.Helper()
		for tick := time.NewTicker(5 * time.Millisecond); all == nil; <-tick.C {
			if all = h.have(n); b.ctx.Err() != nil {
				t.Fatalf("%d were not heard", n)
			}
		}
		return all
	}
	add(1)
	await(1)
	b.srv.Kill()
	if err := b.srv.Restart(b.ctx); err != nil {
		t.Fatal(err)
	}
	add(2) // the reader may not be back yet
	add(3)
	for i, x := range await(3) {
		if string(x.Event.Data) != fmt.Sprint(i+1) {
			t.Errorf("%d: %s", i, x.Event.Data)
		}
	}
}
