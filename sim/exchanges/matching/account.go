package matching

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// Purse is a balance of one asset.
type Purse struct{ Free, Locked decimal.Decimal }

// Total is what is there, bound or not.
func (p *Purse) Total() decimal.Decimal { return p.Free.Add(p.Locked) }

// Wallet are balances by asset.
type Wallet map[string]*Purse

// NewWallet reads balances such as USDT: 10000.
func NewWallet(balances map[string]string) (Wallet, error) {
	w := Wallet{}
	for asset, v := range balances {
		d, err := decimal.NewFromString(v)
		if err != nil {
			return nil, fmt.Errorf("balance of %s: %w", asset, err)
		}
		w[asset] = &Purse{Free: d}
	}
	return w, nil
}

// Purse returns the balance of an asset, which may be nothing.
func (w Wallet) Purse(asset string) *Purse {
	if w[asset] == nil {
		w[asset] = &Purse{}
	}
	return w[asset]
}

// Held is what a position is kept under. Side is "" in one-way mode, else long or
// short.
type Held struct{ Symbol, Side string }

// The sides of a position in hedge mode.
const (
	Long  = "LONG"
	Short = "SHORT"
)

// Position is what an account holds on futures; Amount is negative when short.
type Position struct {
	Quote         string
	Amount, Entry decimal.Decimal
}

// Account is who trades.
type Account struct {
	Name string
	// Hedge: long and short positions are kept apart.
	Hedge bool
	// Spot and Futures are one and the same where an exchange has one wallet for all.
	Spot, Futures Wallet
	Positions     map[Held]*Position
}

// NewAccount returns one without positions.
func NewAccount(name string, spot, futures Wallet, hedge bool) *Account {
	return &Account{Name: name, Hedge: hedge, Spot: spot, Futures: futures, Positions: map[Held]*Position{}}
}
