package events

import "sync"

// Notice is what a watcher gets: an event, or word that events may be missing.
type Notice struct {
	Job Job
	// Resync: read the record again; Job is empty.
	Resync bool
}

// Watch is one watcher's view of one job.
type Watch struct {
	// C carries the notices. It is never closed.
	C   <-chan Notice
	c   chan Notice
	id  string
	hub *Hub
}

// watchBuffer is how many notices a watcher may be behind; a job's last event
// displaces older ones.
const watchBuffer = 4

// Hub hands events to those who watch, inside one process.
type Hub struct {
	mu      sync.Mutex
	watches map[string]map[*Watch]struct{}

	listening sync.RWMutex
	listeners []func(Event, Cursor)
}

// NewHub returns a hub without watchers.
func NewHub() *Hub { return &Hub{watches: map[string]map[*Watch]struct{}{}} }

// Watch starts watching a job. Call Close when done.
func (h *Hub) Watch(jobID string) *Watch {
	w := &Watch{c: make(chan Notice, watchBuffer), id: jobID, hub: h}
	w.C = w.c
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watches[jobID] == nil {
		h.watches[jobID] = map[*Watch]struct{}{}
	}
	h.watches[jobID][w] = struct{}{}
	return w
}

// Close ends the watch. It may be called twice.
func (w *Watch) Close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	delete(w.hub.watches[w.id], w)
	if len(w.hub.watches[w.id]) == 0 {
		delete(w.hub.watches, w.id)
	}
}

// Publish wakes those who watch the event's job.
func (h *Hub) Publish(j Job) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watches[j.JobID] {
		w.offer(Notice{Job: j}, j.Final())
	}
}

// Resync tells every watcher to read its record again.
func (h *Hub) Resync() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ws := range h.watches {
		for w := range ws {
			w.offer(Notice{Resync: true}, true)
		}
	}
}

// Watching is the number of jobs watched.
func (h *Hub) Watching() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watches)
}

// offer never blocks: the caller holds the hub's lock. Only the hub sends, so
// after taking one out there is room.
func (w *Watch) offer(n Notice, must bool) {
	select {
	case w.c <- n:
		return
	default:
	}
	if !must {
		return
	}
	select {
	case <-w.c:
	default:
	}
	select {
	case w.c <- n:
	default:
	}
}

// Listen has f told of every event of every class, in the order of its stream, with
// how far all streams had been read by then. f must not wait for anything: while it
// runs nobody hears of the next one. There is no end to listening.
func (h *Hub) Listen(f func(Event, Cursor)) {
	h.listening.Lock()
	defer h.listening.Unlock()
	h.listeners = append(h.listeners, f)
}

// spread tells those who listen.
func (h *Hub) spread(e Event, at Cursor) {
	h.listening.RLock()
	defer h.listening.RUnlock()
	for _, f := range h.listeners {
		f(e, at)
	}
}
