package matching

import (
	"strings"
	"time"
)

// Entry is an order as a ledger has it.
type Entry struct {
	ID      int64  `json:"id"`
	Account string `json:"account"`
	Market  string `json:"market"`
	Symbol  string `json:"symbol"`
	// Side is BUY or SELL, Type the exchange's word.
	Side     string `json:"side"`
	Type     string `json:"type"`
	ClientID string `json:"client_id"`
	Status   string `json:"status"`
	// Quantity and Filled are in the base asset.
	Quantity string `json:"quantity"`
	Filled   string `json:"filled"`
	Price    string `json:"price"`
	Stop     string `json:"stop"`
	// From is the stop that was triggered, for the order it became.
	From int64     `json:"from,omitempty"`
	At   time.Time `json:"at"`
}

// Side is BUY or SELL.
func (o *Order) Side() string {
	if o.Buy {
		return "BUY"
	}
	return "SELL"
}

// statuses in a ledger.
var statuses = map[Status]string{New: "NEW", PartlyFilled: "PARTIALLY_FILLED", Filled: "FILLED", Cancelled: "CANCELED", Expired: "EXPIRED", Rejected: "REJECTED", Finished: "FINISHED"}

// String implements fmt.Stringer, in Binance's words.
func (s Status) String() string { return statuses[s] }

// Ledger returns every order that was taken, the oldest first.
func (b *Book) Ledger() []Entry {
	out := make([]Entry, 0, len(b.orders))
	for _, o := range b.orders {
		out = append(out, Entry{ID: o.ID, Account: o.Account.Name, Market: string(o.Market), Symbol: o.Symbol, Side: o.Side(), Type: strings.ToUpper(o.Kind), ClientID: o.ClientID,
			Status: o.Status.String(), Quantity: o.Qty.String(), Filled: o.Filled.String(), Price: o.Price.String(), Stop: o.Stop.String(), From: o.From, At: o.Created})
	}
	return out
}
