package hilink

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Ensure only the address of a modem is taken for one.
func TestNew_address(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"http://192.168.11.1", "http://192.168.11.1/", "http://127.0.0.1:8080", "http://[::1]:80"} {
		c, err := New(good, Options{})
		if err != nil {
			t.Errorf("%s: %v", good, err)
			continue
		}
		c.Close()
	}
	for _, bad := range []string{
		"", "192.168.11.1", "https://192.168.11.1", "http://", "http://:80", "http://h/api", "http://h?x=1", "http://h#x", "http://u:geheim@h", "http://h:port",
	} {
		_, err := New(bad, Options{})
		if err == nil {
			t.Errorf("%q was taken", bad)
		} else if strings.Contains(err.Error(), "geheim") {
			t.Errorf("the error shows a password: %v", err)
		}
	}
	if _, err := New("http://h", Options{Timeout: -1}); err == nil {
		t.Error("a negative timeout was taken")
	}
}

// Ensure the dialer alone decides where requests go: no proxy of the
// environment comes between, and it is asked for the modem's address.
func TestClient_dial(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
		t.Setenv(name, "http://proxy.invalid:3128")
	}
	s := newStub(t, Options{})
	var asked []string
	c, err := New("http://192.168.11.1", Options{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		asked = append(asked, network+" "+addr)
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		if err := c.SetDataSwitch(within(t), true); err != nil {
			t.Fatal(err)
		}
	}
	if len(asked) != 1 || asked[0] != "tcp 192.168.11.1:80" {
		t.Errorf("dialled %q, want the modem, once", asked)
	}
	c.CloseIdle()
	if err := c.SetDataSwitch(within(t), true); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 2 {
		t.Errorf("dialled %d times, want a new connection after CloseIdle", len(asked))
	}
}

// Ensure the cause of a network's error is kept: whoever repairs the dongle
// looks for it.
func TestClient_dialError(t *testing.T) {
	t.Parallel()
	c, err := New("http://192.168.11.1", Options{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ENODEV}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Status(within(t))
	if !errors.Is(err, syscall.ENODEV) || !strings.HasPrefix(err.Error(), "read status: ") {
		t.Errorf("%v", err)
	}
}

// Ensure what doesn't behave as a HiLink modem is said to be none, and that
// a redirect is not followed.
func TestClient_notHiLink(t *testing.T) {
	t.Parallel()
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { followed = true }))
	defer elsewhere.Close()
	for name, answer := range map[string]http.HandlerFunc{
		"page":      func(w http.ResponseWriter, _ *http.Request) { w.Write(recorded(t, "html/other_device.html")) },
		"redirect":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"not found": http.NotFound,
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<response>"+strings.Repeat(" ", maxAnswer))
		},
		"no body": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	} {
		s := newStub(t, Options{})
		s.answer = func(w http.ResponseWriter, r *http.Request, _ int) { answer(w, r) }
		_, err := s.client.Traffic(within(t))
		if !errors.Is(err, ErrNotHiLink) || !strings.HasPrefix(err.Error(), "read traffic: not a HiLink answer") {
			t.Errorf("%s: %v", name, err)
		}
		// Whatever sits there next is asked for a session of its own.
		s.answer = func(w http.ResponseWriter, _ *http.Request, _ int) { io.WriteString(w, ok) }
		if err := s.client.SetDataSwitch(within(t), true); err != nil {
			t.Errorf("%s, afterwards: %v", name, err)
		}
		s.wantLog(t, "GET webserver/SesTokInfo", "GET monitoring/traffic-statistics s1",
			"GET webserver/SesTokInfo", "POST dialup/mobile-dataswitch s2 t2")
	}
	if followed {
		t.Error("a redirect was followed")
	}
}

