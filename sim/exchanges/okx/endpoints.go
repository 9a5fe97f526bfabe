package okx

import (
	"slices"
	"strconv"

	"switchyard/sim/exchanges/matching"
)

// endpoint is one call of the API.
type endpoint struct {
	signed              bool
	mandatory, optional []string
	do                  func(*Server, query) (any, *refusal)
	// each is for what places or cancels, one by one; many is how many may come in a
	// list, 0 for none; counts is what limit they count against.
	each   func(*Server, query) (map[string]any, *refusal)
	many   int
	counts string
}

var (
	orderMembers = []string{"px", "clOrdId", "posSide", "reduceOnly", "tgtCcy", "tag"}
	algoMembers  = []string{"algoClOrdId", "clOrdId", "posSide", "reduceOnly", "tgtCcy", "triggerPxType", "tag"}
)

// endpoints by method and path.
var endpoints = map[string]endpoint{
	"GET /api/v5/public/time":        {do: (*Server).time},
	"GET /api/v5/public/instruments": {mandatory: []string{"instType"}, optional: []string{"instId"}, do: (*Server).instruments},
	"GET /api/v5/market/ticker":      {mandatory: []string{"instId"}, do: (*Server).ticker},
	"POST /api/v5/trade/order": {signed: true, mandatory: []string{"instId", "tdMode", "side", "ordType", "sz"}, optional: orderMembers,
		each: (*Server).newOrder, counts: "order"},
	"POST /api/v5/trade/batch-orders": {signed: true, mandatory: []string{"instId", "tdMode", "side", "ordType", "sz"}, optional: orderMembers,
		each: (*Server).newOrder, many: 20, counts: "order"},
	"POST /api/v5/trade/order-algo": {signed: true, mandatory: []string{"instId", "tdMode", "side", "ordType", "sz", "triggerPx", "orderPx"}, optional: algoMembers,
		each: (*Server).newAlgo, counts: "algo"},
	"POST /api/v5/trade/cancel-order":        {signed: true, mandatory: []string{"instId"}, optional: []string{"ordId", "clOrdId"}, each: (*Server).cancelOrder, counts: "cancel"},
	"POST /api/v5/trade/cancel-batch-orders": {signed: true, mandatory: []string{"instId"}, optional: []string{"ordId", "clOrdId"}, each: (*Server).cancelOrder, many: 20, counts: "cancel batch"},
	"POST /api/v5/trade/cancel-algos":        {signed: true, mandatory: []string{"instId"}, optional: []string{"algoId", "algoClOrdId"}, each: (*Server).cancelAlgo, many: 10, counts: "algo cancel"},
	"GET /api/v5/trade/order":                {signed: true, mandatory: []string{"instId"}, optional: []string{"ordId", "clOrdId"}, do: (*Server).order},
	"GET /api/v5/trade/orders-pending":       {signed: true, optional: []string{"instType", "instId", "limit", "after"}, do: (*Server).pending},
	"GET /api/v5/trade/order-algo":           {signed: true, optional: []string{"algoId", "algoClOrdId", "instId"}, do: (*Server).algo},
	"GET /api/v5/trade/orders-algo-pending":  {signed: true, mandatory: []string{"ordType"}, optional: []string{"instType", "instId", "limit", "after"}, do: (*Server).algosPending},
	"GET /api/v5/account/balance":            {signed: true, optional: []string{"ccy"}, do: (*Server).balance},
	"GET /api/v5/account/positions":          {signed: true, optional: []string{"instType", "instId"}, do: (*Server).positions},
	"GET /api/v5/account/config":             {signed: true, do: (*Server).config},
}

// check refuses members that are missing, of the wrong type or that the endpoint
// doesn't have.
func (e endpoint) check(q query) *refusal {
	for _, name := range e.mandatory {
		if q.params[name] == nil || q.params[name] == "" {
			return refuse("50014", "Parameter "+name+" can not be empty.")
		}
	}
	for name, v := range q.params {
		if !slices.Contains(e.mandatory, name) && !slices.Contains(e.optional, name) {
			return refuse("51000", "Parameter "+name+" error")
		}
		_, text := v.(string)
		_, flag := v.(bool)
		if !text && (!flag || name != "reduceOnly") {
			return refuse("51000", "Parameter "+name+" error")
		}
	}
	return nil
}

