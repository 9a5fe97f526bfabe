package api

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/shopspring/decimal"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/tasks"
	"switchyard/trading/signal"
)

// accountOrders are the orders of one account.
type accountOrders struct {
	configs.Share
	JobID string
	err   error     // it could not be accepted, as far as is known
	job   *jobs.Job // as it was last seen; nil: it wasn't
}

// amount is a decimal as JSON has it, a number; a price has a fraction even where it
// is whole.
type amount struct {
	decimal.Decimal
	price bool
}

// MarshalJSON implements json.Marshaler.
func (a amount) MarshalJSON() ([]byte, error) {
	s := a.String()
	if a.price && !strings.Contains(s, ".") {
		s += ".0"
	}
	return []byte(s), nil
}

// price is one in an answer, null where there is none.
func price(d decimal.Decimal) *amount {
	if !d.IsPositive() {
		return nil
	}
	return &amount{d, true}
}

// orderFields are what answers say of an order beyond its place.
type orderFields struct {
	Success    bool    `json:"success"`
	OrderID    *string `json:"order_id"`
	Quantity   *amount `json:"quantity"`
	OrderPrice *amount `json:"order_price"`
	Status     string  `json:"status"`
	JobID      string  `json:"job_id,omitempty"`
	Error      string  `json:"error,omitempty"`
}

// singleResult is what came of a single order on one account.
type singleResult struct {
	AccountID   int    `json:"account_id"`
	AccountName string `json:"account_name"`
	Exchange    string `json:"exchange"`
	orderFields
	WaitedMS int64 `json:"waited_ms,omitempty"`
}

type singleSummary struct {
	TotalAccounts    int `json:"total_accounts"`
	ExecutedAccounts int `json:"executed_accounts"`
	SuccessfulTrades int `json:"successful_trades"`
	FailedTrades     int `json:"failed_trades"`
	PendingTrades    int `json:"pending_trades,omitempty"`
}

// batchOrder is what came of one order of a batch.
type batchOrder struct {
	OrderIndex      int     `json:"order_index"`
	RequestedPrice  *amount `json:"requested_price"`
	RequestedQtyPer amount  `json:"requested_qty_per"`
	orderFields
	WaitedMS int64 `json:"waited_ms,omitempty"`
}

type batchAccount struct {
	AccountID        int          `json:"account_id"`
	AccountName      string       `json:"account_name"`
	Exchange         string       `json:"exchange"`
	SuccessfulOrders int          `json:"successful_orders"`
	FailedOrders     int          `json:"failed_orders"`
	Orders           []batchOrder `json:"orders"`
}

type batchSummary struct {
	TotalAccounts         int `json:"total_accounts"`
	ExecutedAccounts      int `json:"executed_accounts"`
	SuccessfulAccounts    int `json:"successful_accounts"`
	TotalOrdersSuccessful int `json:"total_orders_successful"`
	TotalOrdersFailed     int `json:"total_orders_failed"`
	PendingTrades         int `json:"pending_trades,omitempty"`
}

type cancelResult struct {
	AccountID       int    `json:"account_id"`
	AccountName     string `json:"account_name"`
	Exchange        string `json:"exchange"`
	CancelledOrders int    `json:"cancelled_orders"`
	FailedOrders    int    `json:"failed_orders"`
	Success         bool   `json:"success"`
	Status          string `json:"status,omitempty"`
	JobID           string `json:"job_id,omitempty"`
	Error           string `json:"error,omitempty"`
}

type cancelSummary struct {
	TotalAccounts        int `json:"total_accounts"`
	ProcessedAccounts    int `json:"processed_accounts"`
	SuccessfulAccounts   int `json:"successful_accounts"`
	TotalCancelledOrders int `json:"total_cancelled_orders"`
}

// webhookAnswer is the answer to a webhook that was handled.
type webhookAnswer struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
	Result  any    `json:"result"`
}

// counts are the orders of an answer.
type counts struct{ successful, failed, pending int }

// successful tells whether an order counts as one that succeeded: the exchange has it,
// or has executed some of it.
func successful(o tasks.TradeOrder) bool {
	return o.Status.Placed() && (o.Status != tasks.OrderCancelled || o.Filled.IsPositive())
}

// count adds an order.
func (c *counts) count(o tasks.TradeOrder) {
	switch {
	case successful(o):
		c.successful++
	case o.Status == tasks.OrderQueued:
		c.pending++
	default:
		c.failed++
	}
}

// compose makes the answer.
func (h *webhook) compose() (webhookAnswer, counts) {
	out := webhookAnswer{Success: true, Message: "웹훅 처리 성공"}
	var sum counts
	switch h.signal.Action {
	case signal.Cancel:
		out.Result, sum = h.composeCancel()
	case signal.Batch:
		out.Result, sum = h.composeBatch()
	default:
		out.Result, sum = h.composeSingle()
	}
	return out, sum
}

func (h *webhook) composeSingle() (any, counts) {
	var sum counts
	results := []singleResult{}
	executed := 0
	for _, a := range h.orders {
		o := h.ordersOf(a)[0]
		sum.count(o)
		if o.Status != tasks.OrderQueued {
			executed++
		}
		results = append(results, singleResult{a.ID, a.Name, a.Exchange, fields(o, a), o.WaitedMS})
	}
	return struct {
		Action   signal.Action  `json:"action"`
		Strategy string         `json:"strategy"`
		Results  []singleResult `json:"results"`
		Summary  singleSummary  `json:"summary"`
	}{signal.Single, h.group.Name, results, singleSummary{len(h.orders), executed, sum.successful, sum.failed, sum.pending}}, sum
}

