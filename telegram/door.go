package telegram

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"switchyard/configs"
)

// maxAnswer is how much of an answer is read: a hundred updates are less.
const maxAnswer = 16 << 20

// door is the HTTP client that the library works with. It sees what the library
// doesn't tell: whether a request left, what an answer says beside its text, and
// whether it is one of Telegram's at all.
type door struct {
	client    *http.Client
	token     configs.Secret
	userAgent string
	timeout   time.Duration
}

func newDoor(c configs.Telegram, userAgent string) *door {
	transport := &http.Transport{}
	if usual, ok := http.DefaultTransport.(*http.Transport); ok { // as it is, unless a program has another one
		transport = usual.Clone()
	}
	transport.MaxIdleConnsPerHost = transport.MaxIdleConns
	return &door{
		client:    &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		token:     c.Token,
		userAgent: userAgent, timeout: c.Timeout.Std(),
	}
}

// Do makes a request and reads its answer as a whole. The error is an *Error,
// which has nothing of the address: the token is part of it.
func (d *door) Do(req *http.Request) (*http.Response, error) {
	// The library streams its form. As a whole, the request has a length, which
	// not all servers do without, and is sent anew on a connection that was dead.
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	var left atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }}
	out := req.Clone(httptrace.WithClientTrace(req.Context(), trace))
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	out.Header.Set("User-Agent", d.userAgent)
	res, err := d.client.Do(out)
	if err != nil {
		return nil, d.unreached(err, left.Load())
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	_ = res.Body.Close() // all that matters of it was read
	if err != nil {
		return nil, d.unreached(err, true)
	}
	var said said
	if json.Unmarshal(answer, &said) != nil || said.OK == nil {
		return nil, odd(res.StatusCode)
	}
	if !*said.OK {
		return nil, d.refused(res, said)
	}
	res.Body = io.NopCloser(bytes.NewReader(answer))
	return res, nil
}

// said is what an answer of Telegram's says beside its result.
type said struct {
	OK          *bool  `json:"ok"`
	Code        int    `json:"error_code"`
	Description string `json:"description"`
	Parameters  struct {
		RetryAfter int64 `json:"retry_after"`
		MovedTo    int64 `json:"migrate_to_chat_id"`
	} `json:"parameters"`
}
