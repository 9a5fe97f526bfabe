package hilink

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// door is a listener with a web server behind it and a list of who came in.
type door struct {
	net.Listener
	server *http.Server
	// admit reports whether a connection is served; one that isn't is held
	// until it is cut or its client goes. nil: every one is served.
	admit func() bool

	mu      sync.Mutex
	inside  map[net.Conn]struct{}
	closing bool
	running sync.WaitGroup // the server, and one for each connection
}

func newDoor(l net.Listener, h http.Handler, admit func() bool) *door {
	d := &door{Listener: l, admit: admit, inside: make(map[net.Conn]struct{})}
	d.server = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that break off are the point
		ConnState: func(c net.Conn, s http.ConnState) {
			if s == http.StateClosed || s == http.StateHijacked {
				d.left(c)
			}
		},
	}
	return d
}

// shut stops listening where nothing was served yet. nil is no door.
func (d *door) shut() {
	if d != nil {
		_ = d.Close()
	}
}

// open starts serving.
func (d *door) open() {
	d.running.Go(func() { _ = d.server.Serve(d) }) // ends with close alone
}

// Accept gives the server those connections that are to be served. A connection
// is in the list before admit is asked, so that whatever changes admit's mind and
// then cuts finds it.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		d.entered(c)
		if d.admit == nil || d.admit() {
			return c, nil
		}
		go d.hold(c)
	}
}

// hold keeps a connection without answering.
func (d *door) hold(c net.Conn) {
	defer d.left(c)
	defer c.Close()
	_, _ = io.Copy(io.Discard, c)
}

func (d *door) entered(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inside[c] = struct{}{}
	d.running.Add(1)
	if d.closing {
		c.Close() // it came in between cut and the end of Accept
	}
}

func (d *door) left(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.inside[c]; ok {
		delete(d.inside, c)
		d.running.Done()
	}
}

// cut closes every connection.
func (d *door) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cutLocked()
}

func (d *door) cutLocked() {
	for c := range d.inside {
		c.Close()
	}
}

// close stops listening, cuts, and waits.
func (d *door) close() {
	_ = d.server.Close() // closes the listener too
	d.mu.Lock()
	d.closing = true
	d.cutLocked()
	d.mu.Unlock()
	d.running.Wait()
}
