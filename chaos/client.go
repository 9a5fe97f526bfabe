package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"switchyard/api"
	"switchyard/tasks"
)

// Where receivers are told, as the receivers' check knows them.
const (
	startPath  = "/toggle/start"
	resultPath = "/toggle/result"
)

// client asks the api as its clients do, and remembers every answer.
type client struct {
	base, guest string
	http        *http.Client

	mu      sync.Mutex
	replies []reply
	asked   int
}

// reply is what became of one request for a toggle.
type reply struct {
	n      int // number of the request; its chat and callback URL follow from it
	subnet int
	waited bool // the request asked to wait for the result
	at     time.Time
	took   time.Duration

	status int // 0: no answer came
	job    string
	joined bool
	code   string // of an error
	body   string
	err    error
}

// promised reports whether the client was told that the job will be done.
func (r *reply) promised() bool {
	return r.job != "" && (r.status == http.StatusAccepted || r.status == http.StatusOK)
}

// String is what became of it, for messages.
func (r *reply) String() string {
	if r.status == 0 {
		return fmt.Sprintf("request %d for dongle %d got no answer: %v", r.n, r.subnet, r.err)
	}
	return fmt.Sprintf("request %d for dongle %d was answered with status %d after %s: %s", r.n, r.subnet, r.status, r.took.Round(time.Millisecond), strings.TrimSpace(r.body))
}

// firstChat is added to a request's number, so that its chat looks like one.
const firstChat = 1_000_000

func chatOf(n int) string { return strconv.Itoa(firstChat + n) }

// guestPath is the path of a request's own callback URL.
func guestPath(n int) string { return "/" + strconv.Itoa(n) + resultPath }

// askLimit is when a client gives up that doesn't wait for the result. It is
// far beyond what the api may take.
const askLimit = 10 * time.Second

func newClient(base, guest string) *client {
	return &client{base: base, guest: guest, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
}

// toggle asks for a toggle and remembers what became of it. wait is how long
// the api is asked to wait for the result; 0: not at all.
func (c *client) toggle(ctx context.Context, subnet int, wait time.Duration) reply {
	c.mu.Lock()
	r := reply{n: c.asked, subnet: subnet, waited: wait > 0}
	c.asked++
	c.mu.Unlock()

	body := map[string]any{"port": tasks.Port(subnet), "chat_id": firstChat + r.n, "callback_url": c.guest + guestPath(r.n)}
	if wait > 0 {
		body["wait"] = wait.Seconds()
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit+wait)
	defer cancel()
	r.at = time.Now()
	r.err = c.post(ctx, &r, body)
	r.took = time.Since(r.at)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.replies = append(c.replies, r)
	return r
}

func (c *client) post(ctx context.Context, r *reply, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/api/v1/proxies/toggle", bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if b, err = io.ReadAll(res.Body); err != nil {
		return err
	}
	r.status, r.body = res.StatusCode, string(b)
	if l := res.Header.Get("Location"); l != "" {
		r.job = path.Base(l)
	}
	var said struct {
		Joined bool   `json:"joined"`
		Code   string `json:"code"`
	}
	if err := json.Unmarshal(b, &said); err != nil {
		return fmt.Errorf("answer with status %d: %w", r.status, err)
	}
	r.joined, r.code = said.Joined, said.Code
	return nil
}

// answers are all replies so far.
func (c *client) answers() []reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]reply(nil), c.replies...)
}

// get reads a document.
func (c *client) get(ctx context.Context, where string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+where, nil)
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: status %d: %s", where, res.StatusCode, b)
	}
	return json.Unmarshal(b, into)
}

// job reads one job.
func (c *client) job(ctx context.Context, id string) (j api.JobDocument, err error) {
	return j, c.get(ctx, "/api/v1/jobs/"+id, &j)
}

// jobs reads all jobs of a type, newest first.
func (c *client) jobs(ctx context.Context, t tasks.Type) (all []api.JobDocument, err error) {
	q := url.Values{"type": {string(t)}, "limit": {"200"}}
	for {
		var page api.JobList
		if err := c.get(ctx, "/api/v1/jobs?"+q.Encode(), &page); err != nil {
			return nil, err
		}
		all = append(all, page.Jobs...)
		if page.NextCursor == nil {
			return all, nil
		}
		q.Set("cursor", *page.NextCursor)
	}
}

// ended reports whether a job in this state has ended.
func ended(state string) bool {
	return state == "completed" || state == "failed" || state == "cancelled"
}

// awaitEnds waits until all the jobs have ended, and returns them.
func (s *stage) awaitEnds(ctx context.Context, limit time.Duration, ids ...string) (map[string]api.JobDocument, error) {
	out := map[string]api.JobDocument{}
	err := s.until(ctx, limit, "the jobs have ended", func(ctx context.Context) (bool, error) {
		for _, id := range ids {
			if _, done := out[id]; done {
				continue
			}
			j, err := s.ask.job(ctx, id)
			if err != nil || !ended(j.State) {
				return false, err
			}
			out[id] = j
		}
		return true, nil
	})
	return out, err
}

// toggleAll asks for a toggle of each of the modems at once.
func (s *stage) toggleAll(ctx context.Context, wait time.Duration) []reply {
	out := make([]reply, len(s.modems))
	var wg sync.WaitGroup
	for i := range s.modems {
		wg.Go(func() { out[i] = s.ask.toggle(ctx, firstModem+i, wait) })
	}
	wg.Wait()
	return out
}

// promisedJobs are the jobs of replies, all of which must be promises.
func promisedJobs(replies []reply) ([]string, error) {
	var ids []string
	for _, r := range replies {
		if !r.promised() {
			return nil, errors.New(r.String())
		}
		ids = append(ids, r.job)
	}
	return ids, nil
}

func listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

// load asks for toggles of all dongles, two clients for each, until stop is
// called: some start one, more join one that is under way.
func (s *stage) load(ctx context.Context, pauseLeast, pauseMost time.Duration) (stop func()) {
	const clientsPerModem = 2
	ctx, cancel := context.WithCancel(ctx)
	// The stage's context for the requests: stopping lets them be answered.
	var wg sync.WaitGroup
	for i := range s.modems {
		for range clientsPerModem {
			wg.Go(func() {
				for rest(ctx, s.between(pauseLeast, pauseMost)) == nil {
					s.ask.toggle(s.life, firstModem+i, 0)
				}
			})
		}
	}
	return func() {
		cancel()
		wg.Wait()
	}
}
