package exchange

import (
	"context"
	"errors"
	"fmt"

	"github.com/shopspring/decimal"
)

// maxDigits is more than any exchange's number has. Beyond it decimals only serve
// to make arithmetic slow.
const maxDigits = 64

// ParseDecimal reads a number as exchanges write them: digits, at most one point, a
// sign. Exponents are refused: a short text could stand for a number that fills
// the memory. An empty text is zero.
func ParseDecimal(s string) (decimal.Decimal, error) {
	if s == "" {
		return decimal.Decimal{}, nil
	}
	if len(s) > maxDigits {
		return decimal.Decimal{}, fmt.Errorf("number of %d characters", len(s))
	}
	for _, c := range s {
		if (c < '0' || c > '9') && c != '.' && c != '-' {
			return decimal.Decimal{}, fmt.Errorf("not a number: %q", s)
		}
	}
	d, err := decimal.NewFromString(s)
	if err != nil {
		return decimal.Decimal{}, fmt.Errorf("not a number: %q", s)
	}
	return d, nil
}

// Validate says what is missing in an order, before any exchange sees it.
func (o Order) Validate() error {
	fault := func(words string) error {
		return &Error{Kind: ErrRefused, Op: "checking an order", Message: words}
	}
	switch {
	case !ValidClientID(o.ClientID):
		return fault(fmt.Sprintf("client order id %q: 1 to 32 of A-Z, a-z, 0-9", o.ClientID))
	case o.Symbol == "":
		return fault("no symbol")
	case o.Side != Buy && o.Side != Sell:
		return fault(fmt.Sprintf("no such side: %q", o.Side))
	case o.Type != MarketOrder && o.Type != LimitOrder && !o.Type.Stop():
		return fault(fmt.Sprintf("no such order type: %q", o.Type))
	case !o.Quantity.IsPositive():
		return fault("no quantity")
	case o.Type.Limited() && !o.Price.IsPositive():
		return fault("no price")
	case o.Type.Stop() && !o.StopPrice.IsPositive():
		return fault("no stop price")
	}
	return nil
}

// Rises reports whether the price, which is at last, has to rise to touch the stop.
// Error: an ErrTrigger, it has been touched.
func (o Order) Rises(last decimal.Decimal) (bool, error) {
	up := o.StopPrice.GreaterThan(last)
	if last.Equal(o.StopPrice) || up && o.Trigger == Fall || !up && o.Trigger == Rise {
		return false, &Error{Kind: ErrTrigger, Op: "placing " + o.ClientID, Message: "the price is " + last.String()}
	}
	return up, nil
}

// ValidClientID reports whether every exchange takes this client order id.
func ValidClientID(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// CancelEach is CancelOurs by the methods that every exchange has. It lists what is
// open and takes back ours one by one, so that an order placed by hand in the
// meantime is never caught. Stops that aren't in the list are tried too: one that was
// triggered rests under another id at some exchanges, and Cancel finds it. A symbol that
// can't be listed keeps nobody from taking back the orders of others.
func CancelEach(ctx context.Context, x Exchange, ours []Ref) ([]Cancelled, error) {
	open := map[string]map[string]bool{}
	unlisted := map[string]error{}
	var out []Cancelled
	var stopped error // nothing more is sent after this
	stop := func(err error) {
		if errors.Is(err, ErrRate) || errors.Is(err, ErrBanned) || errors.Is(err, ErrAuth) {
			stopped = err
		}
	}
	for _, r := range ours {
		if stopped == nil && ctx.Err() != nil {
			stopped = context.Cause(ctx)
		}
		if stopped == nil && open[r.Symbol] == nil {
			open[r.Symbol], unlisted[r.Symbol] = listed(ctx, x, r.Symbol)
			stop(unlisted[r.Symbol])
		}
		err := unlisted[r.Symbol]
		if ids := open[r.Symbol]; ids != nil && err == nil && !ids[r.ClientID] && !r.Type.Stop() {
			continue
		}
		if err == nil {
			err = stopped
		}
		if err != nil {
			out = append(out, Cancelled{Ref: r, Err: err})
			continue
		}
		s, err := x.Cancel(ctx, r)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		out = append(out, Cancelled{Ref: r, State: s, Err: err})
		stop(err)
	}
	return out, nil
}

// listed are the client order ids that are open in a symbol.
func listed(ctx context.Context, x Exchange, symbol string) (map[string]bool, error) {
	ids := map[string]bool{}
	list, err := x.OpenOrders(ctx, symbol)
	for _, s := range list {
		ids[s.ClientID] = true
	}
	return ids, err
}
