// Package redisserver runs a Redis for the demo, for tests and for fault
// injection: a redis-server process of its own on a free loopback port, or,
// for a demo on a machine without one, an in-process stand-in.
//
// A Server can be killed, hung and restarted on the same port with the same
// append-only file, which is how tests take Redis away. It is never used for a
// real environment.
package redisserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// Binary is the program that Start runs.
const Binary = "redis-server"

// Available reports whether there is a redis-server to run.
func Available() bool {
	_, err := exec.LookPath(Binary)
	return err == nil
}

// Options of a Server.
type Options struct {
	// Dir holds its append-only file.
	Dir string
	// Fsync is Redis' appendfsync: always, everysec, no. Empty: no append-only
	// file at all.
	Fsync string
	// ReplicaOf is the address of the master that it copies. Empty: it is one.
	ReplicaOf string
	// TLS, if set, is all it speaks.
	TLS *TLS
	// Sentinel, if set, makes it a Sentinel instead of a database.
	Sentinel *Sentinel
	// Args are further arguments of redis-server.
	Args []string
}

// TLS is what a Server proves itself with, and what it asks of its clients.
type TLS struct {
	// Cert, Key and CA are files in PEM form.
	Cert, Key, CA string
	// ClientCert: clients have to show one that CA has signed.
	ClientCert bool
	// Client is how its clients connect.
	Client *tls.Config
}

func (t *TLS) args(port string) []string {
	asks := "no"
	if t.ClientCert {
		asks = "yes"
	}
	return []string{
		"--port", "0", "--tls-port", port, "--tls-cert-file", t.Cert, "--tls-key-file", t.Key, "--tls-ca-cert-file", t.CA,
		"--tls-auth-clients", asks, "--tls-replication", "yes",
	}
}

// Server is one redis-server process.
type Server struct {
	opt  Options
	addr string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd was waited for
}

const (
	startTimeout = 15 * time.Second
	startPoll    = 5 * time.Millisecond
	stopTimeout  = 5 * time.Second
)

// Start runs a redis-server on a free port of 127.0.0.1 and returns when it
// answers.
func Start(ctx context.Context, opt Options) (*Server, error) {
	s := &Server{opt: opt}
	// The port is free now; should another process take it before Redis does,
	// the next try asks for another.
	var errs []error
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		s.addr = l.Addr().String()
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		if err := s.Restart(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		return s, nil
	}
	return nil, errors.Join(errs...)
}

// Addr is where it listens, host:port.
func (s *Server) Addr() string { return s.addr }

// Restart runs it again on the same port with the same data, after Kill.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return errors.New("redis-server is running")
	}
	args, err := s.args()
	if err != nil {
		return fmt.Errorf("starting %s: %w", Binary, err)
	}
	// Not bound to ctx, which is about the start; Stop and Kill end it.
	cmd := exec.Command(Binary, append(args, s.opt.Args...)...) //nolint:noctx // see above
	cmd.SysProcAttr = dieWithParent()
	started, done := make(chan error), make(chan struct{})
	go func() {
		defer close(done)
		// To the kernel its parent is this thread, which must not end before it
		// does: tests let threads end that they have changed for themselves.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is of no interest: it is killed or told to stop
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting %s: %w", Binary, err)
	}
	s.cmd, s.done = cmd, done
	if err := s.ready(ctx, done); err != nil {
		_ = cmd.Process.Kill()
		<-done
		s.cmd = nil
		return err
	}
	return nil
}

// args are those of redis-server.
func (s *Server) args() ([]string, error) {
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return nil, err
	}
	if s.opt.Sentinel != nil {
		return s.opt.Sentinel.args(s.opt.Dir, host, port)
	}
	args := []string{
		"--bind", host, "--dir", s.opt.Dir, "--save", "",
		"--daemonize", "no", "--maxmemory-policy", "noeviction", "--logfile", filepath.Join(s.opt.Dir, "redis.log"),
	}
	if s.opt.TLS != nil {
		args = append(args, s.opt.TLS.args(port)...)
	} else {
		args = append(args, "--port", port)
	}
	if s.opt.Fsync != "" {
		args = append(args, "--appendonly", "yes", "--appendfsync", s.opt.Fsync)
	}
	if s.opt.ReplicaOf != "" {
		host, port, err := net.SplitHostPort(s.opt.ReplicaOf)
		if err != nil {
			return nil, err
		}
		args = append(args, "--replicaof", host+" "+port)
	}
	return args, nil
}

// ready waits until it answers a ping, if only that it wants a password.
func (s *Server) ready(ctx context.Context, done <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	opt := &redis.Options{Addr: s.Addr(), MaxRetries: -1}
	if s.opt.TLS != nil {
		opt.TLSConfig = s.opt.TLS.Client
	}
	c := redis.NewClient(opt)
	defer c.Close()
	t := time.NewTicker(startPoll)
	defer t.Stop()
	for {
		err := c.Ping(ctx).Err()
		if err == nil || redis.HasErrorPrefix(err, "NOAUTH") {
			return nil
		}
		select {
		case <-done:
			return fmt.Errorf("%s at %s ended at once; see redis.log in %s", Binary, s.addr, s.opt.Dir)
		case <-ctx.Done():
			return fmt.Errorf("%s at %s does not answer: %w", Binary, s.addr, err)
		case <-t.C:
		}
	}
}

// Kill ends it as a crash would (SIGKILL).
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop ends it in order. It may be called twice.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig) // gone already: then done is closed
	t := time.NewTimer(stopTimeout)
	defer t.Stop()
	select {
	case <-s.done:
	case <-t.C:
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	s.cmd = nil
}

// Hang stops it from answering while its connections stay open (SIGSTOP), as
// an overloaded machine does; Resume lets it go on.
func (s *Server) Hang() error { return s.signal(syscall.SIGSTOP) }

// Resume ends a Hang.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return errors.New("redis-server is not running")
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signalling redis-server: %w", err)
	}
	return nil
}
