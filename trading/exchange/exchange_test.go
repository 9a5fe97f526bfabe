package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
)

func d(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// Ensure an error is found by its kind and by its cause, and says what a person needs.
func TestError(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("account 3: %w", &exchange.Error{Kind: exchange.ErrRate, Op: "placing sy1", Status: 429, Code: "-1003", Message: "Too many requests", RetryAfter: 7 * time.Second, Err: context.Canceled})
	if !errors.Is(err, exchange.ErrRate) || !errors.Is(err, context.Canceled) || errors.Is(err, exchange.ErrBanned) {
		t.Errorf("kind or cause not found: %v", err)
	}
	if got := exchange.RetryAfter(err); got != 7*time.Second {
		t.Errorf("again after %s, want 7s", got)
	}
	for _, part := range []string{"placing sy1", "rate limit", "Too many requests", "HTTP 429", "-1003", "7s"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q doesn't say %q", err, part)
		}
	}
	if exchange.RetryAfter(context.Canceled) != 0 || !exchange.SettledAt(context.Canceled).IsZero() {
		t.Error("another error has a time")
	}
}

var rules = exchange.Rules{
	Symbol: "BTCUSDT", Base: "BTC", Quote: "USDT", Trading: true,
	Price:          exchange.Range{Min: d("0.1"), Max: d("1000000"), Step: d("0.1")},
	Quantity:       exchange.Range{Min: d("0.001"), Max: d("1000"), Step: d("0.001")},
	MarketQuantity: exchange.Range{Min: d("0.001"), Max: d("120"), Step: d("0.001")},
	MinNotional:    d("100"), MinNotionalMarket: d("100"), ReduceBelowMinimum: true,
}

// Ensure each rule refuses its smallest fault, with the kind and the bound in words.
func TestRules_Check(t *testing.T) {
	t.Parallel()
	base := exchange.Order{Symbol: "BTCUSDT", Side: exchange.Buy, Type: exchange.StopLimit, Quantity: d("0.01"), Price: d("95000.1"), StopPrice: d("94000.1")}
	for _, tt := range []struct {
		name  string
		spoil func(*exchange.Order)
		want  error
		says  string
	}{
		{"good", func(*exchange.Order) {}, nil, ""},
		{"no quantity", func(o *exchange.Order) { o.Quantity = d("0") }, exchange.ErrMinimum, "0.001 BTC"},
		{"small quantity", func(o *exchange.Order) { o.Quantity = d("0.0009") }, exchange.ErrMinimum, "0.001 BTC"},
		{"large quantity", func(o *exchange.Order) { o.Quantity = d("1001") }, exchange.ErrPrecision, "1000 BTC"},
		{"large at the market", func(o *exchange.Order) { o.Type, o.Quantity = exchange.MarketOrder, d("121") }, exchange.ErrPrecision, "120 BTC"},
		{"as large with a price", func(o *exchange.Order) { o.Quantity = d("121") }, nil, ""},
		{"quantity's step", func(o *exchange.Order) { o.Quantity = d("0.0105") }, exchange.ErrPrecision, "0.001"},
		{"price's step", func(o *exchange.Order) { o.Price = d("95000.15") }, exchange.ErrPrecision, "price 95000.15"},
		{"stop's step", func(o *exchange.Order) { o.StopPrice = d("94000.15") }, exchange.ErrPrecision, "stop price 94000.15"},
		{"low price", func(o *exchange.Order) { o.Price = d("0") }, exchange.ErrPrecision, "0.1"},
		{"high price", func(o *exchange.Order) { o.Price = d("1000000.1") }, exchange.ErrPrecision, "1000000"},
		{"value", func(o *exchange.Order) { o.Quantity = d("0.001"); o.Price = d("99999.9") }, exchange.ErrMinimum, "100"},
		{"value of one that reduces", func(o *exchange.Order) { o.Quantity = d("0.001"); o.ReduceOnly = true }, nil, ""},
		{"value at the market", func(o *exchange.Order) { o.Type, o.Quantity = exchange.MarketOrder, d("0.001") }, exchange.ErrMinimum, "95"},
		{"value at the stop", func(o *exchange.Order) {
			o.Type, o.Quantity, o.StopPrice = exchange.StopMarket, d("0.001"), d("100000")
		}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := base
			tt.spoil(&o)
			err := rules.Check(o, d("95000"))
			if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %v with %q", err, tt.want, tt.says)
			}
		})
	}
	halted := rules
	halted.Trading = false
	if err := halted.Check(base, d("95000")); !errors.Is(err, exchange.ErrSymbol) {
		t.Errorf("not traded: %v", err)
	}
}

// Ensure rounding lands on the step, never rounds a quantity up, and moves a price by
// half a step at most, whatever the numbers.
func FuzzRounding(f *testing.F) {
	f.Add(int64(123456789), int32(-8), int64(1), int32(-3))
	f.Add(int64(-5), int32(2), int64(25), int32(-1))
	f.Fuzz(func(t *testing.T, value int64, exp int32, step int64, stepExp int32) {
		if step <= 0 || exp < -18 || exp > 8 || stepExp < -12 || stepExp > 4 || value < 0 {
			t.Skip()
		}
		x, by := decimal.New(value, exp), decimal.New(step, stepExp)
		r := exchange.Rules{Price: exchange.Range{Step: by}, Quantity: exchange.Range{Step: by}, MarketQuantity: exchange.Range{Step: by}}
		q := r.RoundQuantity(exchange.MarketOrder, x)
		if q.GreaterThan(x) || x.Sub(q).GreaterThanOrEqual(by) || !q.Mod(by).IsZero() || q.IsNegative() {
			t.Errorf("quantity %s to %s by %s", x, q, by)
		}
		p := r.RoundPrice(x)
		if x.Sub(p).Abs().Mul(d("2")).GreaterThan(by) || !p.Mod(by).IsZero() {
			t.Errorf("price %s to %s by %s", x, p, by)
		}
	})
}

