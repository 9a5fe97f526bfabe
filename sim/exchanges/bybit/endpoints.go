package bybit

import (
	"slices"
	"strconv"
	"strings"

	"switchyard/sim/exchanges/matching"
)

// endpoint is one call of the API.
type endpoint struct {
	signed, changes     bool
	mandatory, optional []string
	do                  func(*Server, query) (any, *refusal)
}

// endpoints by method and path.
var endpoints = map[string]endpoint{
	"GET /v5/market/time":             {do: (*Server).time},
	"GET /v5/market/instruments-info": {mandatory: []string{"category"}, optional: []string{"symbol", "limit", "cursor", "status"}, do: (*Server).instruments},
	"GET /v5/market/tickers":          {mandatory: []string{"category"}, optional: []string{"symbol"}, do: (*Server).tickers},
	"POST /v5/order/create": {signed: true, changes: true, mandatory: []string{"category", "symbol", "side", "orderType", "qty"},
		optional: []string{"price", "timeInForce", "triggerPrice", "triggerDirection", "triggerBy", "orderFilter", "marketUnit", "positionIdx", "reduceOnly", "orderLinkId"}, do: (*Server).create},
	"POST /v5/order/cancel":     {signed: true, changes: true, mandatory: []string{"category", "symbol"}, optional: []string{"orderId", "orderLinkId", "orderFilter"}, do: (*Server).cancel},
	"POST /v5/order/cancel-all": {signed: true, changes: true, mandatory: []string{"category"}, optional: []string{"symbol", "settleCoin", "orderFilter"}, do: (*Server).cancelAll},
	"GET /v5/order/realtime": {signed: true, mandatory: []string{"category"},
		optional: []string{"symbol", "settleCoin", "orderId", "orderLinkId", "orderFilter", "openOnly", "limit", "cursor"}, do: (*Server).realtime},
	"GET /v5/order/history": {signed: true, mandatory: []string{"category"},
		optional: []string{"symbol", "settleCoin", "orderId", "orderLinkId", "orderFilter", "limit", "cursor"}, do: (*Server).history},
	"GET /v5/account/wallet-balance": {signed: true, mandatory: []string{"accountType"}, optional: []string{"coin"}, do: (*Server).walletBalance},
	"GET /v5/position/list":          {signed: true, mandatory: []string{"category"}, optional: []string{"symbol", "settleCoin", "limit", "cursor"}, do: (*Server).positionList},
	"GET /v5/user/query-api":         {signed: true, do: (*Server).queryAPI},
	"GET /v5/account/info":           {signed: true, do: (*Server).accountInfo},
}

// numbers are the members that aren't text.
var numbers = map[string]bool{"triggerDirection": true, "positionIdx": true}

// check refuses members that are missing, of the wrong type or that the endpoint
// doesn't have.
func (e endpoint) check(q query) *refusal {
	for _, name := range e.mandatory {
		if q.params[name] == nil || q.params[name] == "" {
			return refuse(10001, "params error: "+name+" is missing")
		}
	}
	for name, v := range q.params {
		if !slices.Contains(e.mandatory, name) && !slices.Contains(e.optional, name) {
			return refuse(10001, "params error: unknown parameter "+name)
		}
		switch v.(type) {
		case string:
			if !e.changes || !numbers[name] && name != "reduceOnly" {
				continue
			}
		case float64:
			if numbers[name] {
				continue
			}
		case bool:
			if name == "reduceOnly" {
				continue
			}
		}
		return refuse(10001, "params error: wrong type of "+name)
	}
	if c := q.text("category"); c != "" && c != "spot" && c != "linear" {
		return refuse(10001, "params error: Category is invalid: "+c)
	}
	return nil
}

func (s *Server) time(q query) (any, *refusal) {
	return map[string]string{"timeSecond": strconv.FormatInt(q.now.Unix(), 10), "timeNano": strconv.FormatInt(q.now.UnixNano(), 10)}, nil
}

// chosen are the symbols that a request is about.
func (s *Server) chosen(q query) (out []Symbol) {
	for _, x := range s.opt.Symbols {
		if one := q.text("symbol"); one == "" || one == x.Name {
			out = append(out, x)
		}
	}
	return out
}

func (s *Server) instruments(q query) (any, *refusal) {
	list := []any{}
	for _, x := range s.chosen(q) {
		list = append(list, x.info(q.market()))
	}
	return map[string]any{"category": q.text("category"), "list": list, "nextPageCursor": ""}, nil
}

func (s *Server) tickers(q query) (any, *refusal) {
	list := []any{}
	for _, x := range s.chosen(q) {
		if p := s.Book.Price(matching.Place{Market: q.market(), Symbol: x.Name}); p.IsPositive() {
			list = append(list, map[string]string{"symbol": x.Name, "lastPrice": p.String(), "indexPrice": p.String(), "markPrice": p.String(), "bid1Price": p.String(), "ask1Price": p.String()})
		}
	}
	return map[string]any{"category": q.text("category"), "list": list}, nil
}

