package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/events"
)

const (
	wsClients = 1000
	wsEvery   = time.Second / 5
	wsWindow  = 5 * time.Second
	wsText    = 200 // bytes in each message beside what it needs
	wsCores   = 0.3
	wsWithin  = 50 * time.Millisecond
	wsDialing = 50 // at once
)

// live measures what 1000 WebSocket clients cost that get five events a second, and how
// long an event is on its way from its publication in Redis to the last of them; also
// while one of them doesn't read. The peer is a bare hub of the same library that writes
// messages of that size to as many clients.
func live(ctx context.Context, o options) ([]row, error) {
	var cpu, stalledCPU, peerCPU []float64
	var p99, stalledP99, peerP99 []time.Duration
	for range o.rounds {
		for _, x := range []struct {
			kind    string
			stalled bool
			cpu     *[]float64
			p99     *[]time.Duration
		}{{"socket", false, &cpu, &p99}, {"socket", true, &stalledCPU, &stalledP99}, {"hub", false, &peerCPU, &peerP99}} {
			used, late, err := liveRound(ctx, o, x.kind, x.stalled)
			if err != nil {
				return nil, err
			}
			*x.cpu, *x.p99 = append(*x.cpu, used), append(*x.p99, late)
		}
	}
	cores := func(f float64) string { return fmt.Sprintf("%.2f core", f) }
	name := fmt.Sprintf("WebSocket, %d clients, 5 msg/s", wsClients)
	return []row{
		{what: name + ", CPU", ours: cores(median(cpu)), against: "bare hub " + cores(median(peerCPU)), ratio: ratio(median(cpu) / median(peerCPU)), target: "<= " + cores(wsCores), verdict: atMost(median(cpu), wsCores)},
		{what: name + ", p99", ours: millis(median(p99)), against: "bare hub " + millis(median(peerP99)), ratio: ratio(medianRatio(p99, peerP99)), target: "<= " + millis(wsWithin), verdict: atMost(median(p99), wsWithin)},
		{what: name + ", one stalled, CPU", ours: cores(median(stalledCPU)), target: "<= " + cores(wsCores), verdict: atMost(median(stalledCPU), wsCores)},
		{what: name + ", one stalled, p99", ours: millis(median(stalledP99)), target: "<= " + millis(wsWithin), verdict: atMost(median(stalledP99), wsWithin)},
	}, nil
}

// timed is the data of a message.
type timed struct {
	Sent int64  `json:"sent"`
	Text string `json:"text"`
}

func liveRound(ctx context.Context, o options, kind string, stalled bool) (cores float64, p99 time.Duration, err error) {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return 0, 0, err
	}
	defer srv.Stop()
	c, err := startChild(ctx, kind, childSpec{Redis: srv.Addr(), Profile: o.profile})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	crowd := &crowd{addr: c.addr}
	defer crowd.leave()
	if err := crowd.come(ctx, wsClients, stalled); err != nil {
		return 0, 0, err
	}
	rdb := newClient(srv.Addr(), 2)
	defer rdb.Close()
	publisher := events.NewPublisher(rdb, slog.New(slog.DiscardHandler))
	publishing, done := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() { publisher.Run(publishing) })
	defer all.Wait()
	defer done()

	before, err := cpuTime(c.pid)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	t := time.NewTicker(wsEvery)
	defer t.Stop()
	for time.Since(began) < wsWindow {
		select {
		case <-ctx.Done():
			return 0, 0, context.Cause(ctx)
		case <-t.C:
		}
		if kind == "hub" {
			continue // it sends by itself
		}
		e, err := events.New(events.Services, "service_event", time.Now(), timed{time.Now().UnixNano(), strings.Repeat("x", wsText)})
		if err != nil {
			return 0, 0, err
		}
		publisher.Publish(e)
	}
	took := time.Since(began)
	after, err := cpuTime(c.pid)
	if err != nil {
		return 0, 0, err
	}
	crowd.leave()
	if want := int(wsWindow/wsEvery-2) * wsClients; len(crowd.late) < want {
		return 0, 0, fmt.Errorf("%d messages came, at least %d should have", len(crowd.late), want)
	}
	return (after - before).Seconds() / took.Seconds(), percentile(crowd.late, 99), nil
}

