package paper

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"

	"switchyard/configs"
	"switchyard/trading/exchange"
)

// Prices knows the last price of symbols.
type Prices interface {
	Price(ctx context.Context, symbol string) (decimal.Decimal, error)
}

// Options of an Exchange.
type Options struct {
	// Account of mode paper.
	Account configs.TradingAccount
	Market  exchange.Market
	Redis   redis.Cmdable
	// Prices are those of the exchange; nil: made-up ones.
	Prices Prices
	// Now is the clock that all processes share; nil: this machine's.
	Now func() time.Time
	exchange.Hooks
}

// Exchange is a paper account on one market.
type Exchange struct {
	opt                    Options
	leverage, maker, taker decimal.Decimal
	mu                     sync.Mutex
}

var _ exchange.Exchange = (*Exchange)(nil)

// What an account has where its configuration says nothing.
var (
	startCash  = decimal.NewFromInt(10_000)
	makerFee   = decimal.New(2, -2)
	takerFee   = decimal.New(5, -2)
	percentile = decimal.NewFromInt(100)
)

// New returns the account on the market. It asks nobody before it is asked.
func New(opt Options) *Exchange {
	return &Exchange{
		opt: opt, leverage: opt.Account.Leverage.Or(decimal.NewFromInt(1)),
		maker: opt.Account.Paper.MakerFee.Or(makerFee).Div(percentile), taker: opt.Account.Paper.TakerFee.Or(takerFee).Div(percentile),
	}
}

func (x *Exchange) now() time.Time {
	if x.opt.Now != nil {
		return x.opt.Now()
	}
	return time.Now()
}

func (x *Exchange) start() map[string]decimal.Decimal {
	out := map[string]decimal.Decimal{}
	for asset, n := range x.opt.Account.Paper.Balances {
		out[asset] = n.Value()
	}
	if len(out) == 0 {
		out["USDT"] = startCash
	}
	return out
}

// Place implements exchange.Exchange.
func (x *Exchange) Place(ctx context.Context, o exchange.Order) (exchange.State, error) {
	if err := o.Validate(); err != nil {
		return exchange.State{}, err
	}
	if err := x.fits(o); err != nil {
		return exchange.State{}, err
	}
	r, err := x.of(o.Symbol)
	if err != nil {
		return exchange.State{}, err
	}
	last, err := x.Price(ctx, o.Symbol)
	if err != nil {
		return exchange.State{}, err
	}
	if err := r.rules().Check(o, last); err != nil {
		return exchange.State{}, err
	}
	if o.Type.Stop() {
		if _, err := o.Rises(last); err != nil {
			return exchange.State{}, err
		}
	}
	if err := x.before(ctx, exchange.Call{Name: "place", Weight: 1, Orders: 1, Changes: true}); err != nil {
		return exchange.State{}, err
	}
	var placed order
	err = x.change(ctx, func(s *state) error {
		if err := x.unused(ctx, s, o.ClientID); err != nil {
			return err
		}
		placed = order{
			Number: s.Numbers + 1, ClientID: o.ClientID, Symbol: o.Symbol, Side: o.Side, Type: o.Type, Position: o.PositionSide, ReduceOnly: o.ReduceOnly,
			Quantity: o.Quantity, Price: o.Price, StopPrice: o.StopPrice, Rises: o.StopPrice.GreaterThan(last),
			Status: exchange.Pending, Updated: x.now().UnixMilli(),
		}
		atOnce := o.Type == exchange.MarketOrder || o.Type == exchange.LimitOrder && marketable(placed, last)
		price := last
		switch {
		case atOnce:
		case o.Type.Limited():
			price = o.Price
		default:
			price = o.StopPrice
		}
		if err := x.affords(s, placed, price, atOnce); err != nil {
			return err
		}
		s.Numbers++
		if atOnce {
			placed = x.fill(s, placed, last, false, x.now())
			return nil
		}
		s.Open = append(s.Open, placed)
		return nil
	})
	if err != nil {
		return exchange.State{}, err
	}
	return placed.state(), nil
}

// fits checks an order against the market and the position mode.
func (x *Exchange) fits(o exchange.Order) error {
	hedge := x.opt.Market == exchange.Futures && x.opt.Account.Paper.Hedge
	fault := func(words string) error {
		return &exchange.Error{Kind: exchange.ErrPositionMode, Op: "placing " + o.ClientID, Message: words}
	}
	switch {
	case hedge && o.PositionSide == exchange.OneWay:
		return fault("long and short positions are kept apart, and the order names neither")
	case !hedge && o.PositionSide != exchange.OneWay:
		return fault("the order names a side of the position, and there is one position only")
	case x.opt.Market == exchange.Spot && o.ReduceOnly:
		return fault("there is nothing to reduce on spot")
	}
	return nil
}

// unused checks that no order has this client id.
func (x *Exchange) unused(ctx context.Context, s *state, id string) error {
	_, known := find(s, id)
	if !known {
		var err error
		if _, known, err = x.finished(ctx, id); err != nil {
			return err
		}
	}
	if known {
		return &exchange.Error{Kind: exchange.ErrDuplicate, Op: "placing " + id}
	}
	return nil
}

func find(s *state, id string) (int, bool) {
	for i, o := range s.Open {
		if o.ClientID == id {
			return i, true
		}
	}
	return 0, false
}