func (h *webhook) composeBatch() (any, counts) {
	var sum counts
	accounts := []batchAccount{}
	executed, well := 0, 0
	for _, a := range h.orders {
		var own counts
		acc := batchAccount{AccountID: a.ID, AccountName: a.Name, Exchange: a.Exchange, Orders: []batchOrder{}}
		for i, o := range h.ordersOf(a) {
			own.count(o)
			asked := h.signal.Orders[i]
			b := batchOrder{OrderIndex: o.Index, RequestedQtyPer: amount{asked.Percent, true}, orderFields: fields(o, a), WaitedMS: o.WaitedMS}
			if asked.Price.IsPositive() {
				b.RequestedPrice = &amount{Decimal: asked.Price}
			}
			acc.Orders = append(acc.Orders, b)
		}
		acc.SuccessfulOrders, acc.FailedOrders = own.successful, own.failed
		sum = counts{sum.successful + own.successful, sum.failed + own.failed, sum.pending + own.pending}
		if own.successful+own.failed > 0 {
			executed++
		}
		if own.successful > 0 && own.failed+own.pending == 0 {
			well++
		}
		accounts = append(accounts, acc)
	}
	return struct {
		Action      signal.Action  `json:"action"`
		Strategy    string         `json:"strategy"`
		Symbol      string         `json:"symbol"`
		TotalOrders int            `json:"total_orders"`
		Accounts    []batchAccount `json:"accounts"`
		Summary     batchSummary   `json:"summary"`
	}{
		signal.Batch, h.group.Name, h.signal.Symbol, len(h.signal.Orders), accounts,
		batchSummary{len(h.orders), executed, well, sum.successful, sum.failed, sum.pending},
	}, sum
}

func (h *webhook) composeCancel() (any, counts) {
	var sum counts
	results := []cancelResult{}
	total := cancelSummary{TotalAccounts: len(h.orders)}
	for _, a := range h.orders {
		r := cancelResult{AccountID: a.ID, AccountName: a.Name, Exchange: a.Exchange}
		var got tasks.TradeCancelResult
		switch {
		case a.err != nil:
			r.Status, r.JobID, r.Error = string(tasks.OrderUnknown), a.JobID, notAccepted
			sum.failed++
		case a.job == nil || !a.job.State.Final():
			r.Status, r.JobID = string(tasks.OrderQueued), a.JobID
			sum.pending++
		default:
			if err := json.Unmarshal(a.job.Result, &got); err != nil {
				got = tasks.TradeCancelResult{}
			}
			total.ProcessedAccounts++
			r.CancelledOrders, r.FailedOrders, r.Success, r.Error = got.Cancelled, got.Failed, got.Success, a.job.Error
			sum.successful, sum.failed = sum.successful+got.Cancelled, sum.failed+got.Failed
			if got.Success {
				total.SuccessfulAccounts++
			}
			total.TotalCancelledOrders += got.Cancelled
		}
		results = append(results, r)
	}
	return struct {
		Action   signal.Action  `json:"action"`
		Strategy string         `json:"strategy"`
		Results  []cancelResult `json:"results"`
		Summary  cancelSummary  `json:"summary"`
	}{signal.Cancel, h.group.Name, results, total}, sum
}

// notAccepted is said of an account whose job could not be accepted, as far as is
// known.
const notAccepted = "the job store was out of reach when the order was to be accepted; ask for the job to see whether it was"

// ordersOf are an account's orders as far as they are known, one for each of the
// signal's.
func (h *webhook) ordersOf(a accountOrders) []tasks.TradeOrder {
	out := make([]tasks.TradeOrder, len(h.signal.Orders))
	for i, o := range h.signal.Orders {
		out[i] = tasks.TradeOrder{Index: o.Index, Status: tasks.OrderQueued, Symbol: h.signal.Symbol, Type: string(h.signal.Type), Price: o.Price}
		if a.err != nil {
			out[i].Status, out[i].Error = tasks.OrderUnknown, notAccepted
		}
	}
	if a.job == nil {
		return out
	}
	var known tasks.TradeResult
	doc := a.job.Result
	if len(doc) == 0 || !a.job.State.Final() {
		doc = a.job.Progress
	}
	if len(bytes.TrimSpace(doc)) > 0 && json.Unmarshal(doc, &known) == nil && len(known.Orders) == len(out) {
		out = known.Orders
	}
	if a.job.State.Final() {
		for i := range out { // nothing is queued any more
			if out[i].Status != tasks.OrderQueued {
				continue
			}
			out[i].Status, out[i].Error = tasks.OrderFailed, a.job.Error
			if out[i].Sent != nil { // it was on its way when its worker died for good
				out[i].Status = tasks.OrderUnknown
			}
		}
	}
	return out
}

// fields are what an answer says of an order.
func fields(o tasks.TradeOrder, a accountOrders) orderFields {
	f := orderFields{Success: successful(o), Status: string(o.Status), Error: o.Error, OrderPrice: price(o.Price)}
	if o.OrderID != "" {
		f.OrderID = &o.OrderID
	}
	if o.Quantity.IsPositive() {
		f.Quantity = &amount{Decimal: o.Quantity}
	}
	if o.Status == tasks.OrderQueued || o.Status == tasks.OrderUnknown {
		f.JobID = a.JobID
	}
	return f
}
