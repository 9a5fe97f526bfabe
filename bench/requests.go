package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// request is one POST of a JSON body as it goes over the wire.
func request(path, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// connections are kept alive by the client.
const connections = 64

// send sends all requests, over each connection one after the other, and returns
// how long that took. An answer with another status than wanted is an error.
//
// A client of its own rather than net/http's, which would take more of the
// machine than what is measured.
func send(ctx context.Context, addr string, requests [][]byte, status int) (time.Duration, error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	var once sync.Once
	var failed error
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	var d net.Dialer
	for range connections {
		c, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return 0, fmt.Errorf("connecting: %w", err)
		}
		conns = append(conns, c)
	}
	began := time.Now()
	for _, c := range conns {
		wg.Go(func() {
			r := bufio.NewReader(c)
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(requests) {
					return
				}
				if err := exchange(c, r, requests[i], status); err != nil {
					once.Do(func() { failed = err }) // the others' are no news
					next.Store(int64(len(requests))) // no more
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return took, failed
}

// exchange sends one request and reads its answer.
func exchange(c net.Conn, r *bufio.Reader, request []byte, status int) error {
	if _, err := c.Write(request); err != nil {
		return fmt.Errorf("sending a request: %w", err)
	}
	line, err := r.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("reading an answer: %w", err)
	}
	ok := bytes.HasPrefix(line, fmt.Appendf(nil, "HTTP/1.1 %d ", status))
	first := ""
	if !ok {
		first = string(line)
	}
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("reading an answer: %w", err)
		}
		if len(line) <= 2 {
			break
		}
		if k, v, found := bytes.Cut(line, []byte(":")); found && string(k) == "Content-Length" {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return fmt.Errorf("reading an answer: %w", err)
			}
		}
	}
	if !ok {
		body := make([]byte, length)
		_, _ = io.ReadFull(r, body) // for the message
		return fmt.Errorf("the answer is %q, not %d: %s", first, status, body)
	}
	if _, err := r.Discard(length); err != nil {
		return fmt.Errorf("reading an answer: %w", err)
	}
	return nil
}

// inParallel calls f for 0 … n-1 from so many goroutines and returns how long
// that took.
func inParallel(ctx context.Context, goroutines, n int, f func(i int) error) (time.Duration, error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, goroutines)
	began := time.Now()
	for g := range goroutines {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if errs[g] = f(i); errs[g] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return took, errors.Join(errs...)
}