// Ensure a modem never has two requests at once, whoever asks.
func TestClient_oneAtATime(t *testing.T) {
	t.Parallel()
	s := newStub(t, Options{})
	var under, most atomic.Int32
	s.answer = func(w http.ResponseWriter, _ *http.Request, _ int) {
		if n := under.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer under.Add(-1)
		io.WriteString(w, "<response><ConnectionStatus>901</ConnectionStatus></response>")
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if st, err := s.client.Status(within(t)); err != nil || !st.Connected() {
				t.Errorf("%v, %v", st, err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d requests at once", most.Load())
	}
}

// hanging makes a stub that doesn't answer. The channel gets one value when a
// request has arrived.
func hanging(t *testing.T, opt Options) (*stub, <-chan struct{}) {
	t.Helper()
	s := newStub(t, opt)
	arrived := make(chan struct{}, 8)
	s.answer = func(_ http.ResponseWriter, r *http.Request, _ int) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}
	return s, arrived
}

// Ensure a modem that is silent costs the timeout and no more, and is told from
// a caller who gave up.
func TestClient_timeout(t *testing.T) {
	t.Parallel()
	s, _ := hanging(t, Options{Timeout: 30 * time.Millisecond})
	_, err := s.client.Status(within(t))
	if !errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if want := "read status: the modem did not answer in time (30ms)"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	s, _ = hanging(t, Options{})
	if _, err := s.client.Status(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrTimeout) {
		t.Errorf("%v", err)
	}
}

// Ensure an answer that starts and doesn't end is bounded too.
func TestClient_timeoutInBody(t *testing.T) {
	t.Parallel()
	s := newStub(t, Options{Timeout: 50 * time.Millisecond})
	s.answer = func(w http.ResponseWriter, r *http.Request, _ int) {
		io.WriteString(w, "<response>")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	if _, err := s.client.Status(within(t)); !errors.Is(err, ErrTimeout) {
		t.Errorf("%v", err)
	}
}

// Ensure who waits for a turn can give up, while the call before goes on.
func TestClient_waitingGivesUp(t *testing.T) {
	t.Parallel()
	s, arrived := hanging(t, Options{})
	first := make(chan error, 1)
	go func() {
		_, err := s.client.Status(within(t))
		first <- err
	}()
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.client.Traffic(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	select {
	case err := <-first:
		t.Errorf("the call before ended: %v", err)
	default:
	}
	s.client.Close()
	if err := <-first; !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

// Ensure Close ends the call under way and those that wait, can be called
// twice and at once, and that nothing is sent afterwards.
func TestClient_Close(t *testing.T) {
	t.Parallel()
	s, arrived := hanging(t, Options{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := s.client.SetDataSwitch(within(t), true); !errors.Is(err, ErrClosed) {
				t.Errorf("%v", err)
			}
		})
	}
	<-arrived
	for range 2 {
		wg.Go(s.client.Close)
	}
	wg.Wait()
	if err := s.client.SetDataSwitch(within(t), true); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	s.wantLog(t, "GET webserver/SesTokInfo", "POST dialup/mobile-dataswitch s1 t1")
}

// Ensure a dial into a dead interface ends with the request that wanted it
// (goleak would find it), or with Close.
func TestClient_deadDial(t *testing.T) {
	t.Parallel()
	began, ended := make(chan struct{}, 2), make(chan struct{}, 2)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		began <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return nil, ctx.Err()
	}
	c, err := New("http://192.168.11.1", Options{Dial: dial, Timeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Status(within(t)); !errors.Is(err, ErrTimeout) {
		t.Errorf("%v", err)
	}
	<-ended
	c.Close()

	if c, err = New("http://192.168.11.1", Options{Dial: dial, Timeout: time.Hour}); err != nil {
		t.Fatal(err)
	}
	<-began // the one above
	ctx, cancel := context.WithCancel(within(t))
	gaveUp := make(chan error, 1)
	go func() {
		_, err := c.Status(ctx)
		gaveUp <- err
	}()
	<-began
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	c.Close()
	<-ended
}
