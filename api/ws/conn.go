package ws

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"switchyard/api/access"
	"switchyard/events"
)

const (
	// queued is how many messages may wait for a client, queuedBytes how many bytes.
	queued      = 512
	queuedBytes = 8 << 20
	// writeTimeout bounds one message to a client.
	writeTimeout = 10 * time.Second
	// farewell bounds the wait for a client's answer to a close.
	farewell = 2 * time.Second
)

// ending is why a connection is closed, as the protocol tells it.
type ending struct {
	code   int
	reason string
}

// Error implements error.
func (e ending) Error() string { return strconv.Itoa(e.code) + " " + e.reason }

var (
	errClosing     = ending{websocket.CloseServiceRestart, "server is restarting; reconnect in 3s"}
	errTooSlow     = ending{websocket.CloseTryAgainLater, "too slow: messages are waiting; reconnect and resume"}
	errIdle        = ending{websocket.CloseGoingAway, "nothing was received for too long"}
	errBinary      = ending{websocket.CloseUnsupportedData, "text messages only"}
	errNotText     = ending{websocket.CloseInvalidFramePayloadData, "not UTF-8"}
	errNoAccess    = ending{websocket.ClosePolicyViolation, "authentication required"}
	errClientEnded = ending{websocket.CloseNormalClosure, ""}
)

// conn is one connection.
type conn struct {
	s      *Server
	ws     *websocket.Conn
	client *client
	caller access.Caller
	opened time.Time

	ctx    context.Context
	cancel context.CancelCauseFunc
	out    chan *message
	bytes  atomic.Int64

	sub struct {
		mu sync.Mutex
		subscription
	}
	told chan struct{} // of the reader: see settled

	from   events.Cursor // what was broadcast before it came
	placed bool

	diary diary
}

func newConn(s *Server, ws *websocket.Conn, cl *client, caller access.Caller) *conn {
	c := &conn{s: s, ws: ws, client: cl, caller: caller, opened: s.now(), out: make(chan *message, queued)}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.sub.caller = &c.caller
	c.diary.keep = s.opt.Config.Debug
	return c
}

// end closes the connection; the first reason counts.
func (c *conn) end(e ending) { c.cancel(e) }

// offer puts a message into the queue. Who is too slow is closed.
func (c *conn) offer(m *message) {
	if c.bytes.Add(int64(m.size)) <= queuedBytes {
		select {
		case c.out <- m:
			return
		default:
		}
	}
	c.end(errTooSlow)
}

// wait is offer for what can wait for the client; false: the connection has ended.
func (c *conn) wait(ctx context.Context, m *message) bool {
	c.bytes.Add(int64(m.size))
	select {
	case c.out <- m:
		return true
	case <-c.ctx.Done():
	case <-ctx.Done():
	}
	return false
}

// tell sends a message to this client alone.
func (c *conn) tell(kind string, data any) {
	text, err := json.Marshal(envelope{Type: kind, Data: data, Timestamp: at(c.s.now())})
	if err != nil {
		c.s.opt.Log.Error("WebSocket 오류", "client", c.address(), "err", err)
		return
	}
	m := &message{kind: kind, size: len(text), sent: make(chan struct{})}
	m.prepared, _ = websocket.NewPreparedMessage(websocket.TextMessage, text) // fails for other kinds of messages only
	c.offer(m)
	c.told = m.sent
}

// settled waits until what was told last is written. So an answer is sent before the
// next message is read, which may be the client's last, and who reads no answers isn't
// read from.
func (c *conn) settled() {
	if c.told == nil {
		return
	}
	select {
	case <-c.told:
	case <-c.ctx.Done():
	}
	c.told = nil
}

func (c *conn) address() string { return c.caller.Addr.String() }

// refuse tells a client that it may not come in, and why.
func (c *conn) refuse(why error) {
	code := Unauthenticated
	if errors.Is(why, access.ErrScope) {
		code = PermissionDenied
	}
	e := Fail(code)
	e.At = at(c.s.now())
	c.s.opt.Meter.WebSocketError(string(code))
	c.s.opt.Log.Warn("WebSocket 인증 실패: "+c.address(), "code", code)
	c.tell(typeError, e)
	c.end(errNoAccess)
	var writing sync.WaitGroup
	writing.Go(c.write)
	c.read()
	writing.Wait()
	_ = c.ws.Close()
}

