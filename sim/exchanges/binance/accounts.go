package binance

import (
	"fmt"

	"switchyard/sim/exchanges/matching"
)

// account is who trades, with a wallet for each market.
type account struct {
	*matching.Account
	secret   string
	withdraw bool
}

func newAccount(a Account) (*account, error) {
	if a.Key == "" || a.Secret == "" {
		return nil, fmt.Errorf("an account without key or secret")
	}
	spot, err := matching.NewWallet(a.Spot)
	if err != nil {
		return nil, err
	}
	futures, err := matching.NewWallet(a.Futures)
	if err != nil {
		return nil, err
	}
	return &account{matching.NewAccount(a.Key, spot, futures, a.Hedge), a.Secret, a.Withdraw}, nil
}

// bind takes what a spot order needs out of what is free.
func (s *Server) bind(o *matching.Order) *refusal {
	if !s.Book.Bind(o) {
		return refuse(-2010, "Account has insufficient balance for requested action.")
	}
	return nil
}

// positionSide is Binance's word for the side of a position.
func positionSide(side string) string {
	if side == "" {
		return "BOTH"
	}
	return side
}
