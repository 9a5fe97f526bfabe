package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/api"
	"switchyard/configs"
	"switchyard/sim/receiver"
	"switchyard/sim/redisserver"
	"switchyard/tasks"
)

// central is the central machine: Redis, and one process of the program.
type central struct {
	redis    *redisserver.Server
	rdb      *redis.Client
	receiver *receiver.Receiver
	addr     string // of the API
	cmd      *exec.Cmd
	done     chan struct{} // closed when the process has ended
	http     *http.Client
}

// startCentral starts all of it. The caller stops what it returns, also when it
// failed.
func startCentral(ctx context.Context, opt *options) (*central, error) {
	c := &central{http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	var err error
	if c.redis, err = redisserver.Start(ctx, redisserver.Options{Dir: opt.dir, Fsync: "always"}); err != nil {
		return c, err
	}
	c.rdb = redis.NewClient(&redis.Options{Addr: c.redis.Addr()})
	if c.receiver, err = receiver.Start(ctx, "127.0.0.1:0"); err != nil {
		return c, err
	}
	if c.addr, err = freeAddr(); err != nil {
		return c, err
	}
	cfg := configs.Default()
	cfg.Redis.Addr = c.redis.Addr()
	cfg.HTTP.Listen = []string{c.addr}
	cfg.HTTP.RateLimit.PerSecond = 0
	cfg.Delivery.Allow = []string{"127.0.0.0/8"}
	cfg.Callbacks.Toggle = []configs.ToggleReceiver{{
		Name: "lab", StartURL: c.receiver.URL() + "/toggle/start", ResultURL: c.receiver.URL() + "/toggle/result",
	}}
	text, err := cfg.YAML()
	if err != nil {
		return c, err
	}
	file := filepath.Join(opt.dir, "central.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return c, err
	}
	log, err := os.Create(filepath.Join(opt.dir, "central.log"))
	if err != nil {
		return c, err
	}
	defer func() { _ = log.Close() }() // the process has its own
	if err := c.admit(ctx, opt.binary); err != nil {
		return c, err
	}
	c.cmd = exec.Command(opt.binary, "serve", "-c", file, "--role", "api,worker,scheduler") //nolint:noctx // ended by stop
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = ownGroup()
	if err := c.cmd.Start(); err != nil {
		return c, fmt.Errorf("starting the central machine: %w", err)
	}
	c.done = make(chan struct{})
	go func() {
		_ = c.cmd.Wait() // it is told to end
		close(c.done)
	}()
	return c, until(ctx, readyLimit, "the API is ready", func(ctx context.Context) error {
		var status any
		return c.get(ctx, "/readyz", &status)
	})
}

// The proxy host has a user of its own at Redis, with the rights that the program
// says it needs.
const (
	redisUser     = "lab-host"
	redisPassword = "of no use outside this lab"
)

// admit makes that user.
func (c *central) admit(ctx context.Context, binary string) error {
	cmd := exec.CommandContext(ctx, binary, "redis-acl", "--host", hostName, "--user", redisUser, "--password-env", "LAB_PASSWORD")
	cmd.Env = []string{"LAB_PASSWORD=" + redisPassword}
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("asking for the rights of a proxy host: %w", err)
	}
	args := []any{"ACL", "SETUSER"}
	for _, word := range strings.Fields(string(out))[1:] {
		args = append(args, word)
	}
	return c.rdb.Do(ctx, args...).Err()
}

// denied are what Redis has refused the proxy host so far.
func (c *central) denied(ctx context.Context) error {
	entries, err := c.rdb.ACLLog(ctx, 0).Result()
	if err != nil {
		return fmt.Errorf("asking Redis what it has refused: %w", err)
	}
	var errs []error
	for _, e := range entries {
		errs = append(errs, fmt.Errorf("redis has refused %s %q to %s (%s)", e.Context, e.Object, e.Username, e.Reason))
	}
	return errors.Join(errs...)
}

// stop ends all of it.
func (c *central) stop() error {
	var errs []error
	if c.done != nil {
		_ = c.cmd.Process.Signal(syscall.SIGTERM) // gone already: then done is closed
		select {
		case <-c.done:
		case <-time.After(stopLimit):
			_ = c.cmd.Process.Kill()
			<-c.done
			errs = append(errs, errors.New("the central machine had to be killed"))
		}
	}
	if c.receiver != nil {
		errs = append(errs, c.receiver.Close())
	}
	if c.rdb != nil {
		errs = append(errs, c.rdb.Close())
	}
	if c.redis != nil {
		c.redis.Stop()
	}
	return errors.Join(errs...)
}

// toggle asks for a toggle and returns the job.
func (c *central) toggle(ctx context.Context, subnet int) (string, error) {
	body, err := json.Marshal(map[string]any{"port": tasks.Port(subnet)})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.addr+"/api/v1/proxies/toggle", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	var accepted struct {
		JobID string `json:"job_id"`
	}
	if err := c.do(req, http.StatusAccepted, &accepted); err != nil {
		return "", err
	}
	return accepted.JobID, nil
}

// job reads one job.
func (c *central) job(ctx context.Context, id string) (j api.JobDocument, err error) {
	return j, c.get(ctx, "/api/v1/jobs/"+id, &j)
}

// ended waits until a job has ended.
func (c *central) ended(ctx context.Context, id string) (j api.JobDocument, err error) {
	err = until(ctx, toggleLimit, "the toggle has ended", func(ctx context.Context) error {
		if j, err = c.job(ctx, id); err != nil {
			return err
		}
		if j.CompletedAt == nil {
			return fmt.Errorf("it is %s: %s", j.State, j.Progress)
		}
		return nil
	})
	return j, err
}

// told waits until the receiver has both callbacks of a toggle, as they have to
// be. seen is how many it had before the toggle.
func (c *central) told(ctx context.Context, seen, toggles int) error {
	ctx, cancel := context.WithTimeout(ctx, callbackLimit)
	defer cancel()
	var got []receiver.Received
	err := c.receiver.WaitFor(ctx, func(all []receiver.Received) bool {
		got = all[min(seen, len(all)):]
		return len(got) >= 2*toggles
	})
	for _, r := range got {
		if r.Fault != "" {
			err = errors.Join(err, fmt.Errorf("callback %s: %s", r.Path, r.Fault))
		}
	}
	return err
}

func (c *central) get(ctx context.Context, where string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.addr+where, nil)
	if err != nil {
		return err
	}
	return c.do(req, http.StatusOK, into)
}

func (c *central) do(req *http.Request, want int, into any) error {
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != want {
		return fmt.Errorf("%s %s: status %d: %s", req.Method, req.URL.Path, res.StatusCode, bytes.TrimSpace(b))
	}
	return json.Unmarshal(b, into)
}

// freeAddr is a loopback address of this moment. It lies below the ports that
// the kernel gives to clients.
func freeAddr() (string, error) {
	var errs []error
	for range 50 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000)))
		if err == nil {
			return l.Addr().String(), l.Close()
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// Limits of waits. They are far beyond what things take.
const (
	readyLimit    = 30 * time.Second
	toggleLimit   = 4 * time.Minute
	callbackLimit = 15 * time.Second
	lookEvery     = 20 * time.Millisecond
)

// until waits until cond has no objection; what says in words what it is about.
func until(ctx context.Context, limit time.Duration, what string, cond func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	var why error
	for {
		err := cond(ctx)
		if err == nil {
			return nil
		}
		if why == nil || ctx.Err() == nil {
			why = err // later ones only say that time is over
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("waited %s in vain until %s: %w", time.Since(began).Round(time.Second), what, why)
		}
	}
}
