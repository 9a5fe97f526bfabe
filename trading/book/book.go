// Package book keeps, in Redis, the orders that groups have opened and that may still
// be open: what CANCEL_ALL_ORDER takes back, and what is looked after until it ends.
// An order is entered before it is sent and taken out when its end is known, so that
// one whose outcome is unknown is in it, too.
//
// There is one hash an account, keyed by client order id. A group that was renamed
// keeps its orders under its old name; they are looked after all the same.
package book

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/tasks"
	"switchyard/trading/exchange"
)

// Prefix stands in front of the keys.
const Prefix = "sw:v1:trading:"

// Entry is an order that may be open.
type Entry struct {
	Group  string          `json:"group"`
	Market exchange.Market `json:"market"`
	// Order as it was last known.
	Order tasks.TradeOrder `json:"order"`
	// Job that sent it, and the webhook that asked for it.
	Job     string    `json:"job"`
	Webhook string    `json:"webhook"`
	Entered time.Time `json:"entered"`
}

// Ref names the order at the exchange.
func (e Entry) Ref() exchange.Ref {
	return exchange.Ref{Symbol: e.Order.Symbol, ClientID: e.Order.ClientID, Type: exchange.Type(e.Order.Type)}
}

// Book is safe for concurrent use.
type Book struct{ rdb redis.Cmdable }

// New returns the book in this Redis.
func New(rdb redis.Cmdable) *Book { return &Book{rdb: rdb} }

func bookKey(account int) string { return Prefix + "book:" + strconv.Itoa(account) }

// Enter notes an order, or what has become of it. Error: Redis is out of reach.
func (b *Book) Enter(ctx context.Context, account int, e Entry) error {
	doc, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("marshalling an order: %w", err)
	}
	if err := b.rdb.HSet(ctx, bookKey(account), e.Order.ClientID, doc).Err(); err != nil {
		return fmt.Errorf("entering an order: %w", err)
	}
	return nil
}

// Strike takes orders out. Error: Redis is out of reach.
func (b *Book) Strike(ctx context.Context, account int, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	if err := b.rdb.HDel(ctx, bookKey(account), ids...).Err(); err != nil {
		return fmt.Errorf("striking orders out: %w", err)
	}
	return nil
}

// Of returns the orders of an account, oldest first; of all groups where none is
// named. One that can't be read is left out. Error: Redis is out of reach.
func (b *Book) Of(ctx context.Context, account int, group string) ([]Entry, error) {
	all, err := b.rdb.HGetAll(ctx, bookKey(account)).Result()
	if err != nil {
		return nil, fmt.Errorf("reading the open orders of account %d: %w", account, err)
	}
	out := make([]Entry, 0, len(all))
	for _, doc := range all {
		var e Entry
		if json.Unmarshal([]byte(doc), &e) == nil && (group == "" || e.Group == group) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return a.Entered.Compare(b.Entered) })
	return out, nil
}

// Lease takes the looking after an account for d; false where somebody has it. Error:
// Redis is out of reach.
func (b *Book) Lease(ctx context.Context, account int, who string, d time.Duration) (bool, error) {
	ok, err := b.rdb.SetNX(ctx, Prefix+"follow:"+strconv.Itoa(account), who, d).Result()
	if err != nil {
		return false, fmt.Errorf("taking the looking after account %d: %w", account, err)
	}
	return ok, nil
}
