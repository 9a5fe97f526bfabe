package binance

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/sim/backstage"
	"switchyard/sim/exchanges/matching"
)

// Account is one API key and what it trades with.
type Account struct {
	Key, Secret string
	// Spot and Futures are the balances at the start, by asset.
	Spot, Futures map[string]string
	// Hedge: long and short positions are kept apart.
	Hedge bool
	// Withdraw: the key may move money out.
	Withdraw bool
}

// Options of a Server.
type Options struct {
	Accounts []Account
	// Prices at the start, by symbol; the same on both markets. Only symbols of
	// Symbols can be traded.
	Prices map[string]string
	// Symbols that exist; BTCUSDT and ETHUSDT by default, with the filters of the
	// original.
	Symbols []Symbol
	// OrdersPer10s is the limit of orders of an account, 100 on spot and 300 on
	// futures by default; Weight that of an address in a minute, 6000 and 2400.
	OrdersPer10s, Weight int
	// Leverage of futures; 1 by default.
	Leverage int
}

// Server is the simulated Binance. Make one with Start.
type Server struct {
	opt    Options
	door   *backstage.Server
	calls  backstage.Ledger[Call]
	faults backstage.Faults[Fault]

	mu       sync.Mutex
	accounts map[string]*account
	symbols  map[string]Symbol
	book     *matching.Book
	skew     time.Duration
	used     map[string]*window
}

// The markets.
const (
	Spot    = matching.Spot
	Futures = matching.Futures
)

// Start listens on addr (host:port, port 0 for a free one).
func Start(ctx context.Context, addr string, opt Options) (*Server, error) {
	if opt.Leverage == 0 {
		opt.Leverage = 1
	}
	if opt.Symbols == nil {
		opt.Symbols = usualSymbols()
	}
	s := &Server{opt: opt, accounts: map[string]*account{}, symbols: map[string]Symbol{}, used: map[string]*window{}}
	s.book = &matching.Book{Leverage: opt.Leverage, Now: s.now, Triggered: s.triggered}
	for _, x := range opt.Symbols {
		s.symbols[x.Name] = x
	}
	for _, a := range opt.Accounts {
		made, err := newAccount(a)
		if err != nil {
			return nil, fmt.Errorf("simulated Binance: %w", err)
		}
		s.accounts[a.Key] = made
	}
	for symbol, p := range opt.Prices {
		for _, market := range []matching.Market{Spot, Futures} {
			if err := s.SetPrice(market, symbol, p); err != nil {
				return nil, fmt.Errorf("simulated Binance: %w", err)
			}
		}
	}
	var err error
	if s.door, err = backstage.Serve(ctx, addr, s.serve, s.control()); err != nil {
		return nil, fmt.Errorf("simulated Binance: %w", err)
	}
	return s, nil
}

// URL is the base URL of both APIs.
func (s *Server) URL() string { return s.door.URL() }

// Close ends it at once.
func (s *Server) Close() error {
	s.Recover()
	return s.door.Close()
}

// Call is one request, as the list of them has it. Signatures are left out.
type Call struct {
	At           time.Time `json:"at"`
	Method, Path string
	Params       map[string]string `json:"params,omitempty"`
	// Status of the answer, 0 where none was sent, and Binance's code in it.
	Status int `json:"status"`
	Code   int `json:"code,omitempty"`
}

// Calls returns all requests so far, in the order they were answered.
func (s *Server) Calls() []Call { return s.calls.All() }

// WaitFor waits until cond holds for the requests.
func (s *Server) WaitFor(ctx context.Context, cond func([]Call) bool) error {
	if err := s.calls.WaitFor(ctx, cond); err != nil {
		return fmt.Errorf("simulated Binance: %w", err)
	}
	return nil
}

// now is the exchange's time.
func (s *Server) now() time.Time { return time.Now().Add(s.skew) }

// SetSkew has the exchange's clock differ from the machine's.
func (s *Server) SetSkew(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew = d
}

// SetPrice sets the last price of a symbol, and executes what it sets off.
func (s *Server) SetPrice(market matching.Market, symbol, price string) error {
	p, err := decimal.NewFromString(price)
	if err != nil || !p.IsPositive() {
		return fmt.Errorf("no price: %q", price)
	}
	if _, ok := s.symbols[symbol]; !ok {
		return fmt.Errorf("no such symbol: %q", symbol)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book.SetPrice(matching.Place{Market: market, Symbol: symbol}, p)
	return nil
}
