package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/configs"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/sim/hilink"
	"switchyard/sim/receiver"
	"switchyard/sim/redisserver"
	simtelegram "switchyard/sim/telegram"
)

// The simulated host.
const (
	hostName   = "chaos"
	hostIP     = "198.51.100.7"
	firstModem = 11
	modemCount = 8
	// echoURL is asked for a dongle's address. Behind a simulated modem whatever
	// is asked is answered with its own.
	echoURL = "http://ip.example.com/"
)

// stage is one environment: the program's processes and everything around
// them.
type stage struct {
	opt  *options
	name string
	dir  string
	// password of the modems; the configuration's text would not show it.
	password string
	life     context.Context // ends with the stage
	end      context.CancelFunc

	redis     *redisserver.Server  // nil where it is watched
	watched   *redisserver.Watched // nil where it isn't
	rdb       *redis.Client
	modems    []*hilink.Modem
	alpha     *receiver.Receiver  // configured
	beta      *receiver.Receiver  // configured
	guest     *receiver.Receiver  // named by requests
	telegram  *simtelegram.Server // nil where nobody sends
	apiAddr   string
	ask       *client
	processes []*process // all that were ever started

	api, host, deliverer *process
	// reveal, if set, puts secrets into the text of a configuration.
	reveal func(string) string

	randomMu sync.Mutex
	random   *rand.Rand
}

// set starts a stage for a scenario. It is taken down with strike.
func set(ctx context.Context, opt *options, sc scenario) (*stage, error) {
	s := &stage{opt: opt, name: sc.name, password: sc.password, dir: filepath.Join(opt.dir, strings.ReplaceAll(sc.name, "/", "-"))}
	s.random = rand.New(rand.NewPCG(opt.seed, uint64(len(sc.name))))
	s.life, s.end = context.WithCancel(ctx)
	if err := s.build(ctx, sc); err != nil {
		return nil, errors.Join(err, s.strike(ctx))
	}
	return s, nil
}

func (s *stage) build(ctx context.Context, sc scenario) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := s.setRedis(ctx, sc); err != nil {
		return err
	}
	var err error
	for _, r := range []**receiver.Receiver{&s.alpha, &s.beta, &s.guest} {
		if *r, err = receiver.Start(ctx, "127.0.0.1:0"); err != nil {
			return err
		}
	}
	reattach := sc.reattach
	if reattach == 0 {
		reattach = 700 * time.Millisecond
	}
	for n := firstModem; n < firstModem+modemCount; n++ {
		m := hilink.New(hilink.Options{
			Subnet: n, Reattach: reattach, Boot: sc.boot, Password: sc.password, Seed: s.opt.seed, NetMode: netMode(n),
		})
		if err := m.Start(ctx); err != nil {
			return err
		}
		s.modems = append(s.modems, m)
	}
	if sc.telegram != nil {
		o := *sc.telegram
		o.Token = botToken
		if s.telegram, err = simtelegram.Start(ctx, "127.0.0.1:0", o); err != nil {
			return err
		}
	}
	if s.apiAddr, err = s.freeAddr(); err != nil {
		return err
	}
	s.ask = newClient("http://"+s.apiAddr, s.guest.URL())
	if s.host, err = s.spawn("host", "worker", s.hostConfig(sc)); err != nil {
		return err
	}
	if s.deliverer, err = s.spawn("deliverer", "worker", s.config(sc)); err != nil {
		return err
	}
	if s.api, err = s.spawn("api", "api,scheduler", s.config(sc)); err != nil {
		return err
	}
	for _, p := range s.processes {
		if err := s.awaitReady(ctx, p); err != nil {
			return err
		}
	}
	// The first look at the dongles is over: nobody but toggles talks to them.
	registry := hosts.New(s.rdb, time.Hour)
	return s.until(ctx, readyLimit, "every dongle has been read", func(ctx context.Context) (bool, error) {
		st, err := registry.State(ctx, hostName)
		return len(st.Dongles) == modemCount, err
	})
}

func (s *stage) setRedis(ctx context.Context, sc scenario) error {
	if sc.watched {
		return s.setWatched(ctx)
	}
	var err error
	if s.redis, err = redisserver.Start(ctx, redisserver.Options{Dir: s.dir, Fsync: "always"}); err != nil {
		return err
	}
	s.rdb = redis.NewClient(&redis.Options{Addr: s.redis.Addr()})
	return nil
}

// netMode is what a modem is set to at the start, and has to be set to at the
// end: the first one and every other after it LTE, those between automatic.
func netMode(subnet int) hilink.NetMode {
	m := hilink.NetMode{Mode: "03", NetworkBand: "3FFFFFFF", LTEBand: "7FFFFFFFFFFFFFFF"}
	if (subnet-firstModem)%2 == 1 {
		m.Mode = "00"
	}
	return m
}

// misplaced lists the modems that are not in the net mode that they had.
func (s *stage) misplaced() (out []string) {
	for i, m := range s.modems {
		was, is := netMode(firstModem+i), m.Mode()
		switch {
		case is.Mode != was.Mode:
			out = append(out, fmt.Sprintf("%d in mode %s, not %s", firstModem+i, is.Mode, was.Mode))
		case is != was:
			out = append(out, fmt.Sprintf("%d with other bands", firstModem+i))
		}
	}
	return out
}

// cutOff lists the modems whose mobile data is off.
func (s *stage) cutOff() (out []string) {
	for i, m := range s.modems {
		if !m.DataSwitch() {
			out = append(out, fmt.Sprintf("%d with data off", firstModem+i))
		}
	}
	return out
}

// stopLimit is what a process without work may take to stop.
const stopLimit = 30 * time.Second

