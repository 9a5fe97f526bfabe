package binance

import (
	"context"
	"net/http"
	"time"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// askTime asks for Binance's time.
func (c *Client) askTime(ctx context.Context) (time.Time, error) {
	var d struct {
		ServerTime wire.Text `json:"serverTime"`
	}
	if err := c.call(ctx, request{op: "server time", method: http.MethodGet, path: c.market.paths().time, weight: 1}, &d); err != nil {
		return time.Time{}, err
	}
	at := d.ServerTime.Millis()
	if at.IsZero() {
		return time.Time{}, &exchange.Error{Kind: exchange.ErrUnavailable, Op: "server time", Message: "Binance's answer has no time"}
	}
	return at, nil
}

// settled is when a request that is signed now will be too late for Binance.
func (c *Client) settled() time.Time { return time.Now().Add(c.opt.RecvWindow + wire.Tolerance) }
