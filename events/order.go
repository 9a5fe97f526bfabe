package events

import (
	"time"

	"switchyard/tasks"
)

// OrderKind is the kind of an Order.
const OrderKind = "order_event"

// Order is one change of an order at an exchange (`order_event`).
type Order struct {
	tasks.TradeOrder
	WebhookID   string    `json:"webhook_id"`
	JobID       string    `json:"job_id"`
	Group       string    `json:"group"`
	AccountID   int       `json:"account_id"`
	AccountName string    `json:"account_name"`
	Exchange    string    `json:"exchange"`
	Market      string    `json:"market_type"`
	At          time.Time `json:"at"`
}