// Ensure a number of an exchange is read exactly or refused, never guessed, and costs
// no more than its length.
func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"", "0", "0.00000001", "-12.5", "1e9", "1e1000000000", "NaN", "0x1", "1.2.3", "--1", strings.Repeat("9", 65), "٣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := exchange.ParseDecimal(s)
		if err != nil {
			return
		}
		want, err := decimal.NewFromString("0" + strings.TrimPrefix(s, "-"))
		if s != "" && (err != nil || !got.Abs().Equal(want)) {
			t.Errorf("%q read as %s", s, got)
		}
		if strings.ContainsAny(s, "eExX") || len(s) > 64 {
			t.Errorf("%q read as %s", s, got)
		}
	})
}

// list is an exchange that has open orders, and says no to cancelling some.
type list struct {
	exchange.Exchange
	open   []exchange.State
	errs   map[string]error
	asked  []string
	cancel context.CancelFunc
}

func (l *list) OpenOrders(context.Context, string) ([]exchange.State, error) { return l.open, nil }

func (l *list) Cancel(_ context.Context, r exchange.Ref) (exchange.State, error) {
	l.asked = append(l.asked, r.ClientID)
	if l.cancel != nil {
		l.cancel()
	}
	return exchange.State{Status: exchange.CancelledOrder}, l.errs[r.ClientID]
}

// Ensure cancelling goes on after an order that fails, and stops where the next could
// only fail the same way; every order not taken back is told.
func TestCancelEach(t *testing.T) {
	t.Parallel()
	refs := []exchange.Ref{{Symbol: "X", ClientID: "a"}, {Symbol: "X", ClientID: "b"}, {Symbol: "X", ClientID: "c"}, {Symbol: "X", ClientID: "gone"}}
	for _, tt := range []struct {
		name   string
		errs   map[string]error
		ends   bool
		asked  string
		failed string
	}{
		{"all", nil, false, "a b c", ""},
		{"one refused", map[string]error{"a": exchange.ErrRefused}, false, "a b c", "a"},
		{"one filled meanwhile", map[string]error{"a": exchange.ErrNotFound}, false, "a b c", ""},
		{"limit", map[string]error{"b": exchange.ErrRate}, false, "a b", "b c"},
		{"banned", map[string]error{"a": exchange.ErrBanned}, false, "a", "a b c"},
		{"context ends", nil, true, "a", "b c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			l := &list{errs: tt.errs}
			for _, id := range []string{"a", "b", "c", "theirs"} {
				l.open = append(l.open, exchange.State{Order: exchange.Order{ClientID: id}})
			}
			if tt.ends {
				l.cancel = cancel
			}
			got, err := exchange.CancelEach(ctx, l, refs)
			if err != nil {
				t.Fatal(err)
			}
			var failed []string
			for _, c := range got {
				if c.Err != nil {
					failed = append(failed, c.Ref.ClientID)
				}
			}
			if strings.Join(l.asked, " ") != tt.asked || strings.Join(failed, " ") != tt.failed {
				t.Errorf("asked for %q, failed %q; want %q, %q", l.asked, failed, tt.asked, tt.failed)
			}
		})
	}
}

// shelf has open orders by symbol, and symbols that can't be asked about.
type shelf struct {
	exchange.Exchange
	open  map[string][]string
	fails map[string]error
	asked []string
}

func (s *shelf) OpenOrders(_ context.Context, symbol string) (out []exchange.State, err error) {
	s.asked = append(s.asked, symbol)
	for _, id := range s.open[symbol] {
		out = append(out, exchange.State{Order: exchange.Order{ClientID: id, Symbol: symbol}})
	}
	return out, s.fails[symbol]
}

func (*shelf) Cancel(context.Context, exchange.Ref) (exchange.State, error) {
	return exchange.State{Status: exchange.CancelledOrder}, nil
}

// Ensure a symbol that can't be asked about, such as one that is no longer listed, keeps
// nobody from taking back the orders of others; and that after a limit nobody is asked.
func TestCancelEach_symbols(t *testing.T) {
	t.Parallel()
	refs := []exchange.Ref{{Symbol: "GONE", ClientID: "a"}, {Symbol: "BTC", ClientID: "b"}, {Symbol: "GONE", ClientID: "c"}, {Symbol: "ETH", ClientID: "d"}, {Symbol: "ETH", ClientID: "e"}}
	fault := func(kind error) error { return &exchange.Error{Kind: kind, Op: "open orders"} }
	for name, tt := range map[string]struct {
		fails map[string]error
		want  string
		asked int
	}{
		"a symbol is gone": {map[string]error{"GONE": fault(exchange.ErrSymbol)}, "a:not b c:not d", 3},
		"out of reach":     {map[string]error{"ETH": fault(exchange.ErrUnavailable)}, "a b c d:not e:not", 3},
		"limited":          {map[string]error{"GONE": fault(exchange.ErrRate)}, "a:not b:not c:not d:not e:not", 1},
		"shut out":         {map[string]error{"BTC": fault(exchange.ErrBanned)}, "a b:not c:not d:not e:not", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{open: map[string][]string{"GONE": {"a", "c"}, "BTC": {"b"}, "ETH": {"d"}}, fails: tt.fails}
			out, err := exchange.CancelEach(t.Context(), s, refs)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range out {
				id := c.Ref.ClientID
				if c.Err != nil {
					id += ":not"
				}
				got = append(got, id)
			}
			if strings.Join(got, " ") != tt.want || len(s.asked) != tt.asked {
				t.Errorf("%q, asked about %q", got, s.asked)
			}
		})
	}
}