// strike takes the stage down: the processes are told to stop, and are killed
// if they don't.
func (s *stage) strike(ctx context.Context) error {
	var errs []error
	var stopping []*process
	for _, p := range s.processes {
		if p.running() {
			errs = append(errs, p.tell(syscall.SIGTERM))
			stopping = append(stopping, p)
		}
	}
	for _, p := range stopping {
		errs = append(errs, p.awaitEnd(ctx, stopLimit))
	}
	s.end()
	for _, p := range s.processes {
		p.kill()
	}
	for _, m := range s.modems {
		m.Close()
	}
	for _, r := range []*receiver.Receiver{s.alpha, s.beta, s.guest} {
		if r != nil {
			errs = append(errs, r.Close())
		}
	}
	if s.telegram != nil {
		errs = append(errs, s.telegram.Close())
	}
	if s.rdb != nil {
		errs = append(errs, s.rdb.Close())
	}
	if s.redis != nil {
		s.redis.Kill()
	}
	if s.watched != nil {
		s.watched.Kill()
	}
	return errors.Join(errs...)
}

// config is what every process of the stage has in common.
func (s *stage) config(sc scenario) *configs.Config {
	c := configs.Default()
	if s.watched != nil {
		c.Redis.Sentinel.Master, c.Redis.Sentinel.Addrs = s.watched.Name, s.watched.Addrs()
	} else {
		c.Redis.Addr = s.redis.Addr()
	}
	if s.telegram != nil {
		c.Telegram.BaseURL = s.telegram.URL()
	}
	c.HTTP.Listen = []string{s.apiAddr}
	c.HTTP.RateLimit.PerSecond = 0
	c.Delivery.Allow = []string{"127.0.0.0/8"}
	c.Callbacks.Toggle = []configs.ToggleReceiver{
		{Name: "alpha", StartURL: s.alpha.URL() + startPath, ResultURL: s.alpha.URL() + resultPath},
		{Name: "beta", StartURL: s.beta.URL() + startPath, ResultURL: s.beta.URL() + resultPath},
	}
	if !sc.defaults {
		c.Worker.Heartbeat = configs.Duration(time.Second)
		c.Worker.TTL = configs.Duration(3 * time.Second)
		c.Worker.DelayedCheck = configs.Duration(500 * time.Millisecond)
		c.Scheduler.SweepInterval = configs.Duration(time.Second)
		c.Callbacks.FirstRetry = configs.Duration(500 * time.Millisecond)
		c.Callbacks.MaxRetry = configs.Duration(2 * time.Second)
		c.Callbacks.MaxAttempts = 50
		c.Callbacks.Timeout = configs.Duration(2 * time.Second)
	}
	if sc.tune != nil {
		sc.tune(c)
	}
	return c
}

// hostConfig is that of the host's worker.
func (s *stage) hostConfig(sc scenario) *configs.Config {
	c := s.config(sc)
	c.Callbacks = configs.Default().Callbacks // hosts know neither receivers nor secrets
	c.Host.Name, c.Host.ServerIP, c.Host.EchoURLs = hostName, hostIP, []string{echoURL}
	c.Host.StateDir = filepath.Join(s.dir, "state")
	c.Host.CollectInterval = configs.Duration(time.Hour) // nothing but toggles moves the modems
	for i, m := range s.modems {
		c.Host.Dongles = append(c.Host.Dongles, configs.Dongle{Subnet: firstModem + i, Modem: m.URL(), Gateway: m.Gateway()})
	}
	return c
}

// Ports for the api lie below those that the kernel gives to clients: one that
// is given up by a killed api is then still free when the next one starts.
const (
	lowestPort  = 20_000
	highestPort = 30_000
)

func (s *stage) freeAddr() (string, error) {
	var errs []error
	for range 50 {
		addr := fmt.Sprintf("127.0.0.1:%d", lowestPort+rand.IntN(highestPort-lowestPort))
		l, err := listen(addr)
		if err == nil {
			return addr, l.Close()
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// between is a time from least to most, by the seed.
func (s *stage) between(least, most time.Duration) time.Duration {
	s.randomMu.Lock()
	defer s.randomMu.Unlock()
	return least + time.Duration(s.random.Int64N(int64(most-least)+1))
}

// rest lets d pass.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lookEvery is how often until looks.
const lookEvery = 20 * time.Millisecond

// until waits until cond holds; what says in words what it is about. An error of
// cond is one more reason to look again.
func (s *stage) until(ctx context.Context, limit time.Duration, what string, cond func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		ok, err := cond(ctx)
		if ok && err == nil {
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waited %s in vain until %s", time.Since(began).Round(time.Second), what), err)
		}
	}
}

// restartRedis starts Redis again. Its port is one of those that clients get,
// so for a moment one of them may sit on it.
func (s *stage) restartRedis(ctx context.Context) error {
	return s.until(ctx, readyLimit, "redis is back", func(ctx context.Context) (bool, error) {
		err := s.redis.Restart(ctx)
		return err == nil, err
	})
}

// idle waits until nothing is under way and nothing is owed any more.
func (s *stage) idle(ctx context.Context) error {
	keys := []string{jobs.Prefix + "open", jobs.Prefix + "h:" + hostName + ":open", jobs.Prefix + "owed"}
	return s.until(ctx, idleLimit, "every job has ended and everybody has been told", func(ctx context.Context) (bool, error) {
		for _, k := range keys {
			if n, err := s.rdb.ZCard(ctx, k).Result(); err != nil || n > 0 {
				return false, errors.Join(err, fmt.Errorf("%s has %d entries", k, n))
			}
		}
		return true, nil
	})
}
