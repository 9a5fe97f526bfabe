package signal

import (
	"encoding/json"
	"fmt"
)

// A Message is a request whose JSON and required fields are in order. Whether its
// sender may say anything is not known yet, so nothing but the group is shown.
type Message struct {
	fields  fields
	batch   bool
	orders  []entry // of a batch; nil where it has no list
	ignored []string
}

// The required fields, in the order in which they are missed.
var (
	always   = []string{"group_name", "token"}
	required = []string{"group_name", "token", "exchange", "market_type", "currency", "symbol", "order_type", "side"}
)

// Parse reads the body of a request, whatever its content type says. Errors:
// ErrJSON, a field that stands there twice, or the first required field that is
// missing.
func Parse(text []byte) (*Message, error) {
	list, err := body(text)
	if err != nil {
		return nil, err
	}
	m := &Message{}
	if m.fields, m.ignored, err = collect(list, ""); err != nil {
		return nil, err
	}
	kind := types[plain(m.fields.trimmed("order_type"))]
	need := required
	if kind == CancelAll {
		need = always
	}
	for _, name := range need {
		if !m.fields.has(name) {
			return nil, missing(name)
		}
	}
	if kind == CancelAll {
		return m, nil
	}
	if err := m.requirePrices(kind); err != nil {
		return nil, err
	}
	return m, nil
}

// requirePrices reads the orders of a batch, and checks that each order has the
// prices that its type needs.
func (m *Message) requirePrices(kind OrderType) error {
	raw, given := m.fields["orders"]
	m.batch = given && !isNull(raw)
	if !m.batch {
		return requirePrices(m.fields, nil, kind, "")
	}
	if !m.fields.has("orders") {
		return missing("orders")
	}
	if raw[0] != '[' {
		return nil // A wrong value, which Values says.
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return ErrJSON
	}
	m.orders = make([]entry, len(list))
	for i, raw := range list[:min(len(list), mostRead)] {
		if err := m.orders[i].read(i, raw); err != nil {
			return err
		}
		if f := m.orders[i].fields; f != nil {
			if err := requirePrices(f, m.fields, kind, place(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// mostRead is how many orders are looked at: a batch of more is refused anyhow,
// and its sender is not known yet.
const mostRead = 10 * MaxOrders

// requirePrices checks one order, which in a batch may leave its stop price to
// the common fields.
func requirePrices(f, common fields, kind OrderType, prefix string) error {
	if kind.HasPrice() && !f.has("price") {
		return missing(prefix + "price")
	}
	if kind.HasStop() && !f.has("stop_price") && !common.has("stop_price") {
		return missing(prefix + "stop_price")
	}
	return nil
}

// An entry is one order of a batch.
type entry struct {
	fields fields // nil where it is no object
	text   string
}

// read takes the entry apart, if it is an object; if not, Values says so.
func (e *entry) read(i int, raw json.RawMessage) (err error) {
	e.text = string(raw)
	if raw[0] != '{' {
		return nil
	}
	list, err := members(raw)
	if err != nil {
		return ErrJSON
	}
	e.fields, _, err = collect(list, place(i))
	return err
}

// place is how an order of a batch is named in front of its fields.
func place(i int) string { return fmt.Sprintf("orders[%d].", i) }

// Group is the group as the request names it.
func (m *Message) Group() string { return m.fields.trimmed("group_name") }

// String hides what the message says, its token first of all.
func (m *Message) String() string { return "webhook message" }

// GoString is String, for %#v.
func (m *Message) GoString() string { return m.String() }

// Groups knows the groups and their tokens.
type Groups interface {
	// Active tells whether there is such a group and it trades.
	Active(group string) bool
	// Accepts tells whether this is a valid token of an active group. It compares
	// in constant time.
	Accepts(group, token string) bool
}

// An Admitted is a request whose sender may speak for its group.
type Admitted struct{ message Message }

// String hides what it says, as a Message does.
func (Admitted) String() string { return "admitted webhook message" }

// GoString is String, for %#v.
func (a Admitted) GoString() string { return a.String() }

// Admit checks the group, then the token. Errors: ErrGroup, ErrToken.
func (m *Message) Admit(groups Groups) (*Admitted, error) {
	switch {
	case !groups.Active(m.Group()):
		return nil, ErrGroup
	case !groups.Accepts(m.Group(), text(m.fields["token"])):
		return nil, ErrToken
	}
	a := &Admitted{message: *m}
	a.message.fields = fields{}
	for name, value := range m.fields {
		if name != "token" {
			a.message.fields[name] = value
		}
	}
	return a, nil
}
