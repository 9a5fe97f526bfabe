// Package ccxt has ccxt, a client of others' making, trade at a simulated exchange:
// whether it gets along there tells whether the simulator is like the original, and
// what it sends is what our clients are compared with. It needs node, and the modules
// of its package.json; make test-api sees to both.
package ccxt

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
)

// Order is an order as ccxt understands it.
type Order struct {
	ID       string   `json:"id"`
	ClientID string   `json:"clientOrderId"`
	Status   string   `json:"status"`
	Type     string   `json:"type"`
	Side     string   `json:"side"`
	Amount   float64  `json:"amount"`
	Price    *float64 `json:"price"`
	Filled   *float64 `json:"filled"`
	Trigger  *float64 `json:"trigger"`
}

// Market is what ccxt made of one market. Open are the open orders, Stops those that are
// apart.
type Market struct {
	Market     Order   `json:"market"`
	Limit      Order   `json:"limit"`
	StopLimit  Order   `json:"stop limit"`
	StopMarket Order   `json:"stop market"`
	Open       []Order `json:"open"`
	Stops      []Order `json:"stops"`
	Positions  []struct {
		Side      string
		Contracts float64
	} `json:"positions"`
	Balance struct{ Free, Used, Total float64 } `json:"balance"`
	Order   Order                               `json:"order"`
	Left    int                                 `json:"left"`
}

// Outcome is what it made of both markets.
type Outcome struct{ Spot, Futures Market }

// Trade runs script, the path of client.mjs: at an exchange by ccxt's name, at a base
// URL, with key, secret and, where there is one, a passphrase. Error: with what it said.
func Trade(ctx context.Context, script, exchange, url string, credentials ...string) (Outcome, error) {
	c := exec.CommandContext(ctx, "node", append([]string{script, exchange, url}, credentials...)...)
	var said strings.Builder
	c.Stderr = &said
	doc, err := c.Output()
	if err != nil {
		return Outcome{}, fmt.Errorf("ccxt at %s: %w: %s\n%s", exchange, err, said.String(), doc)
	}
	var out Outcome
	if err := json.Unmarshal(doc, &out); err != nil {
		return Outcome{}, fmt.Errorf("what ccxt says of %s: %w: %s", exchange, err, doc)
	}
	return out, nil
}

// Faults says what ccxt should have made of it otherwise: one order of each type, of
// this amount, all taken back.
func (m Market) Faults(amount float64) (out []string) {
	wrong := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	at := func(p *float64, want float64) bool { return p != nil && *p == want }
	if m.Market.Status != "closed" || !at(m.Market.Filled, amount) {
		wrong("market order %+v", m.Market)
	}
	if m.Limit.Status != "open" || !at(m.Limit.Price, 80000) || m.Order.ID != m.Limit.ID {
		wrong("limit order %+v, asked for %+v", m.Limit, m.Order)
	}
	if !at(m.StopLimit.Trigger, 104000) || !at(m.StopMarket.Trigger, 94000) {
		wrong("stops %+v, %+v", m.StopLimit, m.StopMarket)
	}
	if n := len(m.Open) + len(m.Stops); n != 3 {
		wrong("%d open: %+v, %+v", n, m.Open, m.Stops)
	}
	if m.Left != 0 || m.Balance.Total <= 0 {
		wrong("%d left open, %+v", m.Left, m.Balance)
	}
	return out
}