// serve runs the connection to its end.
func (c *conn) serve() {
	defer c.s.opt.Meter.WebSocketOpened()()
	n := c.s.add(c)
	log := c.s.opt.Log.With("client", c.address())
	log.Info("WebSocket 클라이언트 연결: "+c.address(), "principal", c.caller.Name)
	c.tell(typeConnection, connectionStatus{
		Status: "connected", ServerVersion: c.s.opt.Version, ServerTime: at(c.s.now()), ClientCount: n,
		Uptime: int64(c.s.now().Sub(c.s.started) / time.Second), Features: features,
	})
	var writing sync.WaitGroup
	writing.Go(c.write)
	c.read() // also the client's answer to a close
	writing.Wait()
	c.s.remove(c)
	_ = c.ws.Close()
	log.Info("WebSocket 클라이언트 연결 종료: "+c.address(), "reason", context.Cause(c.ctx), "duration", c.s.now().Sub(c.opened).Round(time.Millisecond))
}

// alive notes that something was received.
func (c *conn) alive() error {
	err := c.ws.SetReadDeadline(time.Now().Add(c.s.opt.Config.IdleTimeout.Std()))
	if c.ctx.Err() != nil { // it has just ended, and had a shorter time set
		return c.ws.SetReadDeadline(time.Now().Add(farewell))
	}
	return err
}

// read handles what the client sends, until the connection ends.
func (c *conn) read() {
	c.ws.SetReadLimit(c.s.opt.Config.MaxMessage)
	c.ws.SetPongHandler(func(string) error { return c.alive() })
	answer := c.ws.PingHandler()
	c.ws.SetPingHandler(func(text string) error {
		if err := c.alive(); err != nil {
			return err
		}
		return answer(text)
	})
	if err := c.alive(); err != nil {
		c.end(errClientEnded)
	}
	defer context.AfterFunc(c.ctx, func() { _ = c.ws.SetReadDeadline(time.Now().Add(farewell)) })() // a dead connection needs none
	for {
		if err := c.alive(); err != nil {
			c.end(errClientEnded)
		}
		kind, text, err := c.ws.ReadMessage()
		switch {
		case err != nil:
			c.end(endingOf(err))
			return
		case c.ctx.Err() != nil: // waiting for the client's close
		case kind != websocket.TextMessage:
			c.end(errBinary)
		case !utf8.Valid(text):
			c.end(errNotText)
		default:
			c.receive(text)
			c.settled()
		}
	}
}

// endingOf is what to say to a client that can't be read from any more.
func endingOf(err error) ending {
	var timeout net.Error
	var closed *websocket.CloseError
	switch {
	case errors.Is(err, websocket.ErrReadLimit):
		return ending{websocket.CloseMessageTooBig, "message too big"} // the library has said so
	case errors.As(err, &closed):
		return ending{closed.Code, closed.Text} // and answered that
	case errors.As(err, &timeout) && timeout.Timeout():
		return errIdle
	}
	return errClientEnded
}

// write sends what waits, and pings, until the connection ends.
func (c *conn) write() {
	t := time.NewTicker(c.s.opt.Config.PingInterval.Std())
	defer t.Stop()
	defer func() {
		var e ending
		if !errors.As(context.Cause(c.ctx), &e) {
			e = errClientEnded
		}
		// It is sent in vain where the client has closed already.
		_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(e.code, e.reason), time.Now().Add(farewell))
	}()
	for {
		select {
		case <-c.ctx.Done():
			c.last()
			return
		case m := <-c.out:
			if !c.send(m) {
				return
			}
		case <-t.C:
			if err := c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout)); err != nil {
				c.end(errClientEnded)
				return
			}
		}
	}
}

// last sends what an ending connection is still owed: the word why it is refused.
func (c *conn) last() {
	var e ending
	if !errors.As(context.Cause(c.ctx), &e) || e != errNoAccess {
		return
	}
	for {
		select {
		case m := <-c.out:
			if !c.send(m) {
				return
			}
		default:
			return
		}
	}
}

func (c *conn) send(m *message) bool {
	c.bytes.Add(-int64(m.size))
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeTimeout)) // a dead connection shows in the next line
	if err := c.ws.WritePreparedMessage(m.prepared); err != nil {
		c.end(errClientEnded)
		_ = c.ws.Close()
		return false
	}
	if m.sent != nil {
		close(m.sent)
	}
	c.s.opt.Meter.WebSocketSent(m.kind)
	c.diary.note(c.s.now(), "out", m.kind, m.size)
	return true
}
