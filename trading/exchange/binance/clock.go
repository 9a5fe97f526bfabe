package binance

import (
	"context"
	"net/http"
	"sync"
	"time"

	"switchyard/trading/exchange"
)

// clockFor is how long a difference between the clocks is relied on.
const clockFor = 30 * time.Minute

// clockTolerance is by how much our idea of Binance's clock may be off before
// Binance says so.
const clockTolerance = time.Second

// clock knows by how much Binance's clock differs from ours.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
	set    time.Time // zero: not known
}

// stamp returns Binance's time in milliseconds, after asking for it where the last
// answer is too old.
func (c *Client) stamp(ctx context.Context) (int64, error) {
	c.clock.mu.Lock()
	offset, known := c.clock.offset, !c.clock.set.IsZero() && time.Since(c.clock.set) < clockFor
	c.clock.mu.Unlock()
	if !known {
		if _, err := c.serverTime(ctx); err != nil {
			return 0, err
		}
		c.clock.mu.Lock()
		offset = c.clock.offset
		c.clock.mu.Unlock()
	}
	return time.Now().Add(offset).UnixMilli(), nil
}

// serverTime asks for Binance's time and keeps the difference. The answer is taken
// to be from the middle of the request.
func (c *Client) serverTime(ctx context.Context) (time.Time, error) {
	var d struct {
		ServerTime int64 `json:"serverTime"`
	}
	start := time.Now()
	err := c.call(ctx, request{op: "server time", method: http.MethodGet, path: c.market.paths().time, weight: 1}, &d)
	if err != nil {
		return time.Time{}, err
	}
	if d.ServerTime <= 0 {
		return time.Time{}, &exchange.Error{Kind: exchange.ErrUnavailable, Op: "server time", Message: "Binance's answer has no time"}
	}
	took := time.Since(start)
	there := time.UnixMilli(d.ServerTime)
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	c.clock.offset, c.clock.set = there.Sub(start.Add(took/2)), time.Now()
	return there, nil
}

// settled is when a request that is signed now will be too late for Binance.
func (c *Client) settled() time.Time { return time.Now().Add(c.opt.RecvWindow + clockTolerance) }

// mistrustClock has the time asked for before the next signed request.
func (c *Client) mistrustClock() {
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	c.clock.set = time.Time{}
}