func (s *Server) time(q query) (any, *refusal) {
	return []any{map[string]string{"ts": strconv.FormatInt(q.now.UnixMilli(), 10)}}, nil
}

func (s *Server) instruments(q query) (any, *refusal) {
	list := []any{}
	if t := q.text("instType"); t != "SPOT" && t != "SWAP" {
		return list, nil // futures and options there are none
	}
	for _, x := range s.opt.Symbols {
		if id := q.text("instId"); id == "" || id == x.id(q.market()) {
			list = append(list, x.info(q.market()))
		}
	}
	if len(list) == 0 {
		return nil, refuse("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
	}
	return list, nil
}

func (s *Server) ticker(q query) (any, *refusal) {
	x, m, ok := s.instrument(q.text("instId"))
	p := s.Book.Price(matching.Place{Market: m, Symbol: x.Name})
	if !ok || !p.IsPositive() {
		return nil, refuse("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
	}
	return []any{map[string]string{"instType": instType(m), "instId": x.id(m), "last": p.String(), "askPx": p.String(), "bidPx": p.String(), "ts": strconv.FormatInt(q.now.UnixMilli(), 10)}}, nil
}

// balance is that of the trading account: one wallet for everything.
func (s *Server) balance(q query) (any, *refusal) {
	details := []any{}
	for asset, p := range q.account.Spot {
		if only := q.text("ccy"); only != "" && only != asset {
			continue
		}
		left := s.Book.Available(q.account.Account, asset)
		details = append(details, map[string]string{"ccy": asset, "cashBal": p.Total().String(), "eq": p.Total().String(), "availBal": left.String(), "availEq": left.String(),
			"frozenBal": p.Total().Sub(left).String(), "ordFrozen": p.Locked.String(), "uTime": strconv.FormatInt(q.now.UnixMilli(), 10)})
	}
	return []any{map[string]any{"totalEq": "", "adjEq": "", "details": details, "uTime": strconv.FormatInt(q.now.UnixMilli(), 10)}}, nil
}

func (s *Server) positions(q query) (any, *refusal) {
	list := []any{}
	for _, x := range s.opt.Symbols {
		if id := q.text("instId"); id != "" && id != x.id(matching.Futures) {
			continue
		}
		for side, name := range map[string]string{"": "net", matching.Long: "long", matching.Short: "short"} {
			p := q.account.Positions[matching.Held{Symbol: x.Name, Side: side}]
			if p == nil {
				continue
			}
			size, available := p.Amount.Div(dec(x.Contract)), ""
			if side != "" { // told in long/short mode alone
				size, available = size.Abs(), size.Abs().String()
			}
			list = append(list, map[string]string{"instType": "SWAP", "instId": x.id(matching.Futures), "mgnMode": "cross", "posSide": name, "pos": size.String(), "availPos": available,
				"avgPx": p.Entry.String(), "ccy": x.Quote, "lever": strconv.Itoa(s.opt.Leverage), "upl": "0", "liqPx": "", "markPx": p.Entry.String(),
				"notionalUsd": p.Amount.Abs().Mul(p.Entry).String(), "cTime": strconv.FormatInt(q.now.UnixMilli(), 10), "uTime": strconv.FormatInt(q.now.UnixMilli(), 10)})
		}
	}
	return list, nil
}

// config is how the account is set up, and what the key may do.
func (s *Server) config(q query) (any, *refusal) {
	mode, perm := "net_mode", "read_only,trade"
	if q.account.Hedge {
		mode = "long_short_mode"
	}
	if q.account.withdraw {
		perm += ",withdraw"
	}
	return []any{map[string]any{"uid": "1", "mainUid": "1", "acctLv": "2", "posMode": mode, "autoLoan": false, "greeksType": "PA", "level": "Lv1", "perm": perm, "ip": "192.0.2.1", "label": "sim"}}, nil
}
