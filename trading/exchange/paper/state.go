package paper

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
)

const (
	// keptOrders is how many finished orders can be asked for.
	keptOrders = 10_000
	// settleWait is how long a write that Redis didn't confirm may still be on its
	// way.
	settleWait = 5 * time.Second
	// swapTries bounds how often others may come first; each of them got on.
	swapTries = 200
)

var (
	//go:embed swap.lua
	swapSource string
	swapScript = redis.NewScript(swapSource)
)

// state is an account on a market.
type state struct {
	// Began is when it was made, Looked up to when prices were looked at, in ms.
	Began  int64 `json:"began"`
	Looked int64 `json:"looked"`
	// Cash is what there is of each asset, bound or not.
	Cash map[string]decimal.Decimal `json:"cash"`
	// Positions on futures, by symbol and side.
	Positions map[string]position `json:"positions,omitempty"`
	Open      []order             `json:"open"`
	Numbers   int64               `json:"numbers"` // orders so far

	version string
	ended   []order // since it was read
}

// position of futures.
type position struct {
	Quantity decimal.Decimal `json:"quantity"` // negative: short
	Entry    decimal.Decimal `json:"entry"`
}

// order as it is kept.
type order struct {
	Number     int64                 `json:"number"`
	ClientID   string                `json:"client_id"`
	Symbol     string                `json:"symbol"`
	Side       exchange.Side         `json:"side"`
	Type       exchange.Type         `json:"type"`
	Position   exchange.PositionSide `json:"position,omitempty"`
	ReduceOnly bool                  `json:"reduce_only,omitempty"`
	Quantity   decimal.Decimal       `json:"quantity"`
	Price      decimal.Decimal       `json:"price"`
	StopPrice  decimal.Decimal       `json:"stop_price"`
	// Rises: a stop waits for the price to rise to it. Touched: it has.
	Rises   bool            `json:"rises,omitempty"`
	Touched bool            `json:"touched,omitempty"`
	Status  exchange.Status `json:"status"`
	Filled  decimal.Decimal `json:"filled"`
	Average decimal.Decimal `json:"average"`
	Updated int64           `json:"updated"` // ms
}

func (o order) state() exchange.State {
	return exchange.State{
		Order: exchange.Order{
			ClientID: o.ClientID, Symbol: o.Symbol, Side: o.Side, Type: o.Type, PositionSide: o.Position, ReduceOnly: o.ReduceOnly,
			Quantity: o.Quantity, Price: o.Price, StopPrice: o.StopPrice,
		},
		ID: strconv.FormatInt(o.Number, 10), Status: o.Status, Filled: o.Filled, AveragePrice: o.Average, Updated: time.UnixMilli(o.Updated).UTC(),
	}
}

// waits reports whether the order is a stop that the price hasn't reached.
func (o order) waits() bool { return o.Type.Stop() && !o.Touched }

// keys of the account on the market.
func (x *Exchange) keys() []string {
	k := "sw:v1:paper:" + strconv.Itoa(x.opt.Account.ID) + ":" + x.opt.Account.Exchange + ":" + string(x.opt.Market)
	return []string{k, k + ":ended", k + ":ended_at"}
}

// read reads the state; a new account is begun.
func (x *Exchange) read(ctx context.Context) (*state, error) {
	v, err := x.opt.Redis.HMGet(ctx, x.keys()[0], "version", "doc").Result()
	if err != nil {
		return nil, away("reading the account", err)
	}
	text, ok := v[1].(string)
	if !ok {
		now := x.now().UnixMilli()
		return &state{Began: now, Looked: now, Cash: x.start(), Positions: map[string]position{}, version: "0"}, nil
	}
	s := &state{}
	if err := json.Unmarshal([]byte(text), s); err != nil {
		return nil, fmt.Errorf("the state of paper account %d can't be read: %w", x.opt.Account.ID, err)
	}
	s.version, _ = v[0].(string)
	if s.Positions == nil {
		s.Positions = map[string]position{}
	}
	return s, nil
}

// write reports whether the state was written; if not, somebody else was faster.
func (x *Exchange) write(ctx context.Context, s *state) (bool, error) {
	doc, err := json.Marshal(s)
	if err != nil {
		return false, fmt.Errorf("marshalling the state of a paper account: %w", err)
	}
	args := []any{s.version, doc, keptOrders, x.now().UnixMilli()}
	for _, o := range s.ended {
		b, err := json.Marshal(o)
		if err != nil {
			return false, fmt.Errorf("marshalling an order: %w", err)
		}
		args = append(args, o.ClientID, b)
	}
	n, err := swapScript.Run(ctx, x.opt.Redis, x.keys(), args...).Int()
	return n == 1, err
}

// change does something to the state, as often as others come in between. What f
// returns as an error leaves the state as it was, but for what the price has done.
func (x *Exchange) change(ctx context.Context, f func(*state) error) error {
	x.mu.Lock() // of this process one at a time: they would only be in each other's way
	defer x.mu.Unlock()
	for range swapTries {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		s, err := x.read(ctx)
		if err != nil {
			return err
		}
		moved, err := x.advance(ctx, s)
		if err != nil {
			return err
		}
		var refused error
		if f != nil {
			if refused = f(s); refused != nil && !moved {
				return refused
			}
		} else if !moved && s.version != "0" {
			return nil
		}
		ok, err := x.write(ctx, s)
		switch {
		case err != nil && refused != nil:
			return refused // what the price has done is done next time
		case err != nil:
			return x.unsure(ctx, err)
		case ok:
			return refused
		}
	}
	return &exchange.Error{Kind: exchange.ErrUnavailable, Op: "changing a paper account", Message: "too many changes at once"}
}

// unsure is what a write that Redis didn't answer comes to: it may have been done.
func (x *Exchange) unsure(ctx context.Context, err error) error {
	var answer redis.Error
	if errors.As(err, &answer) {
		return away("changing the account", err)
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return &exchange.Error{Kind: exchange.ErrUnknownOutcome, Op: "changing a paper account", Err: err, Settled: time.Now().Add(settleWait)}
}

func away(op string, err error) error {
	return &exchange.Error{Kind: exchange.ErrUnavailable, Op: op, Message: "redis is out of reach", Err: err}
}

// finished reads an order that has ended; ok is false where there is none.
func (x *Exchange) finished(ctx context.Context, id string) (o order, ok bool, err error) {
	text, err := x.opt.Redis.HGet(ctx, x.keys()[1], id).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return o, false, nil
	case err != nil:
		return o, false, away("looking for an order", err)
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return o, false, fmt.Errorf("order %s of a paper account can't be read: %w", id, err)
	}
	return o, true, nil
}
