package tasks

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

// TradePayload asks for the orders of one signal on one account.
type TradePayload struct {
	// Webhook is the id of the request's entry in the log of webhooks.
	Webhook string `json:"webhook"`
	// Group whose signal it is, and the id of the account.
	Group   string `json:"group"`
	Account int    `json:"account"`
	// Received is when the request arrived: an order is not sent when it is older
	// than trading.max_age.
	Received time.Time `json:"received"`
	// Signal is a signal.Signal of package trading/signal, without its token.
	Signal json.RawMessage `json:"signal"`
}

// OrderStatus is where an order stands, as the webhook's answers say it.
type OrderStatus string

// The states of an order.
const (
	// OrderQueued: not sent yet.
	OrderQueued          OrderStatus = "QUEUED"
	OrderPending         OrderStatus = "PENDING"
	OrderPartiallyFilled OrderStatus = "PARTIALLY_FILLED"
	OrderFilled          OrderStatus = "FILLED"
	OrderCancelled       OrderStatus = "CANCELLED"
	// OrderFailed: refused, by us or by the exchange. Nothing was done.
	OrderFailed OrderStatus = "FAILED"
	// OrderUnknown: the exchange can't say whether it has the order.
	OrderUnknown OrderStatus = "UNKNOWN"
)

// Placed reports whether the exchange has taken the order.
func (s OrderStatus) Placed() bool {
	switch s {
	case OrderPending, OrderPartiallyFilled, OrderFilled, OrderCancelled:
		return true
	}
	return false
}

// TradeResult is what came of the orders of one account, and, as progress, what has
// come of them so far.
type TradeResult struct {
	Group       string `json:"group"`
	AccountID   int    `json:"account_id"`
	AccountName string `json:"account_name"`
	// Exchange in lower case.
	Exchange string `json:"exchange"`
	// Orders in the order of the request.
	Orders []TradeOrder `json:"orders"`
}

// TradeOrder is what came of one order.
type TradeOrder struct {
	// Index in the request.
	Index  int         `json:"order_index"`
	Status OrderStatus `json:"status"`
	// ClientID is ours, OrderID the exchange's; empty where it isn't known.
	ClientID string `json:"client_order_id,omitempty"`
	OrderID  string `json:"order_id,omitempty"`
	Symbol   string `json:"symbol"`
	// Side is buy or sell; Type may be another than asked for (see sizing).
	Side string `json:"side,omitempty"`
	Type string `json:"order_type"`
	// Quantity that was sent, in the base asset; zero where nothing was.
	Quantity decimal.Decimal `json:"quantity"`
	// Price of the order; of one at the market what it was filled at, or the price
	// that it was sized by.
	Price        decimal.Decimal `json:"price"`
	StopPrice    decimal.Decimal `json:"stop_price"`
	Filled       decimal.Decimal `json:"filled"`
	AveragePrice decimal.Decimal `json:"average_price"`
	// Error is why it failed, in words. Empty where it didn't.
	Error string `json:"error,omitempty"`
	// Sent is when it was sent to the exchange; null: it wasn't, or that isn't known.
	Sent *time.Time `json:"sent_at"`
	// WaitedMS is how long it waited for its turn among the limits of the exchange.
	WaitedMS int64 `json:"waited_ms"`
}

// TradeCancelPayload asks to take back what a group has opened on one account.
type TradeCancelPayload struct {
	Webhook string `json:"webhook"`
	Group   string `json:"group"`
	Account int    `json:"account"`
	// Market and Symbol are filters; empty: all.
	Market string `json:"market_type,omitempty"`
	Symbol string `json:"symbol,omitempty"`
}

// TradeCancelResult is what came of it on one account.
type TradeCancelResult struct {
	Group       string `json:"group"`
	AccountID   int    `json:"account_id"`
	AccountName string `json:"account_name"`
	Exchange    string `json:"exchange"`
	Cancelled   int    `json:"cancelled_orders"`
	Failed      int    `json:"failed_orders"`
	Success     bool   `json:"success"`
	// Errors say of those that failed why, by client order id.
	Errors map[string]string `json:"errors,omitempty"`
}

// The limits of trading jobs.
const (
	// tradeLimit bounds one run: an exchange may be out of reach, or its limits used
	// up, for minutes.
	tradeLimit = 15 * time.Minute
	// tradeTries is how often a run may fail for a reason that may pass; before
	// anything is sent each time asks what became of the time before.
	tradeTries = 20
)

// AccountKey is the order key of everything that is done on an account.
func AccountKey(account int) string { return "account:" + strconv.Itoa(account) }

// NewTrade drafts the orders of one account; chat is told of the outcome, if there is
// one.
func NewTrade(p TradePayload, chat string) Draft {
	return trading(Trade, p.Account, mustJSON(p), chat)
}

// NewTradeCancel drafts a cancellation on one account.
func NewTradeCancel(p TradeCancelPayload, chat string) Draft {
	return trading(TradeCancel, p.Account, mustJSON(p), chat)
}

func trading(t Type, account int, payload []byte, chat string) Draft {
	return Draft{
		Type: t, ChatID: chat, Queue: QueueTrading, OrderKey: AccountKey(account), Payload: payload,
		Limit: tradeLimit, MaxTries: tradeTries,
	}
}