// walletBalance is that of a unified account: one wallet for everything. Only
// stablecoins count as collateral here.
func (s *Server) walletBalance(q query) (any, *refusal) {
	if q.text("accountType") != "UNIFIED" {
		return nil, refuse(10001, "accountType only support UNIFIED.")
	}
	a := q.account
	coins, available, total := []any{}, dec("0"), dec("0")
	for asset, p := range a.Spot {
		if asset == "USDT" || asset == "USDC" {
			available, total = available.Add(s.Book.Available(a.Account, asset)), total.Add(p.Total())
		}
		if only := q.text("coin"); only != "" && !strings.Contains(","+only+",", ","+asset+",") {
			continue
		}
		margin := p.Free.Sub(s.Book.Available(a.Account, asset))
		coins = append(coins, map[string]any{"coin": asset, "equity": p.Total().String(), "walletBalance": p.Total().String(), "locked": p.Locked.String(), "spotBorrow": "0",
			"borrowAmount": "0", "totalOrderIM": "0", "totalPositionIM": margin.String(), "availableToWithdraw": "", "usdValue": p.Total().String(), "unrealisedPnl": "0", "cumRealisedPnl": "0",
			"accruedInterest": "0", "bonus": "0", "marginCollateral": true, "collateralSwitch": asset == "USDT"})
	}
	return map[string]any{"list": []any{map[string]any{"accountType": "UNIFIED", "totalEquity": total.String(), "totalWalletBalance": total.String(), "totalMarginBalance": total.String(),
		"totalAvailableBalance": available.String(), "totalInitialMargin": total.Sub(available).String(), "totalMaintenanceMargin": "0", "totalPerpUPL": "0", "accountIMRate": "0",
		"accountMMRate": "0", "accountLTV": "0", "coin": coins}}}, nil
}

// positionList has an entry for a symbol that is asked for, held or not.
func (s *Server) positionList(q query) (any, *refusal) {
	if q.market() == matching.Spot {
		return nil, refuse(10001, "params error: Category is invalid: spot")
	}
	if q.text("symbol") == "" && q.text("settleCoin") == "" {
		return nil, refuse(10001, "Missing some parameters that must be filled in, symbol or settleCoin")
	}
	sides := []string{""}
	if q.account.Hedge {
		sides = []string{matching.Long, matching.Short}
	}
	list := []any{}
	for _, x := range s.chosen(q) {
		for i, side := range sides {
			d := map[string]any{"positionIdx": i, "symbol": x.Name, "side": "", "size": "0", "avgPrice": "0", "positionValue": "0", "leverage": strconv.Itoa(s.opt.Leverage), "tradeMode": 0,
				"markPrice": s.Book.Price(matching.Place{Market: matching.Futures, Symbol: x.Name}).String(), "liqPrice": "", "positionIM": "0", "positionMM": "0", "positionStatus": "Normal",
				"unrealisedPnl": "0", "cumRealisedPnl": "0", "curRealisedPnl": "0", "createdTime": "1676538056258", "updatedTime": strconv.FormatInt(q.now.UnixMilli(), 10)}
			if q.account.Hedge {
				d["positionIdx"] = i + 1
			}
			p := q.account.Positions[matching.Held{Symbol: x.Name, Side: side}]
			if p == nil && q.text("symbol") == "" {
				continue
			}
			if p != nil {
				d["side"], d["size"], d["avgPrice"], d["positionValue"] = "Buy", p.Amount.Abs().String(), p.Entry.String(), p.Amount.Abs().Mul(p.Entry).String()
				if p.Amount.IsNegative() {
					d["side"] = "Sell"
				}
			}
			list = append(list, d)
		}
	}
	return map[string]any{"category": "linear", "list": list, "nextPageCursor": ""}, nil
}

// queryAPI is what the key may do.
func (s *Server) queryAPI(q query) (any, *refusal) {
	wallet := []string{"AccountTransfer"}
	if q.account.withdraw {
		wallet = append(wallet, "Withdraw")
	}
	return map[string]any{"id": "1", "note": "sim", "apiKey": q.account.Name, "readOnly": 0, "secret": "", "type": 1, "ips": []string{"192.0.2.1"}, "uta": 1, "userID": 1,
		"deadlineDay": -1, "expiredAt": "1970-01-01T00:00:00Z", "createdAt": "2026-01-01T00:00:00Z", "unified": 0, "isMaster": true, "permissions": map[string]any{
			"ContractTrade": []string{"Order", "Position"}, "Spot": []string{"SpotTrade"}, "Wallet": wallet, "Options": []string{}, "Derivatives": []string{"DerivativesTrade"}}}, nil
}

func (s *Server) accountInfo(query) (any, *refusal) {
	return map[string]any{"marginMode": "REGULAR_MARGIN", "updatedTime": "1697078946000", "unifiedMarginStatus": 6, "dcpStatus": "OFF", "timeWindow": 10, "smpGroup": 0,
		"isMasterTrader": false, "spotHedgingStatus": "OFF"}, nil
}
