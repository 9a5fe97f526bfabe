package exchange_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/trading/exchange"
)

// asked is an exchange that answers questions for an order by a script: after the
// time of each entry by its error.
type asked struct {
	exchange.Exchange
	start  time.Time
	script []answer
	times  []time.Duration
}

type answer struct {
	from time.Duration
	err  error
}

func (a *asked) Query(context.Context, exchange.Ref) (exchange.State, error) {
	now := time.Since(a.start)
	a.times = append(a.times, now)
	var err error
	for _, x := range a.script {
		if now >= x.from {
			err = x.err
		}
	}
	return exchange.State{ID: "1", Status: exchange.Filled}, err
}

// Ensure an unknown outcome is settled by what the exchange says, that "not found"
// counts only once a late request can't be taken any more, and that nothing is asked
// while the exchange wants to be left alone.
func TestSettle(t *testing.T) {
	t.Parallel()
	rate := &exchange.Error{Kind: exchange.ErrRate, RetryAfter: 30 * time.Second}
	for _, tt := range []struct {
		name    string
		script  []answer
		settled time.Duration
		want    error
		at      time.Duration // of the last question, at least
	}{
		{"found", []answer{{0, nil}}, 6 * time.Second, nil, 0},
		{"found later", []answer{{0, exchange.ErrNotFound}, {2 * time.Second, nil}}, 6 * time.Second, nil, 2 * time.Second},
		{"never there", []answer{{0, exchange.ErrNotFound}}, 6 * time.Second, exchange.ErrNotFound, 6 * time.Second},
		{"never there, long ago", []answer{{0, exchange.ErrNotFound}}, -time.Second, exchange.ErrNotFound, 0},
		{"out of reach, then there", []answer{{0, exchange.ErrUnavailable}, {20 * time.Second, nil}}, 6 * time.Second, nil, 20 * time.Second},
		{"out of reach, then not there", []answer{{0, exchange.ErrUnavailable}, {20 * time.Second, exchange.ErrNotFound}}, 6 * time.Second, exchange.ErrNotFound, 20 * time.Second},
		{"limited", []answer{{0, rate}, {1, nil}}, 6 * time.Second, nil, 30 * time.Second},
		{"out of reach for good", []answer{{0, exchange.ErrUnavailable}}, 6 * time.Second, exchange.ErrUnknownOutcome, 50 * time.Second},
		{"key withdrawn", []answer{{0, exchange.ErrAuth}}, 6 * time.Second, exchange.ErrUnknownOutcome, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				x := &asked{start: time.Now(), script: tt.script}
				s, err := exchange.Settle(ctx, x, exchange.Ref{ClientID: "sy1"}, x.start.Add(tt.settled))
				if !errors.Is(err, tt.want) || err == nil && s.ID != "1" {
					t.Fatalf("%+v, %v; want %v", s, err, tt.want)
				}
				last := x.times[len(x.times)-1]
				if last < tt.at || last > tt.at+10*time.Second || len(x.times) > 40 {
					t.Errorf("asked at %v, want the last at %v or soon after", x.times, tt.at)
				}
				if errors.Is(tt.want, exchange.ErrUnknownOutcome) && exchange.SettledAt(err).IsZero() {
					t.Errorf("%v doesn't say when it will be settled", err)
				}
				if tt.name == "limited" && len(x.times) != 2 {
					t.Errorf("asked at %v while it should wait", x.times)
				}
			})
		})
	}
}
