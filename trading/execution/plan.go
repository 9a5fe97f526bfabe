package execution

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/configs"
	"switchyard/tasks"
	"switchyard/trading/exchange"
	"switchyard/trading/signal"
	"switchyard/trading/sizing"
)

// Progress is how far the orders of a job are: what its progress holds.
type Progress struct {
	tasks.TradeResult
	// Plan has an entry for each of Orders once the account has been looked at.
	Plan []Step `json:"plan,omitempty"`
}

// Step is one order of the plan.
type Step struct {
	Position exchange.PositionSide `json:"position,omitempty"`
	Reduces  bool                  `json:"reduces,omitempty"`
	// Trigger of a stop, as the price stood when the account was looked at.
	Trigger exchange.Trigger `json:"trigger,omitempty"`
	// Sending: it may have been sent. Settled is when it can no longer be on its way.
	Sending bool      `json:"sending,omitempty"`
	Settled time.Time `json:"settled,omitzero"`
	// Done: nothing more is done about it.
	Done bool `json:"done,omitempty"`
}

// idLetters are those of client order ids: every exchange takes them.
var idLetters = base32.StdEncoding.WithPadding(base32.NoPadding)

// ClientID is the id of an order at the exchange: sy and 26 letters and digits that
// follow from the job, the account and the order's place.
func ClientID(job string, account, index int) string {
	sum := sha256.Sum256([]byte(job + "\x00" + strconv.Itoa(account) + "\x00" + strconv.Itoa(index)))
	return "sy" + strings.ToLower(idLetters.EncodeToString(sum[:16]))
}

// queued are the orders before anything is known of them.
func queued(s *signal.Signal) []tasks.TradeOrder {
	out := make([]tasks.TradeOrder, len(s.Orders))
	for i, o := range s.Orders {
		out[i] = tasks.TradeOrder{
			Index: o.Index, Status: tasks.OrderQueued, Symbol: s.Symbol, Type: string(s.Type), Price: o.Price, StopPrice: o.StopPrice,
		}
	}
	return out
}

// look takes the snapshot of the account that all orders are sized from.
func look(ctx context.Context, x exchange.Exchange, s *signal.Signal, a configs.TradingAccount) (at sizing.Snapshot, r exchange.Rules, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	futures := s.Market == signal.Futures
	at.Leverage = a.Leverage.Or(decimal.NewFromInt(1))
	var balance exchange.Balance
	var held []exchange.Position
	var errs [5]error
	var wg sync.WaitGroup
	for i, ask := range []func() error{
		func() (err error) { r, err = x.Rules(ctx, s.Symbol); return err },
		func() (err error) { at.Last, err = x.Price(ctx, s.Symbol); return err },
		func() (err error) { balance, err = x.Balance(ctx, s.Currency); return err },
		func() (err error) { held, err = x.Positions(ctx, s.Symbol); return err },
		func() (err error) {
			if futures {
				at.Hedge, err = x.Hedged(ctx)
			}
			return err
		},
	} {
		wg.Go(func() {
			if errs[i] = ask(); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	if err := first(errs[:]); err != nil {
		return at, r, fmt.Errorf("looking at the account: %w", err)
	}
	at.Free = balance.Free
	for _, p := range held {
		switch {
		case !futures:
			at.Held = p.Available
		case p.Quantity.IsNegative() || p.Side == exchange.Short:
			at.Short = p.Quantity.Abs()
		default:
			at.Long = p.Quantity
		}
	}
	return at, r, nil
}

// first is the error that came first: the others may only be that all was broken off.
func first(errs []error) (out error) {
	for _, err := range errs {
		if err != nil && (out == nil || errors.Is(out, context.Canceled)) {
			out = err
		}
	}
	return out
}

// sizingRules are the rules as sizing wants them.
func sizingRules(r exchange.Rules, t signal.OrderType, hedge bool) sizing.Rules {
	lot := func(x exchange.Range) sizing.Lot { return sizing.Lot{Step: x.Step, Min: x.Min, Max: x.Max} }
	least := r.MinNotionalMarket
	if t.HasPrice() {
		least = r.MinNotional
	}
	return sizing.Rules{
		Tick: r.Price.Step, Lot: lot(r.Quantity), MarketLot: lot(r.MarketQuantity), MinValue: least, StopCost: r.StopCost,
		// Exchanges waive the minimum where they are told that an order only reduces,
		// which in hedge mode they are not.
		ReduceAnyValue: r.ReduceBelowMinimum && !hedge,
	}
}

// plan sizes the orders.
func (p *Progress) plan(s *signal.Signal, at sizing.Snapshot, r exchange.Rules, c sizing.Capital, job string) {
	p.Plan = make([]Step, len(p.Orders))
	for i, res := range sizing.Size(s, at, c, sizingRules(r, s.Type, at.Hedge)) {
		o, step := &p.Orders[i], &p.Plan[i]
		if res.Err != nil {
			o.Status, o.Error, step.Done = tasks.OrderFailed, res.Err.Error(), true
			continue
		}
		o.ClientID = ClientID(job, p.AccountID, o.Index)
		o.Type, o.Quantity, o.StopPrice = string(res.Order.Type), res.Order.Quantity, res.Order.StopPrice
		o.Side = string(exchange.Sell)
		if res.Order.Buy {
			o.Side = string(exchange.Buy)
		}
		if o.Price = res.Order.Price; !res.Order.Type.HasPrice() {
			o.Price = at.Last
		}
		step.Position = exchange.PositionSide(res.Order.Position)
		step.Reduces, step.Trigger = res.Order.Reduces, exchange.Trigger(res.Order.Trigger)
	}
}

// order is what is sent.
func (p *Progress) order(i int) exchange.Order {
	o, step := p.Orders[i], p.Plan[i]
	out := exchange.Order{
		ClientID: o.ClientID, Symbol: o.Symbol, Side: exchange.Side(o.Side), Type: exchange.Type(o.Type), PositionSide: step.Position,
		Quantity: o.Quantity, StopPrice: o.StopPrice, Trigger: step.Trigger,
		ReduceOnly: step.Reduces && step.Position == exchange.OneWay,
	}
	if out.Type.Limited() {
		out.Price = o.Price
	}
	return out
}
