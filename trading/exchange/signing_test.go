package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/configs"
	"switchyard/trading/exchange"
	"switchyard/trading/exchange/binance"
	"switchyard/trading/exchange/bybit"
	"switchyard/trading/exchange/okx"
)

// slowClock answers the question for the time, from the second time on late, and counts
// orders.
type slowClock struct {
	late          time.Duration
	asked, orders int
}

func (s *slowClock) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		s.orders++
		return nil, errors.New("out of order")
	}
	if s.asked++; s.asked > 1 {
		time.Sleep(s.late) // of the bubble's clock
	}
	ms := time.Now().UnixMilli()
	body := map[string]string{
		"/api/v3/time":        fmt.Sprintf(`{"serverTime":%d}`, ms),
		"/v5/market/time":     fmt.Sprintf(`{"retCode":0,"result":{"timeSecond":"%d","timeNano":"%d000000"}}`, ms/1000, ms),
		"/api/v5/public/time": fmt.Sprintf(`{"code":"0","data":[{"ts":"%d"}]}`, ms),
	}[r.URL.Path]
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// Ensure an order that was held up between its guard and its signature isn't sent: its
// guard has noted until when it may be on its way.
func TestSigning(t *testing.T) {
	t.Parallel()
	for _, late := range []time.Duration{time.Second, 5 * time.Second} {
		for _, name := range []string{"binance", "bybit", "okx"} {
			t.Run(fmt.Sprint(name, " ", late), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := &slowClock{late: late}
					// The turn takes so long that the difference of the clocks is too old then.
					hooks := exchange.Hooks{Before: func(ctx context.Context, c exchange.Call) error {
						if c.Changes {
							time.Sleep(31 * time.Minute)
						}
						return exchange.Guard(ctx, c)
					}}
					key := configs.NewSecret("k")
					var x exchange.Exchange
					var err error
					switch name {
					case "binance":
						x, err = binance.New(binance.Options{Market: exchange.Spot, Key: key, Secret: key, Transport: s, Hooks: hooks})
					case "bybit":
						x, err = bybit.New(bybit.Options{Market: exchange.Spot, Key: key, Secret: key, Transport: s, Hooks: hooks})
					default:
						x, err = okx.New(okx.Options{Market: exchange.Spot, Key: key, Secret: key, Passphrase: key, Transport: s, Hooks: hooks})
					}
					if err != nil {
						t.Fatal(err)
					}
					ctx := exchange.Guarded(t.Context(), func(context.Context, exchange.Call) error { return nil })
					_, err = x.Place(ctx, exchange.Order{ClientID: "a", Symbol: "BTCUSDT", Side: exchange.Buy, Type: exchange.MarketOrder, Quantity: d("0.01")})
					sent := late < exchange.OnTheWay
					if (s.orders == 1) != sent || errors.Is(err, exchange.ErrUnknownOutcome) != sent || errors.Is(err, exchange.ErrUnavailable) == sent {
						t.Errorf("%d orders were sent after %s: %v", s.orders, late, err)
					}
				})
			})
		}
	}
}
