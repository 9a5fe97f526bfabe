package bybit

import (
	"context"
	"fmt"
	"time"

	"switchyard/sim/exchanges/floor"
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
	*floor.Floor[Call, Fault]
	opt      Options
	accounts map[string]*account
	symbols  map[string]Symbol
	extra    map[*matching.Order]*extra
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
	s := &Server{opt: opt, accounts: map[string]*account{}, symbols: map[string]Symbol{}, extra: map[*matching.Order]*extra{}}
	s.Floor = floor.New[Call, Fault]("Bybit", opt.Leverage, func(symbol string) bool { _, ok := s.symbols[symbol]; return ok })
	s.Book.Triggered = s.triggered
	for _, x := range opt.Symbols {
		s.symbols[x.Name] = x
	}
	for _, a := range opt.Accounts {
		if a.Key == "" || a.Secret == "" {
			return nil, fmt.Errorf("simulated Bybit: an account without key or secret")
		}
		wallet, err := matching.NewWallet(a.Balances)
		if err != nil {
			return nil, s.Wrong(err)
		}
		s.accounts[a.Key] = &account{matching.NewAccount(a.Key, wallet, wallet, a.Hedge), a.Secret, a.Withdraw}
	}
	if err := s.Open(ctx, addr, opt.Prices, s.serve, s.Fail); err != nil {
		return nil, err
	}
	return s, nil
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
