package bybit

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
	// Balances at the start, by asset.
	Balances map[string]string
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
	// Symbols that exist; BTCUSDT and ETHUSDT by default, with the rules of the
	// original.
	Symbols []Symbol
	// OrdersPerSecond is the limit of an account for each kind of request that
	// changes something; 20 on spot and 10 on linear by default. Requests is what an
	// address may send in 5 s, 600 by default.
	OrdersPerSecond, Requests int
	// Leverage of linear; 1 by default.
	Leverage int
}

// Server is the simulated Bybit. Make one with Start.
type Server struct {
	opt    Options
	door   *backstage.Server
	calls  backstage.Ledger[Call]
	faults backstage.Faults[Fault]

	mu       sync.Mutex
	accounts map[string]*account
	symbols  map[string]Symbol
	book     *matching.Book
	extra    map[*matching.Order]*extra
	skew     time.Duration
	used     map[string]*window
}

type account struct {
	*matching.Account
	secret   string
	withdraw bool
}

// extra is what an order has beside.
type extra struct {
	hidden int    // questions that don't find it yet
	reason string // it was refused
}

// Start listens on addr (host:port, port 0 for a free one).
func Start(ctx context.Context, addr string, opt Options) (*Server, error) {
	if opt.Leverage == 0 {
		opt.Leverage = 1
	}
	if opt.Symbols == nil {
		opt.Symbols = usualSymbols()
	}
	s := &Server{opt: opt, accounts: map[string]*account{}, symbols: map[string]Symbol{}, extra: map[*matching.Order]*extra{}, used: map[string]*window{}}
	s.book = &matching.Book{Leverage: opt.Leverage, Now: s.now, Triggered: s.triggered}
	for _, x := range opt.Symbols {
		s.symbols[x.Name] = x
	}
	for _, a := range opt.Accounts {
		if a.Key == "" || a.Secret == "" {
			return nil, fmt.Errorf("simulated Bybit: an account without key or secret")
		}
		wallet, err := matching.NewWallet(a.Balances)
		if err != nil {
			return nil, fmt.Errorf("simulated Bybit: %w", err)
		}
		s.accounts[a.Key] = &account{matching.NewAccount(a.Key, wallet, wallet, a.Hedge), a.Secret, a.Withdraw}
	}
	for symbol, p := range opt.Prices {
		for _, m := range []matching.Market{matching.Spot, matching.Futures} {
			if err := s.SetPrice(m, symbol, p); err != nil {
				return nil, fmt.Errorf("simulated Bybit: %w", err)
			}
		}
	}
	var err error
	if s.door, err = backstage.Serve(ctx, addr, s.serve, s.control()); err != nil {
		return nil, fmt.Errorf("simulated Bybit: %w", err)
	}
	return s, nil
}

// URL is the base URL of the API.
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
	Params       map[string]any `json:"params,omitempty"`
	// Status of the answer, 0 where none was sent, and Bybit's retCode in it.
	Status int `json:"status"`
	Code   int `json:"code,omitempty"`
}

// Calls returns all requests so far, in the order they were answered.
func (s *Server) Calls() []Call { return s.calls.All() }

// WaitFor waits until cond holds for the requests.
func (s *Server) WaitFor(ctx context.Context, cond func([]Call) bool) error {
	if err := s.calls.WaitFor(ctx, cond); err != nil {
		return fmt.Errorf("simulated Bybit: %w", err)
	}
	return nil
}

// Ledger returns every order that was taken, the oldest first.
func (s *Server) Ledger() []matching.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.Ledger()
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
func (s *Server) SetPrice(m matching.Market, symbol, price string) error {
	p, err := decimal.NewFromString(price)
	if err != nil || !p.IsPositive() {
		return fmt.Errorf("no price: %q", price)
	}
	if _, ok := s.symbols[symbol]; !ok {
		return fmt.Errorf("no such symbol: %q", symbol)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book.SetPrice(matching.Place{Market: m, Symbol: symbol}, p)
	return nil
}