// crowd is many clients.
type crowd struct {
	addr  string
	conns []*websocket.Conn
	read  sync.WaitGroup

	mu   sync.Mutex
	late []time.Duration
}

// come connects n clients that read, and, if asked, one more that doesn't.
func (c *crowd) come(ctx context.Context, n int, stalled bool) error {
	d := websocket.Dialer{HandshakeTimeout: 30 * time.Second, ReadBufferSize: 1024, WriteBufferSize: 256}
	if stalled {
		n++
	}
	places := make(chan struct{}, wsDialing)
	var failed atomic.Pointer[error]
	var dialing sync.WaitGroup
	for i := range n {
		dialing.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			conn, resp, err := d.DialContext(ctx, "ws://"+c.addr+"/ws", nil)
			if err != nil {
				failed.Store(&err)
				return
			}
			_ = resp.Body.Close()
			c.mu.Lock()
			c.conns = append(c.conns, conn)
			c.mu.Unlock()
			if stalled && i == 0 {
				if tcp, ok := conn.NetConn().(*net.TCPConn); ok {
					_ = tcp.SetReadBuffer(1024) // the sooner it is full
				}
				return
			}
			c.read.Go(func() { c.listen(conn) })
		})
	}
	dialing.Wait()
	if err := failed.Load(); err != nil {
		return fmt.Errorf("connecting a client: %w", *err)
	}
	return nil
}

func (c *crowd) listen(conn *websocket.Conn) {
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return
		}
		now := time.Now().UnixNano()
		var m struct {
			Type string
			Data timed
		}
		if json.Unmarshal(text, &m) != nil || m.Type != "service_event" {
			continue
		}
		c.mu.Lock()
		c.late = append(c.late, time.Duration(now-m.Data.Sent))
		c.mu.Unlock()
	}
}

// leave ends all; it may be called twice.
func (c *crowd) leave() {
	c.mu.Lock()
	conns := c.conns
	c.conns = nil
	c.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
	}
	c.read.Wait()
}

// socketChild is an api whose WebSocket takes as many clients from one address.
func socketChild(ctx context.Context, spec childSpec) (string, func(context.Context) error, error) {
	log, closer, err := newLog()
	if err != nil {
		return "", nil, err
	}
	c := configs.Default()
	c.Redis.Addr, c.Redis.RequireDurable, c.HTTP.Listen, c.HTTP.RateLimit.PerSecond = spec.Redis, false, []string{"127.0.0.1:0"}, 0
	c.WS.MaxConnections, c.WS.PerClient = 2*wsClients, 2*wsClients
	a, err := app.New(app.Options{Config: c, Roles: []app.Role{app.API}, Log: log, Version: "bench"})
	if err != nil {
		return "", nil, errors.Join(err, closer.Close())
	}
	if err := a.Start(ctx); err != nil {
		return "", nil, errors.Join(err, closer.Close())
	}
	return a.Addrs()[0], func(ctx context.Context) error { return errors.Join(a.Stop(ctx), closer.Close()) }, nil
}

// hubChild is the peer: one prepared message, written to all in turn.
func hubChild(ctx context.Context, _ childSpec) (string, func(context.Context) error, error) {
	var mu sync.Mutex
	conns := map[*websocket.Conn]bool{}
	up := websocket.Upgrader{}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		mu.Lock()
		conns[conn] = true
		mu.Unlock()
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				break
			}
		}
		mu.Lock()
		delete(conns, conn)
		mu.Unlock()
		_ = conn.Close()
	})}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listening: %w", err)
	}
	ending, end := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	all.Go(func() { _ = srv.Serve(l) })
	all.Go(func() {
		t := time.NewTicker(wsEvery)
		defer t.Stop()
		for {
			select {
			case <-ending.Done():
				return
			case <-t.C:
			}
			text, err := json.Marshal(map[string]any{"type": "service_event", "data": timed{time.Now().UnixNano(), strings.Repeat("x", wsText)}})
			if err != nil {
				return
			}
			m, err := websocket.NewPreparedMessage(websocket.TextMessage, text)
			if err != nil {
				return
			}
			mu.Lock()
			for conn := range conns {
				_ = conn.WritePreparedMessage(m)
			}
			mu.Unlock()
		}
	})
	return l.Addr().String(), func(context.Context) error { end(); err := srv.Close(); all.Wait(); return err }, nil
}
