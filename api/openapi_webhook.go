package api

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/trading/signal"
)

// metaOwnForm marks the operation that describes its errors by itself.
const metaOwnForm = "ownForm"

// WebhookRequest is a trading alert, as the document shows it. Names and values are
// taken without regard to case; package trading/signal reads them.
type WebhookRequest struct {
	GroupName  string         `json:"group_name" doc:"The group whose accounts trade" example:"my_strategy"`
	Token      string         `json:"token" doc:"One of the group's tokens"`
	Exchange   string         `json:"exchange,omitempty" doc:"BINANCE, BYBIT or OKX; also as platform" example:"BINANCE"`
	MarketType string         `json:"market_type,omitempty" doc:"SPOT or FUTURES; also as market" example:"FUTURES"`
	Currency   string         `json:"currency,omitempty" doc:"What is paid with" example:"USDT"`
	Symbol     string         `json:"symbol,omitempty" doc:"BTCUSDT, BTC/USDT or BTCUSDT.P" example:"BTCUSDT"`
	OrderType  string         `json:"order_type" doc:"MARKET, LIMIT, STOP_LIMIT, STOP_MARKET, or CANCEL_ALL_ORDER, which needs group_name and token alone" example:"LIMIT"`
	Side       string         `json:"side,omitempty" doc:"buy, sell, long or short" example:"buy"`
	Price      any            `json:"price,omitempty" doc:"A number, or one in a string: of LIMIT and STOP_LIMIT"`
	StopPrice  any            `json:"stop_price,omitempty" doc:"A number, or one in a string: of both STOP types"`
	QtyPer     any            `json:"qty_per,omitempty" doc:"Percent, above 0 and up to 100 (the default), or -100: close what is held"`
	Orders     []WebhookOrder `json:"orders,omitempty" doc:"A batch: up to 30 orders that differ in price and quantity"`
}

// WebhookOrder is one order of a batch.
type WebhookOrder struct {
	Price     any `json:"price,omitempty"`
	StopPrice any `json:"stop_price,omitempty"`
	QtyPer    any `json:"qty_per,omitempty"`
}

// WebhookAnswer is the answer to an alert that was handled, also where orders failed.
type WebhookAnswer struct {
	Success   bool           `json:"success"`
	Message   string         `json:"message" example:"웹훅 처리 성공"`
	Duplicate bool           `json:"duplicate,omitempty" doc:"true: the alert was sent again, and this is what came of the first"`
	Result    map[string]any `json:"result" doc:"By its action (trading_signal, batch_trading_signal, cancel_all_orders): what came of the orders on each account, and a summary"`
}

// WebhookError is the answer to an alert that was refused.
type WebhookError struct {
	Success bool   `json:"success"`
	Error   string `json:"error" example:"필수 필드 누락: exchange"`
}

// describeWebhook describes the trading webhook.
func describeWebhook(r huma.Registry) []*huma.Operation {
	refusal := r.Schema(reflect.TypeFor[WebhookError](), true, "")
	responses := map[string]*huma.Response{"200": document(r, "The alert was handled, also where orders failed", reflect.TypeFor[WebhookAnswer]())}
	responses["200"].Headers = headers("Idempotency-Replayed")
	for status, example := range map[int]string{
		http.StatusBadRequest: "필수 필드 누락: exchange", http.StatusUnauthorized: signal.ErrToken.Text, http.StatusNotFound: signal.ErrGroup.Text,
		http.StatusForbidden: "Pages of other sites may not do this.", http.StatusRequestTimeout: "The request's body did not come in time.",
		http.StatusRequestEntityTooLarge: signal.ErrTooLarge.Text, http.StatusUnprocessableEntity: "이미 다른 요청에 사용된 Idempotency-Key입니다",
		http.StatusTooManyRequests: signal.ErrTooOften.Text, http.StatusServiceUnavailable: signal.ErrUnavailable.Text,
	} {
		res := &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{
			"application/json": {Schema: refusal, Example: WebhookError{Error: example}},
		}}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			res.Headers = map[string]*huma.Param{"Retry-After": {Description: "Seconds until it makes sense to try again", Schema: &huma.Schema{Type: huma.TypeInteger}}}
		}
		responses[strconv.Itoa(status)] = res
	}
	body := r.Schema(reflect.TypeFor[WebhookRequest](), true, "")
	return []*huma.Operation{{
		OperationID: "trading-webhook", Method: http.MethodPost, Path: pathWebhook, Tags: []string{tagTrading},
		Summary: "Take a trading alert",
		Description: "Each account of the group at the exchange gets a job; the answer waits for them, for trading.wait at most. What isn't finished then is QUEUED, and goes on. " +
			"Any content type is taken: TradingView sends JSON as text, too. The same bytes within trading.dedupe_window get the first answer again. " +
			"The alert speaks for itself by its token; no key is needed.",
		Parameters: []*huma.Param{
			{Name: "wait", In: "query", Description: "Seconds to wait for the orders, up to 10", Schema: &huma.Schema{Type: huma.TypeNumber, Minimum: ptr(0.0), Maximum: ptr(longestWebhookWait.Seconds())}},
			idempotencyParam(),
		},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: body}, "text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}}},
		Metadata:    map[string]any{metaScope: open, metaOwnForm: true},
		Responses:   responses,
	}}
}