// before asks the hooks.
func (x *Exchange) before(ctx context.Context, c exchange.Call) error {
	if x.opt.Before == nil {
		return nil
	}
	return x.opt.Before(ctx, c)
}

// look brings the account up to date and shows it.
func (x *Exchange) look(ctx context.Context) (*state, error) {
	var seen *state
	err := x.change(ctx, nil)
	if err == nil {
		seen, err = x.read(ctx)
	}
	return seen, err
}

// Advance fills what the price has crossed. Every other call does so, too.
func (x *Exchange) Advance(ctx context.Context) error { return x.change(ctx, nil) }

// Query implements exchange.Exchange.
func (x *Exchange) Query(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	s, err := x.look(ctx)
	if err != nil {
		return exchange.State{}, err
	}
	if i, ok := find(s, r.ClientID); ok {
		return s.Open[i].state(), nil
	}
	o, ok, err := x.finished(ctx, r.ClientID)
	if err != nil {
		return exchange.State{}, err
	}
	if !ok {
		return exchange.State{}, unknown(r)
	}
	return o.state(), nil
}

func unknown(r exchange.Ref) error {
	return &exchange.Error{Kind: exchange.ErrNotFound, Op: "looking for " + r.ClientID}
}

// OpenOrders implements exchange.Exchange.
func (x *Exchange) OpenOrders(ctx context.Context, symbol string) ([]exchange.State, error) {
	s, err := x.look(ctx)
	if err != nil {
		return nil, err
	}
	out := []exchange.State{}
	for _, o := range s.Open {
		if symbol == "" || o.Symbol == symbol {
			out = append(out, o.state())
		}
	}
	return out, nil
}

// Cancel implements exchange.Exchange.
func (x *Exchange) Cancel(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	if err := x.before(ctx, exchange.Call{Name: "cancel", Weight: 1, Changes: true}); err != nil {
		return exchange.State{}, err
	}
	var out order
	err := x.change(ctx, func(s *state) error {
		i, ok := find(s, r.ClientID)
		if !ok {
			return unknown(r)
		}
		out = s.Open[i]
		out.Status, out.Updated = exchange.CancelledOrder, x.now().UnixMilli()
		s.Open = append(s.Open[:i:i], s.Open[i+1:]...)
		s.ended = append(s.ended, out)
		return nil
	})
	if err != nil {
		return exchange.State{}, err
	}
	return out.state(), nil
}

// CancelOurs implements exchange.Exchange.
func (x *Exchange) CancelOurs(ctx context.Context, ours []exchange.Ref) ([]exchange.Cancelled, error) {
	return exchange.CancelEach(ctx, x, ours)
}

// Balance implements exchange.Exchange.
func (x *Exchange) Balance(ctx context.Context, asset string) (exchange.Balance, error) {
	s, err := x.look(ctx)
	if err != nil {
		return exchange.Balance{}, err
	}
	return exchange.Balance{Asset: asset, Free: decimal.Max(decimal.Zero, x.free(s, asset)), Total: s.Cash[asset]}, nil
}

// Positions implements exchange.Exchange.
func (x *Exchange) Positions(ctx context.Context, symbol string) ([]exchange.Position, error) {
	s, err := x.look(ctx)
	if err != nil {
		return nil, err
	}
	out := []exchange.Position{}
	if x.opt.Market == exchange.Spot {
		r, err := x.of(symbol)
		if err != nil {
			return nil, err
		}
		if held := s.Cash[r.Base]; held.IsPositive() {
			out = append(out, exchange.Position{Symbol: symbol, Quantity: held, Available: decimal.Max(decimal.Zero, x.free(s, r.Base))})
		}
		return out, nil
	}
	for _, side := range []exchange.PositionSide{exchange.OneWay, exchange.Long, exchange.Short} {
		if p, ok := s.Positions[positionKey(symbol, side)]; ok {
			out = append(out, exchange.Position{Symbol: symbol, Side: side, Quantity: p.Quantity, Available: p.Quantity.Abs(), EntryPrice: p.Entry})
		}
	}
	return out, nil
}

// Hedged implements exchange.Exchange.
func (x *Exchange) Hedged(context.Context) (bool, error) {
	return x.opt.Market == exchange.Futures && x.opt.Account.Paper.Hedge, nil
}

// Rules implements exchange.Exchange.
func (x *Exchange) Rules(_ context.Context, symbol string) (exchange.Rules, error) {
	r, err := x.of(strings.ToUpper(symbol))
	if err != nil {
		return exchange.Rules{}, err
	}
	return r.rules(), nil
}

// Price implements exchange.Exchange.
func (x *Exchange) Price(ctx context.Context, symbol string) (decimal.Decimal, error) {
	r, err := x.of(symbol)
	if err != nil {
		return decimal.Zero, err
	}
	if x.opt.Prices != nil {
		return x.opt.Prices.Price(ctx, symbol)
	}
	s, err := x.read(ctx)
	if err == nil && s.version == "0" { // its prices begin when it does
		s, err = x.look(ctx)
	}
	if err != nil {
		return decimal.Zero, fmt.Errorf("price of %s: %w", symbol, err)
	}
	return madeUp(symbol, r.Price, r.Tick, time.UnixMilli(s.Began), x.now()), nil
}

// ServerTime implements exchange.Exchange.
func (x *Exchange) ServerTime(context.Context) (time.Time, error) { return x.now(), nil }
