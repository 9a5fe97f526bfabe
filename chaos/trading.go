package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/configs"
	"switchyard/events"
	"switchyard/jobs"
	"switchyard/tasks"
)

// The trading suite: so many orders over six accounts, two at each of three simulated
// exchanges, on spot and futures, while answers get lost, limits are said to be reached, workers
// are killed and Redis is restarted.
const (
	tradingAccounts = 6
	tradingOrders   = 2000
	batchSize       = 5
	// resends are those of a sender whose request wasn't answered or with a 5xx, which
	// is what TradingView does, a second apart here.
	resends = 4
	// tradingEnd is what may pass until every job has ended.
	tradingEnd = 6 * time.Minute
	// lateSlack is what lies between the last look at the age and the ledger.
	lateSlack = 2 * time.Second
)

// tradingToken speaks for all groups of the suite.
const tradingToken = "token-of-chaos"

// trading is one run of the suite.
type trading struct {
	*stage
	venues  []venue
	workers []*process
	sent    atomic.Int64 // bodies, each different
	mu      sync.Mutex
	replies map[int]int // by status; 0: no answer
}

// runTrading runs the suite, and reports whether anything was wrong.
func runTrading(ctx context.Context, opt *options, out io.Writer) (failed bool) {
	began := time.Now()
	words, err := playTrading(ctx, opt)
	fmt.Fprintf(out, "seed %d: %s; %.0f s\n", opt.seed, words, time.Since(began).Seconds())
	if err != nil {
		fmt.Fprintln(out, "FAILED:", err)
	}
	return err != nil
}

func playTrading(ctx context.Context, opt *options) (words string, err error) {
	s := &stage{opt: opt, name: "trading", dir: filepath.Join(opt.dir, "trading"), random: rand.New(rand.NewPCG(opt.seed, 7))}
	s.life, s.end = context.WithCancel(ctx)
	t := &trading{stage: s, replies: map[int]int{}}
	defer func() { err = errors.Join(err, t.strike(context.WithoutCancel(ctx)), closeVenues(t.venues)) }()
	if err := t.build(ctx); err != nil {
		return "the stage could not be set", err
	}
	damage, stop := context.WithCancel(ctx)
	var damaging sync.WaitGroup
	var kills, restarts, faults int
	damaging.Go(func() { faults = t.breakExchange(damage) })
	damaging.Go(func() { kills, restarts = t.breakProcesses(damage) })
	err = t.sendAll(ctx)
	stop()
	damaging.Wait()
	for _, v := range t.venues {
		v.sim.Recover()
	}
	if err == nil {
		err = t.allEnded(ctx)
	}
	if err != nil {
		return "", err
	}
	sum, err := t.account(ctx)
	if err == nil {
		err = t.takeAllBack(ctx)
	}
	return fmt.Sprintf("%s; %d faults of the exchanges, %d workers killed, Redis restarted %d times; answers by status %v", sum, faults, kills, restarts, t.replies), err
}

