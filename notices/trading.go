package notices

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"switchyard/jobs"
	"switchyard/tasks"
)

// trade is what came of a group's orders on an account.
func trade(j *jobs.Job) string {
	var p tasks.TradePayload
	var r tasks.TradeResult
	read(j.Payload, &p)
	read(j.Result, &r)
	head := "<b>" + plain(p.Group, longestWord) + "</b>, " + accountName(r.AccountName, p.Account)
	if len(r.Orders) == 0 {
		return head + ": " + failure(j) + "."
	}
	var asked struct {
		Symbol string `json:"symbol"`
		Side   string `json:"side"`
		Type   string `json:"order_type"`
	}
	if json.Unmarshal(p.Signal, &asked) == nil {
		head += ": " + plain(strings.Join([]string{asked.Type, asked.Side, asked.Symbol}, " "), longestNote)
	}
	lines := []string{}
	for _, o := range r.Orders {
		lines = append(lines, order(o))
	}
	if len(lines) == 1 {
		return head + ": " + lines[0]
	}
	if len(lines) > mostLines {
		more := len(lines) - mostLines
		lines = append(lines[:mostLines], "and "+strconv.Itoa(more)+" more")
	}
	return head + "\n" + strings.Join(lines, "\n")
}

func accountName(name string, id int) string {
	if name == "" {
		return "account " + strconv.Itoa(id)
	}
	return plain(name, longestWord)
}

// order is one order in a line.
func order(o tasks.TradeOrder) string {
	s := strings.ToLower(strings.ReplaceAll(string(o.Status), "_", " "))
	if o.Quantity.IsPositive() {
		s += " " + o.Quantity.String()
	}
	if o.Price.IsPositive() {
		s += " at " + o.Price.String()
	}
	if o.StopPrice.IsPositive() {
		s += " from " + o.StopPrice.String()
	}
	if o.Error != "" {
		s += ": " + plain(o.Error, longestNote)
	}
	return s
}

// tradeCancel is what came of taking orders back.
func tradeCancel(j *jobs.Job) string {
	var p tasks.TradeCancelPayload
	var r tasks.TradeCancelResult
	read(j.Payload, &p)
	read(j.Result, &r)
	head := "<b>" + plain(p.Group, longestWord) + "</b>, " + accountName(r.AccountName, p.Account) + ": "
	if len(j.Result) == 0 {
		return head + "orders not cancelled: " + failure(j) + "."
	}
	s := head + fmt.Sprintf("%d orders cancelled", r.Cancelled)
	if r.Failed > 0 {
		s += fmt.Sprintf(", %d not", r.Failed)
	}
	return s + "."
}
