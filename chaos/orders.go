package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/sim/exchanges/matching"
	"switchyard/tasks"
)

// tallyOrders compares what the jobs say of their orders with the exchange's ledger.
func tallyOrders(all []*jobs.Job, ledger []matching.Entry, age configs.TradingMaxAge) (string, error) {
	var errs []error
	wrong := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	taken := map[string][]matching.Entry{}
	for _, o := range ledger {
		taken[o.ClientID] = append(taken[o.ClientID], o)
	}
	counts := map[tasks.OrderStatus]int{}
	orders, late, twice := 0, 0, 0
	known := map[string]bool{}
	for _, j := range all {
		var r tasks.TradeResult
		var p tasks.TradePayload
		if err := errors.Join(json.Unmarshal(j.Result, &r), json.Unmarshal(j.Payload, &p)); err != nil || j.State != jobs.Completed {
			wrong("job %s is %s, with the result %s: %w", j.ID, j.State, j.Result, err)
			continue
		}
		for _, o := range r.Orders {
			orders++
			counts[o.Status]++
			known[o.ClientID] = true
			got := taken[o.ClientID]
			switch {
			case o.ClientID == "" && o.Status == tasks.OrderFailed:
				continue
			case len(got) > 1:
				twice++
				wrong("order %s is there %d times", o.ClientID, len(got))
			case o.Status.Placed() && len(got) != 1:
				wrong("order %s is %s, and not at the exchange", o.ClientID, o.Status)
			case o.Status == tasks.OrderFailed && len(got) != 0:
				wrong("order %s is said to have failed (%s), and is at the exchange", o.ClientID, o.Error)
			case o.Status == tasks.OrderQueued:
				wrong("order %s is still queued", o.ClientID)
			}
			most := age.Other.Std()
			if o.Type == "MARKET" {
				most = age.Market.Std()
			}
			for _, x := range got {
				if x.At.Sub(p.Received) > most+lateSlack {
					late++
					wrong("order %s was sent %s after its alert", o.ClientID, x.At.Sub(p.Received))
				}
			}
		}
	}
	errs = append(errs, outOfTurn(all, ledger)...)
	for id := range taken {
		if !known[id] {
			wrong("order %s is at the exchange, and no job knows of it", id)
		}
	}
	return fmt.Sprintf("%d orders in %d jobs: %v; at the exchange %d, twice %d, late %d", orders, len(all), counts, len(ledger), twice, late), errors.Join(errs...)
}

// outOfTurn says which orders of an account came to the exchange before others of it
// that were accepted before them.
func outOfTurn(all []*jobs.Job, ledger []matching.Entry) (errs []error) {
	type turn struct {
		account int
		created time.Time
		index   int
	}
	turns := map[string]turn{}
	for _, j := range all {
		var r tasks.TradeResult
		if json.Unmarshal(j.Result, &r) != nil {
			continue // told already
		}
		for _, o := range r.Orders {
			turns[o.ClientID] = turn{r.AccountID, j.Created, o.Index}
		}
	}
	last := map[int]turn{}
	for _, o := range ledger {
		t, ok := turns[o.ClientID]
		if !ok {
			continue
		}
		if b := last[t.account]; t.created.Before(b.created) || t.created.Equal(b.created) && t.index < b.index {
			errs = append(errs, fmt.Errorf("order %s came out of turn", o.ClientID))
		}
		last[t.account] = t
	}
	return errs
}
