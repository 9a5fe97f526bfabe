// Package floor is what every simulated exchange has, whichever it simulates: an address,
// a list of the requests, faults, a clock that can be wrong, counts of what limits are
// for, and the book of package matching with prices that a test sets. What an exchange
// says and means is its own.
package floor

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/sim/backstage"
	"switchyard/sim/exchanges/matching"
)

// Floor is embedded in a simulated exchange; C is its list's entry, F its fault. Make one
// with New, and Open it.
type Floor[C, F any] struct {
	// Faults are what is to go wrong.
	Faults backstage.Faults[F]
	// Mutex guards all that follows, and what the exchange has beside.
	sync.Mutex
	Book *matching.Book

	name  string
	has   func(symbol string) bool
	door  *backstage.Server
	calls backstage.Ledger[C]
	skew  time.Duration
	used  map[string]*window
}

// New returns the floor of the exchange with a name. has reports whether there is a
// symbol.
func New[C, F any](name string, leverage int, has func(symbol string) bool) *Floor[C, F] {
	f := &Floor[C, F]{name: "simulated " + name, has: has, used: map[string]*window{}}
	f.Book = &matching.Book{Leverage: leverage, Now: f.Now}
	return f
}

// Open sets the prices at the start, the same on both markets, and listens on addr
// (host:port, port 0 for a free one).
func (f *Floor[C, F]) Open(ctx context.Context, addr string, prices map[string]string, api http.HandlerFunc, fail func(F)) error {
	for symbol, p := range prices {
		for _, m := range []matching.Market{matching.Spot, matching.Futures} {
			if err := f.SetPrice(m, symbol, p); err != nil {
				return f.Wrong(err)
			}
		}
	}
	var err error
	if f.door, err = backstage.Serve(ctx, addr, api, f.control(fail)); err != nil {
		return f.Wrong(err)
	}
	return nil
}

// Wrong says whose an error is.
func (f *Floor[C, F]) Wrong(err error) error { return fmt.Errorf("%s: %w", f.name, err) }

// URL is the base URL of the API.
func (f *Floor[C, F]) URL() string { return f.door.URL() }

// Close ends it at once.
func (f *Floor[C, F]) Close() error {
	f.Recover()
	return f.door.Close()
}

// Recover takes back all faults, and lets go of the requests that they hold.
func (f *Floor[C, F]) Recover() { f.Faults.Clear() }

// Note puts a request on the list.
func (f *Floor[C, F]) Note(c C) { f.calls.Note(c) }

// Calls returns all requests so far, in the order they were answered.
func (f *Floor[C, F]) Calls() []C { return f.calls.All() }

// WaitFor waits until cond holds for the requests.
func (f *Floor[C, F]) WaitFor(ctx context.Context, cond func([]C) bool) error {
	if err := f.calls.WaitFor(ctx, cond); err != nil {
		return f.Wrong(err)
	}
	return nil
}

// Ledger returns every order that was taken, the oldest first.
func (f *Floor[C, F]) Ledger() []matching.Entry {
	f.Lock()
	defer f.Unlock()
	return f.Book.Ledger()
}

// Now is the exchange's time. It is for who holds the lock.
func (f *Floor[C, F]) Now() time.Time { return time.Now().Add(f.skew) }

// SetSkew has the exchange's clock differ from the machine's.
func (f *Floor[C, F]) SetSkew(d time.Duration) {
	f.Lock()
	defer f.Unlock()
	f.skew = d
}

// SetPrice sets the last price of a symbol, and executes what it sets off.
func (f *Floor[C, F]) SetPrice(m matching.Market, symbol, price string) error {
	p, err := decimal.NewFromString(price)
	if err != nil || !p.IsPositive() {
		return fmt.Errorf("no price: %q", price)
	}
	if !f.has(symbol) {
		return fmt.Errorf("no such symbol: %q", symbol)
	}
	f.Lock()
	defer f.Unlock()
	f.Book.SetPrice(matching.Place{Market: m, Symbol: symbol}, p)
	return nil
}

// window counts what is used of a limit in the current interval.
type window struct {
	of   int64
	used int
}

// Take counts n in the interval of length per that now is in, and returns the sum and
// how long the interval lasts. It is for who holds the lock.
func (f *Floor[C, F]) Take(name string, now time.Time, per time.Duration, n int) (used int, left time.Duration) {
	of := now.UnixNano() / int64(per)
	x := f.used[name]
	if x == nil || x.of != of {
		x = &window{of: of}
		f.used[name] = x
	}
	x.used += n
	return x.used, per - time.Duration(now.UnixNano()%int64(per))
}

// control is the simulator's own API, which the original doesn't have:
//
//	GET    /_sim/orders   the ledger: every order that was taken
//	GET    /_sim/calls    all requests
//	POST   /_sim/faults   a fault, from now on
//	DELETE /_sim/faults   take all back, and the skew
//	POST   /_sim/skew     {"seconds": 7.5}: the exchange's clock is ahead
//	POST   /_sim/price    {"market": "spot", "symbol": "BTCUSDT", "price": "95000"}; no market: both
func (f *Floor[C, F]) control(fail func(F)) http.Handler {
	mux := backstage.Control(fail, func() { f.Recover(); f.SetSkew(0) })
	mux.HandleFunc("GET /_sim/orders", func(w http.ResponseWriter, _ *http.Request) { backstage.Show(w, f.Ledger()) })
	mux.HandleFunc("GET /_sim/calls", func(w http.ResponseWriter, _ *http.Request) { backstage.Show(w, f.Calls()) })
	mux.HandleFunc("POST /_sim/skew", func(w http.ResponseWriter, r *http.Request) {
		var x struct {
			Seconds float64 `json:"seconds"`
		}
		if backstage.Read(w, r, &x) {
			f.SetSkew(time.Duration(x.Seconds * float64(time.Second)))
			backstage.Show(w, x)
		}
	})
	mux.HandleFunc("POST /_sim/price", func(w http.ResponseWriter, r *http.Request) {
		var x struct{ Market, Symbol, Price string }
		if !backstage.Read(w, r, &x) {
			return
		}
		for _, m := range []matching.Market{matching.Spot, matching.Futures} {
			if x.Market != "" && x.Market != string(m) {
				continue
			}
			if err := f.SetPrice(m, x.Symbol, x.Price); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		backstage.Show(w, x)
	})
	return mux
}