func (t *trading) build(ctx context.Context) error {
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	if err := t.setRedis(ctx, scenario{}); err != nil {
		return err
	}
	var err error
	if t.venues, err = openVenues(ctx); err != nil {
		return err
	}
	if t.apiAddr, err = t.freeAddr(); err != nil {
		return err
	}
	t.ask = newClient("http://"+t.apiAddr, "")
	t.reveal = revealKeys
	c := t.tradingConfig()
	for i := range 2 {
		p, err := t.spawn(fmt.Sprint("worker", i), "worker", c)
		if err != nil {
			return err
		}
		t.workers = append(t.workers, p)
	}
	if t.api, err = t.spawn("api", "api,scheduler", c); err != nil {
		return err
	}
	for _, p := range t.processes {
		if err := t.awaitReady(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func keyOf(i int) (key, secret string) {
	return fmt.Sprintf("chaos-key-%d", i), fmt.Sprintf("chaos-secret-%d", i)
}

// revealKeys puts the accounts' keys into the text of a configuration, which doesn't
// show them: they are good for the simulator alone.
func revealKeys(text string) string {
	for i := range tradingAccounts {
		key, secret := keyOf(i)
		for _, x := range [][2]string{{"key", key}, {"secret", secret}} {
			text = strings.Replace(text, "      "+x[0]+": '[redacted]'", "      "+x[0]+": "+x[1], 1)
		}
	}
	return strings.ReplaceAll(text, "      passphrase: '[redacted]'", "      passphrase: "+passphrase)
}

func (t *trading) tradingConfig() *configs.Config {
	c := configs.Default()
	c.Redis.Addr = t.redis.Addr()
	c.HTTP.Listen = []string{t.apiAddr}
	c.HTTP.RateLimit.PerSecond = 0
	c.Worker.Queues = []string{tasks.QueueTrading}
	c.Worker.Heartbeat, c.Worker.TTL = configs.Duration(time.Second), configs.Duration(3*time.Second)
	c.Worker.DelayedCheck, c.Scheduler.SweepInterval = configs.Duration(500*time.Millisecond), configs.Duration(time.Second)
	c.Jobs.MaxCrashes = 100 // that is the point
	for i := range tradingAccounts {
		key, secret := keyOf(i)
		v := t.venues[i%len(t.venues)]
		a := configs.TradingAccount{
			ID: i + 1, Name: fmt.Sprint("Account ", i+1), Exchange: v.name, Mode: "live", Key: configs.NewSecret(key), Secret: configs.NewSecret(secret),
			SpotURL: v.sim.URL(), FuturesURL: v.sim.URL(),
		}
		if v.name == "okx" {
			a.Passphrase = configs.NewSecret(passphrase)
		}
		c.Trading.Accounts = append(c.Trading.Accounts, a)
		c.Trading.Groups = append(c.Trading.Groups, configs.TradingGroup{
			Name: fmt.Sprint("g", i+1), Tokens: []configs.TradingToken{{Hash: configs.HashAPIKey(tradingToken)}}, Accounts: []configs.TradingShare{{ID: i + 1}},
		})
	}
	return c
}

// sendAll sends the orders of each account one after the other, as alerts come, those
// of the accounts beside each other.
func (t *trading) sendAll(ctx context.Context) error {
	errs := make([]error, tradingAccounts)
	var all sync.WaitGroup
	for i := range tradingAccounts {
		all.Go(func() {
			left := tradingOrders / tradingAccounts
			if i < tradingOrders%tradingAccounts {
				left++
			}
			for left > 0 && errs[i] == nil {
				body, n := t.alert(i+1, left)
				left -= n
				errs[i] = t.send(ctx, body)
				if errs[i] == nil {
					errs[i] = rest(ctx, t.between(600*time.Millisecond, 1800*time.Millisecond))
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// alert is the next one for an account, with at most so many orders.
func (t *trading) alert(account, most int) (body string, orders int) {
	n := t.sent.Add(1)
	market := []string{"SPOT", "FUTURES"}[n%2]
	common := fmt.Sprintf(`{"group_name":"g%d","token":%q,"exchange":%q,"market_type":%q,"currency":"USDT","symbol":"BTCUSDT","note":%d`, account, tradingToken, strings.ToUpper(exchangeOf(account-1)), market, n)
	switch {
	case n%7 == 0 || most < batchSize:
		return common + `,"order_type":"MARKET","side":"buy","qty_per":0.1}`, 1
	case n%5 == 0:
		return common + `,"order_type":"STOP_LIMIT","side":"buy","price":105000,"stop_price":104000,"qty_per":0.1}`, 1
	}
	list := make([]string, batchSize)
	for i := range list {
		list[i] = fmt.Sprintf(`{"price":%d,"qty_per":0.1}`, 80000-100*i)
	}
	return common + `,"order_type":"LIMIT","side":"buy","orders":[` + strings.Join(list, ",") + "]}", batchSize
}

// send sends an alert, and again where it isn't answered or with a 5xx.
func (t *trading) send(ctx context.Context, body string) error {
	for try := range resends {
		status, err := t.post(ctx, body)
		t.mu.Lock()
		t.replies[status]++
		t.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil && status < http.StatusInternalServerError:
			if status != http.StatusOK {
				return fmt.Errorf("an alert was answered %d", status)
			}
			return nil
		case try == resends-1:
			return nil // given up, as TradingView does
		}
		if err := rest(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

func (t *trading) post(ctx context.Context, body string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+t.apiAddr+"/api/webhook?wait=0.2", bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, err
	}
	res, err := t.ask.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// breakExchange has requests go wrong, in all the ways there are.
func (t *trading) breakExchange(ctx context.Context) (n int) {
	random := rand.New(rand.NewPCG(t.opt.seed, 11)) // its own: others draw at the same time
	for rest(ctx, t.between(300*time.Millisecond, 1200*time.Millisecond)) == nil {
		breakOne(random, t.venues, n)
		n++
	}
	return n
}

// breakProcesses kills workers, and Redis, and starts them again.
func (t *trading) breakProcesses(ctx context.Context) (kills, restarts int) {
	for i := 0; ; i++ {
		if rest(ctx, t.between(2*time.Second, 6*time.Second)) != nil {
			return kills, restarts
		}
		whole := context.WithoutCancel(ctx) // what is killed is started again
		if i%6 == 5 {
			t.redis.Kill()
			if err := rest(whole, t.between(0, 1500*time.Millisecond)); err != nil {
				return kills, restarts
			}
			if err := t.restartRedis(whole); err != nil {
				return kills, restarts
			}
			restarts++
			continue
		}
		w := &t.workers[i%2]
		(*w).kill()
		p, err := t.respawn(whole, *w)
		if err != nil {
			return kills, restarts
		}
		*w = p
		kills++
	}
}

// takeAllBack has every group take back what it has opened, and says what is open then:
// an order that nobody has in his book.
func (t *trading) takeAllBack(ctx context.Context) error {
	for i := range tradingAccounts {
		if err := t.send(ctx, fmt.Sprintf(`{"group_name":"g%d","token":%q,"order_type":"CANCEL_ALL_ORDER"}`, i+1, tradingToken)); err != nil {
			return err
		}
	}
	if err := t.allEnded(ctx); err != nil {
		return err
	}
	var errs []error
	for _, o := range ledgers(t.venues) {
		if o.Status == "NEW" || o.Status == "PARTIALLY_FILLED" {
			errs = append(errs, fmt.Errorf("order %s is open still", o.ClientID))
		}
	}
	return errors.Join(errs...)
}

// allEnded waits until no job is left.
func (t *trading) allEnded(ctx context.Context) error {
	return t.until(ctx, tradingEnd, "every job has ended", func(ctx context.Context) (bool, error) {
		n, err := t.rdb.ZCard(ctx, jobs.Prefix+"open").Result()
		return n == 0, err
	})
}

// account draws up what became of every order.
func (t *trading) account(ctx context.Context) (string, error) {
	all, err := t.tradeJobs(ctx)
	if err != nil {
		return "", err
	}
	return tallyOrders(all, ledgers(t.venues), configs.Default().Trading.MaxAge)
}

// tradeJobs are all jobs of orders.
func (t *trading) tradeJobs(ctx context.Context) (out []*jobs.Job, err error) {
	store := jobs.NewStore(jobs.Options{Client: t.rdb, Hub: events.NewHub(), Retention: time.Hour, MaxPerType: 100_000, EventStream: 1000, IdempotencyWindow: time.Hour, MaxCrashes: 5, ProcessTTL: time.Minute})
	defer func() { err = errors.Join(err, store.Close()) }()
	for cursor := ""; ; {
		page, err := store.List(ctx, jobs.Filter{Type: tasks.Trade}, 200, cursor)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Jobs...)
		if cursor = page.Next; cursor == "" {
			return out, nil
		}
	}
}
