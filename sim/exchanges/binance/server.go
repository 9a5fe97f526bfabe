package binance

import (
	"context"
	"time"

	"switchyard/sim/exchanges/floor"
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
	*floor.Floor[Call, Fault]
	opt      Options
	accounts map[string]*account
	symbols  map[string]Symbol
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
	s := &Server{opt: opt, accounts: map[string]*account{}, symbols: map[string]Symbol{}}
	s.Floor = floor.New[Call, Fault]("Binance", opt.Leverage, func(symbol string) bool { _, ok := s.symbols[symbol]; return ok })
	s.Book.Triggered = s.triggered
	for _, x := range opt.Symbols {
		s.symbols[x.Name] = x
	}
	for _, a := range opt.Accounts {
		made, err := newAccount(a)
		if err != nil {
			return nil, s.Wrong(err)
		}
		s.accounts[a.Key] = made
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
	Params       map[string]string `json:"params,omitempty"`
	// Status of the answer, 0 where none was sent, and Binance's code in it.
	Status int `json:"status"`
	Code   int `json:"code,omitempty"`
}
