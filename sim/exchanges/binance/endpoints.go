package binance

import (
	"fmt"
	"net/http"
	"slices"

	"switchyard/sim/exchanges/matching"
)

// endpoint is one call of the API.
type endpoint struct {
	signed bool
	// order: it counts against the limit of orders.
	order bool
	// weight, and what it is without a symbol, where that differs.
	weight, whole       int
	mandatory, optional []string
	do                  func(*Server, query) (any, *refusal)
}

// endpoints by method and path.
var endpoints = map[string]endpoint{
	"GET /api/v3/time":                     {weight: 1, do: (*Server).time},
	"GET /api/v3/exchangeInfo":             {weight: 20, optional: []string{"symbol"}, do: (*Server).info},
	"GET /api/v3/ticker/price":             {weight: 2, mandatory: []string{"symbol"}, do: (*Server).price},
	"POST /api/v3/order":                   {signed: true, order: true, weight: 1, mandatory: []string{"symbol", "side", "type"}, optional: []string{"timeInForce", "quantity", "price", "stopPrice", "newClientOrderId", "newOrderRespType"}, do: (*Server).newSpotOrder},
	"GET /api/v3/order":                    {signed: true, weight: 4, mandatory: []string{"symbol"}, optional: []string{"orderId", "origClientOrderId"}, do: (*Server).queryOrder},
	"DELETE /api/v3/order":                 {signed: true, weight: 1, mandatory: []string{"symbol"}, optional: []string{"orderId", "origClientOrderId", "newClientOrderId"}, do: (*Server).cancelOrder},
	"GET /api/v3/openOrders":               {signed: true, weight: 6, whole: 80, optional: []string{"symbol"}, do: (*Server).openOrders},
	"DELETE /api/v3/openOrders":            {signed: true, weight: 1, mandatory: []string{"symbol"}, do: (*Server).cancelAllSpot},
	"GET /api/v3/account":                  {signed: true, weight: 20, optional: []string{"omitZeroBalances"}, do: (*Server).spotAccount},
	"GET /sapi/v1/account/apiRestrictions": {signed: true, weight: 1, do: (*Server).restrictions},
	"GET /fapi/v1/time":                    {weight: 1, do: (*Server).time},
	"GET /fapi/v1/exchangeInfo":            {weight: 1, do: (*Server).info},
	"GET /fapi/v1/ticker/price":            {weight: 1, mandatory: []string{"symbol"}, do: (*Server).price},
	"POST /fapi/v1/order":                  {signed: true, order: true, mandatory: []string{"symbol", "side", "type"}, optional: []string{"timeInForce", "quantity", "price", "stopPrice", "reduceOnly", "positionSide", "newClientOrderId", "newOrderRespType"}, do: (*Server).newFuturesOrder},
	"GET /fapi/v1/order":                   {signed: true, weight: 1, mandatory: []string{"symbol"}, optional: []string{"orderId", "origClientOrderId"}, do: (*Server).queryOrder},
	"DELETE /fapi/v1/order":                {signed: true, weight: 1, mandatory: []string{"symbol"}, optional: []string{"orderId", "origClientOrderId"}, do: (*Server).cancelOrder},
	"GET /fapi/v1/openOrders":              {signed: true, weight: 1, whole: 40, optional: []string{"symbol"}, do: (*Server).openOrders},
	"DELETE /fapi/v1/allOpenOrders": {signed: true, weight: 1, mandatory: []string{"symbol"}, do: func(s *Server, q query) (any, *refusal) {
		return s.cancelAllFutures(q, false)
	}},
	"POST /fapi/v1/algoOrder":     {signed: true, order: true, mandatory: []string{"algoType", "symbol", "side", "type"}, optional: []string{"timeInForce", "quantity", "price", "triggerPrice", "reduceOnly", "positionSide", "clientAlgoId", "newOrderRespType", "workingType"}, do: (*Server).newAlgoOrder},
	"GET /fapi/v1/algoOrder":      {signed: true, weight: 1, optional: []string{"algoId", "clientAlgoId"}, do: (*Server).queryAlgo},
	"DELETE /fapi/v1/algoOrder":   {signed: true, weight: 1, optional: []string{"algoId", "clientAlgoId"}, do: (*Server).cancelAlgo},
	"GET /fapi/v1/openAlgoOrders": {signed: true, weight: 1, whole: 40, optional: []string{"symbol", "algoType"}, do: (*Server).openAlgos},
	"DELETE /fapi/v1/algoOpenOrders": {signed: true, weight: 1, mandatory: []string{"symbol"}, do: func(s *Server, q query) (any, *refusal) {
		return s.cancelAllFutures(q, true)
	}},
	"GET /fapi/v3/balance":           {signed: true, weight: 5, do: (*Server).futuresBalance},
	"GET /fapi/v3/account":           {signed: true, weight: 5, do: (*Server).futuresAccount},
	"GET /fapi/v3/positionRisk":      {signed: true, weight: 5, optional: []string{"symbol"}, do: (*Server).positionRisk},
	"GET /fapi/v1/positionSide/dual": {signed: true, weight: 30, do: (*Server).positionMode},
}

// check refuses parameters that are missing or that the endpoint doesn't have.
func (e endpoint) check(p map[string]string) *refusal {
	for _, name := range e.mandatory {
		if p[name] == "" {
			return missing(name)
		}
	}
	known := slices.Concat(e.mandatory, e.optional)
	if e.signed {
		known = append(known, "recvWindow", "timestamp", "signature")
	}
	read := 0
	for name := range p {
		if slices.Contains(known, name) {
			read++
		}
	}
	if read < len(p) {
		return refuse(-1104, fmt.Sprintf("Not all sent parameters were read; read '%d' parameter(s) but was sent '%d'.", read, len(p)))
	}
	return nil
}

func missing(name string) *refusal {
	return refuse(-1102, "Mandatory parameter '"+name+"' was not sent, was empty/null, or malformed.")
}

func (s *Server) time(q query) (any, *refusal) {
	return map[string]int64{"serverTime": q.now.UnixMilli()}, nil
}

func (s *Server) info(q query) (any, *refusal) {
	list := []any{}
	for _, x := range s.opt.Symbols {
		if one := q.params["symbol"]; one == "" || one == x.Name {
			list = append(list, x.info(q.market))
		}
	}
	return map[string]any{"timezone": "UTC", "serverTime": q.now.UnixMilli(), "rateLimits": []any{}, "exchangeFilters": []any{}, "symbols": list}, nil
}

func (s *Server) price(q query) (any, *refusal) {
	p := s.Book.Price(matching.Place{Market: q.market, Symbol: q.params["symbol"]})
	if !p.IsPositive() {
		return nil, &refusal{http.StatusInternalServerError, -1000, "no price was set"}
	}
	out := map[string]any{"symbol": q.params["symbol"], "price": p.StringFixed(8)}
	if q.market == Futures {
		out["price"], out["time"] = p.StringFixed(2), q.now.UnixMilli()
	}
	return out, nil
}
