package signal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchyard/trading/signal"
)

const token = "t-0123456789"

// groups is a Groups of two, both with the same token.
type groups struct{}

func (groups) Active(group string) bool           { return group == "alpha" || group == "beta" }
func (groups) Accepts(group, offered string) bool { return group != "" && offered == token }

// read takes a body through all stages.
func read(body string) (*signal.Signal, error) { return stages([]byte(body)) }

// limit is a request in order, which a test changes: a nil takes a field out.
func limit(changes map[string]any) string {
	request := map[string]any{
		"group_name": "alpha", "token": token, "exchange": "BINANCE", "market_type": "FUTURES", "currency": "USDT",
		"symbol": "ETHUSDT", "order_type": "LIMIT", "side": "buy", "price": 3200, "qty_per": 6,
	}
	for name, value := range changes {
		if value == nil {
			delete(request, name)
		} else {
			request[name] = value
		}
	}
	b, err := json.Marshal(request)
	if err != nil {
		panic(err)
	}
	return string(b)
}

type with = map[string]any

// Ensure every request that the guide shows becomes the signal that it means,
// to the digit.
func TestGuidesExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.request.json")
	if err != nil || len(files) != 12 {
		t.Fatalf("examples: %v, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".request.json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join("testdata", name+".signal.json"))
			if err != nil {
				t.Fatal(err)
			}
			s, err := read(string(body))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(s, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(indented(t, want), indented(t, got)); diff != "" {
				t.Errorf("signal (-want +got):\n%s", diff)
			}
			// A task carries it to the worker as JSON.
			var back signal.Signal
			if err := json.Unmarshal(got, &back); err != nil {
				t.Fatal(err)
			}
			again, err := json.MarshalIndent(back, "", "  ")
			if err != nil || !bytes.Equal(again, got) {
				t.Errorf("read back (%v):\n%s", err, again)
			}
		})
	}
}

// indented orders the members, so that a golden file may have them in any order.
func indented(t *testing.T, b []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// Ensure spellings of names and values that clients use come to the same signal.
func TestSpellings(t *testing.T) {
	t.Parallel()
	want, err := read(limit(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		limit(with{"exchange": nil, "platform": "binance"}),
		limit(with{"exchange": nil, "PLATFORM": " Binance "}),
		limit(with{"platform": "BINANCE"}), // Twice the same.
		limit(with{"order_type": nil, "orderType": "limit"}),
		limit(with{"order_type": nil, "ordertype": "Limit"}),
		limit(with{"market_type": nil, "market": "future"}),
		limit(with{"market_type": "FUTURE"}),
		limit(with{"symbol": "ETH/USDT"}),
		limit(with{"symbol": "eth-usdt"}),
		limit(with{"symbol": "ETHUSDT.P"}),
		limit(with{"symbol": "ethusdt.p"}),
		limit(with{"currency": "usdt"}),
		limit(with{"side": "BUY"}),
		limit(with{"price": "3200", "qty_per": "6"}),
		limit(with{"price": " 3200.00 ", "qty_per": "6.0"}),
		limit(with{"price": json.Number("3.2e3"), "qty_per": json.Number("0.6E+1")}),
		limit(with{"qty_per": nil, "qtyPer": 6}),
		limit(with{"group_name": nil, "groupName": "alpha", "token": nil, "Token": token}),
		limit(with{"stop_price": "NaN"}), // A LIMIT has none.
		limit(with{"orders": json.RawMessage("null")}),
		"\uFEFF" + limit(nil),
		" \r\n\t" + limit(nil) + "\n\n",
		strings.ToUpper(limit(with{"group_name": nil, "token": nil}))[:1] + `"GROUP_NAME":"alpha","TOKEN":"` + token + `",` + limit(with{"group_name": nil, "token": nil})[1:],
	} {
		got, err := read(body)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if a, b := text(t, want), text(t, got); a != b {
			t.Errorf("%s\n got %s\nwant %s", body, b, a)
		}
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Ensure a refusal has the status and the words that clients know.
func TestRefusals(t *testing.T) {
	t.Parallel()
	batch := func(orders string) string {
		return limit(with{"orders": json.RawMessage(orders), "price": nil, "qty_per": nil})
	}
	stop := func(changes with) string {
		all := with{"order_type": "STOP_LIMIT", "stop_price": 3100}
		for k, v := range changes {
			all[k] = v
		}
		return limit(all)
	}
	order := `{"price":1},`
	const notJSON = "요청 본문이 올바른 JSON 객체가 아닙니다"
	for _, tt := range []struct {
		name, body string
		status     int
		text       string
	}{
		{"nothing", "", 400, notJSON},
		{"text", "buy BTC", 400, notJSON},
		{"list", "[" + limit(nil) + "]", 400, notJSON},
		{"null", "null", 400, notJSON},
		{"cut", limit(nil)[:40], 400, notJSON},
		{"trailing garbage", limit(nil) + "x", 400, notJSON},
		{"two objects", limit(nil) + limit(nil), 400, notJSON},
		{"bare NaN", strings.Replace(limit(nil), "3200", "NaN", 1), 400, notJSON},
		{"comma at the end", strings.Replace(limit(nil), "}", ",}", 1), 400, notJSON},
		{"no UTF-8", strings.Replace(limit(nil), "buy", "b\xff", 1), 400, notJSON},
		{"two marks", "\uFEFF\uFEFF" + limit(nil), 400, notJSON},
		{"deep", strings.Replace(limit(nil), "3200", strings.Repeat("[", 20000)+strings.Repeat("]", 20000), 1), 400, notJSON},

		{"twice", strings.Replace(limit(nil), "{", `{"side":"sell",`, 1), 400, "서로 다른 값이 두 번 지정되었습니다: side"},
		{"twice by an alias", limit(with{"platform": "OKX"}), 400, "서로 다른 값이 두 번 지정되었습니다: exchange"},
		{"twice in an order", batch(`[{"price":1,"price":2}]`), 400, "서로 다른 값이 두 번 지정되었습니다: orders[0].price"},

		{"missing group", limit(with{"group_name": nil, "token": nil, "side": nil}), 400, "필수 필드 누락: group_name"},
		{"missing token", limit(with{"token": nil, "side": nil}), 400, "필수 필드 누락: token"},
		{"missing exchange", limit(with{"exchange": nil, "order_type": nil, "group_name": "nobody"}), 400, "필수 필드 누락: exchange"},
		{"missing market", limit(with{"market_type": nil, "currency": nil}), 400, "필수 필드 누락: market_type"},
		{"missing currency", limit(with{"currency": nil, "symbol": nil}), 400, "필수 필드 누락: currency"},
		{"missing symbol", limit(with{"symbol": nil, "order_type": nil}), 400, "필수 필드 누락: symbol"},
		{"missing type", limit(with{"order_type": nil, "side": nil}), 400, "필수 필드 누락: order_type"},
		{"missing side", limit(with{"side": nil, "price": nil}), 400, "필수 필드 누락: side"},
		{"empty", limit(with{"side": " "}), 400, "필수 필드 누락: side"},
		{"null member", limit(with{"side": json.RawMessage("null")}), 400, "필수 필드 누락: side"},
		{"missing price", limit(with{"price": nil}), 400, "필수 필드 누락: price"},
		{"missing price of a stop", stop(with{"price": nil, "stop_price": nil}), 400, "필수 필드 누락: price"},
		{"missing stop", stop(with{"stop_price": nil}), 400, "필수 필드 누락: stop_price"},
		{"missing stop of a market", stop(with{"order_type": "STOP_MARKET", "price": nil, "stop_price": nil}), 400, "필수 필드 누락: stop_price"},
		{"missing orders", batch("[ ]"), 400, "필수 필드 누락: orders"},
		{"missing price in a batch", batch(`[{"price":1},{"qty_per":3}]`), 400, "필수 필드 누락: orders[1].price"},
		{"no common price", limit(with{"orders": json.RawMessage(`[{"qty_per":3}]`)}), 400, "필수 필드 누락: orders[0].price"},
		{"missing stop in a batch", stop(with{"stop_price": nil, "orders": json.RawMessage(`[{"price":1}]`)}), 400, "필수 필드 누락: orders[0].stop_price"},
		{"cancel without a token", `{"group_name":"alpha","order_type":"CANCEL_ALL_ORDER"}`, 400, "필수 필드 누락: token"},

		{"unknown group", limit(with{"group_name": "nobody", "token": "wrong", "side": "x"}), 404, "활성 전략을 찾을 수 없습니다"},
		{"group of another case", limit(with{"group_name": "ALPHA"}), 404, "활성 전략을 찾을 수 없습니다"},
		{"wrong token", limit(with{"token": "wrong", "side": "x"}), 401, "웹훅 토큰이 유효하지 않습니다"},
		{"token with a space", limit(with{"token": token + " "}), 401, "웹훅 토큰이 유효하지 않습니다"},
		{"token as a list", limit(with{"token": []string{token}}), 401, "웹훅 토큰이 유효하지 않습니다"},

		{"exchange", limit(with{"exchange": "KRAKEN", "side": "x"}), 400, "지원하지 않는 값: exchange=KRAKEN"},
		{"market", limit(with{"market_type": "OPTION"}), 400, "지원하지 않는 값: market_type=OPTION"},
		{"currency", limit(with{"currency": "US$"}), 400, "지원하지 않는 값: currency=US$"},
		{"symbol", limit(with{"symbol": "BINANCE:ETHUSDT"}), 400, "지원하지 않는 값: symbol=BINANCE:ETHUSDT"},
		{"symbol of another currency", limit(with{"currency": "BUSD"}), 400, "지원하지 않는 값: symbol=ETHUSDT (currency=BUSD)"},
		{"symbol split elsewhere", limit(with{"symbol": "ETHU/SDT"}), 400, "지원하지 않는 값: symbol=ETHU/SDT (currency=USDT)"},
		{"symbol without a coin", limit(with{"symbol": "USDT"}), 400, "지원하지 않는 값: symbol=USDT (currency=USDT)"},
		{"symbol with a path", limit(with{"symbol": "../ETHUSDT"}), 400, "지원하지 않는 값: symbol=../ETHUSDT"},
		{"type", limit(with{"order_type": "ICEBERG"}), 400, "지원하지 않는 값: order_type=ICEBERG"},
		{"side", limit(with{"side": "x"}), 400, "지원하지 않는 값: side=x"},
		{"side in other letters", limit(with{"side": "ſell"}), 400, "지원하지 않는 값: side=ſell"},
		{"exchange with the Kelvin sign", limit(with{"exchange": "O\u212AX"}), 400, "지원하지 않는 값: exchange=O\u212AX"},
		{"side as an object", limit(with{"side": with{"a": 1}}), 400, `지원하지 않는 값: side={"a":1}`},
		{"spot short", limit(with{"market_type": "SPOT", "side": "short"}), 400, "지원하지 않는 값: side=short"},
		{"long value", limit(with{"side": strings.Repeat("가", 900)}), 400, "지원하지 않는 값: side=" + strings.Repeat("가", 59) + "…"},

		{"price zero", limit(with{"price": 0}), 400, "지원하지 않는 값: price=0"},
		{"price below zero", limit(with{"price": -1}), 400, "지원하지 않는 값: price=-1"},
		{"price NaN", limit(with{"price": "NaN"}), 400, "지원하지 않는 값: price=NaN"},
		{"price infinite", limit(with{"price": "Infinity"}), 400, "지원하지 않는 값: price=Infinity"},
		{"price with commas", limit(with{"price": "3,200"}), 400, "지원하지 않는 값: price=3,200"},
		{"price hexadecimal", limit(with{"price": "0x10"}), 400, "지원하지 않는 값: price=0x10"},
		{"price in other digits", limit(with{"price": "３２００"}), 400, "지원하지 않는 값: price=３２００"},
		{"price true", limit(with{"price": true}), 400, "지원하지 않는 값: price=true"},
		{"price huge", limit(with{"price": json.RawMessage("1e999999999")}), 400, "지원하지 않는 값: price=1e999999999"},
		{"price tiny", limit(with{"price": json.RawMessage("1e-999999999")}), 400, "지원하지 않는 값: price=1e-999999999"},
		{"price of many decimals", limit(with{"price": json.RawMessage("1e-31")}), 400, "지원하지 않는 값: price=1e-31"},
		{"price large", limit(with{"price": json.RawMessage("1e30")}), 400, "지원하지 않는 값: price=1e30"},
		{"price beyond 32 bits", limit(with{"price": json.RawMessage("1e99999999999")}), 400, "지원하지 않는 값: price=1e99999999999"},
		{"price of many digits", limit(with{"price": strings.Repeat("9", 31)}), 400, "지원하지 않는 값: price=" + strings.Repeat("9", 31)},
		{"stop", stop(with{"stop_price": "x"}), 400, "지원하지 않는 값: stop_price=x"},
		{"percent zero", limit(with{"qty_per": 0}), 400, "지원하지 않는 값: qty_per=0"},
		{"percent above", limit(with{"qty_per": json.RawMessage("100.0000000001")}), 400, "지원하지 않는 값: qty_per=100.0000000001"},
		{"percent below", limit(with{"qty_per": -50}), 400, "지원하지 않는 값: qty_per=-50"},

		{"orders", batch("5"), 400, "지원하지 않는 값: orders=5"},
		{"orders as an object", batch(`{"price":1}`), 400, `지원하지 않는 값: orders={"price":1}`},
		{"order", batch(`[{"price":1},7]`), 400, "지원하지 않는 값: orders[1]=7"},
		{"order's percent", batch(`[{"price":1,"qty_per":101}]`), 400, "지원하지 않는 값: orders[0].qty_per=101"},
		{"common percent", limit(with{"qty_per": 101, "orders": json.RawMessage(`[{"price":1}]`)}), 400, "지원하지 않는 값: qty_per=101"},
		{"order's side", batch(`[{"price":1,"side":"sell"}]`), 400, "지원하지 않는 값: orders[0].side=sell"},
		{"order's symbol", batch(`[{"price":1,"symbol":"BTCUSDT"}]`), 400, "지원하지 않는 값: orders[0].symbol=BTCUSDT"},
		{"order's token", batch(`[{"price":1,"token":"` + token + `"}]`), 400, "지원하지 않는 값: orders[0].token=***"},
		{"order's orders", batch(`[{"price":1,"orders":[1]}]`), 400, "지원하지 않는 값: orders[0].orders=[1]"},
		{"31 orders", batch("[" + strings.Repeat(order, 30) + `{"price":"x"}]`), 400, "주문은 최대 30개입니다"},
		{"31 orders and a price", batch("[" + strings.Repeat(order, 30) + `{}]`), 400, "필수 필드 누락: orders[30].price"},
		{"many orders", batch("[" + strings.Repeat(order, 300) + `{}]`), 400, "주문은 최대 30개입니다"},
		{"31 orders and a side", limit(with{"side": "x", "orders": json.RawMessage("[" + strings.Repeat(order, 30) + `{"price":1}]`)}), 400, "지원하지 않는 값: side=x"},

		{"cancel at", `{"group_name":"alpha","token":"` + token + `","order_type":"CANCEL_ALL_ORDER","exchange":"x"}`, 400, "지원하지 않는 값: exchange=x"},
		{"cancel market", `{"group_name":"alpha","token":"` + token + `","order_type":"CANCEL_ALL_ORDER","market":"x"}`, 400, "지원하지 않는 값: market_type=x"},
		{"cancel symbol", `{"group_name":"alpha","token":"` + token + `","order_type":"CANCEL_ALL_ORDER","symbol":"*"}`, 400, "지원하지 않는 값: symbol=*"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := read(tt.body)
			var refused *signal.Error
			if !errors.As(err, &refused) {
				t.Fatalf("%+v, %v", s, err)
			}
			if refused.Status != tt.status || refused.Text != tt.text {
				t.Errorf("%d %s, want %d %s", refused.Status, refused.Text, tt.status, tt.text)
			}
			if s != nil {
				t.Errorf("there is a signal beside the error: %+v", s)
			}
		})
	}
}

// Ensure what no field is at fault for can be told apart by its value.
func TestKnownErrors(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{
		"x":                                 signal.ErrJSON,
		limit(with{"group_name": "nobody"}): signal.ErrGroup,
		limit(with{"token": "wrong"}):       signal.ErrToken,
		limit(with{"order_type": "MARKET", "orders": make([]struct{}, 31)}): signal.ErrTooManyOrders,
	} {
		if _, err := read(body); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", body, err, want)
		}
	}
	for e, want := range map[*signal.Error]int{signal.ErrTooLarge: 413, signal.ErrTooOften: 429, signal.ErrUnavailable: 503} {
		if got := text(t, e); e.Status != want || !strings.HasPrefix(got, `{"success":false,"error":"`) {
			t.Errorf("%d %s", e.Status, got)
		}
	}
	var missed *signal.Error
	if _, err := read(limit(with{"side": nil})); !errors.As(err, &missed) || missed.Field != "side" {
		t.Errorf("field of %v", err)
	}
	if e := signal.ErrNoAccounts; e.Status != 400 || e.Error() != "전략에 연결된 계좌가 없습니다" {
		t.Errorf("%d %s", e.Status, e)
	}
}

// Ensure what a batch leaves out comes from the common fields, or from the
// guide's default, and that its order is kept.
func TestBatch(t *testing.T) {
	t.Parallel()
	s, err := read(limit(with{
		"order_type": "stop_limit", "stop_price": "3100", "qty_per": nil,
		"orders": json.RawMessage(`[{"price":1.10},{"PRICE":"2","stopPrice":2.5,"qtyPer":"1.5","symbol":"ethusdt"}]`),
	}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"order_index":0,"price":"1.1","stop_price":"3100","qty_per":"100"},` +
		`{"order_index":1,"price":"2","stop_price":"2.5","qty_per":"1.5"}]`
	if got := text(t, s.Orders); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	s, err = read(limit(with{"qty_per": 7, "orders": json.RawMessage(`[{"price":1},{"price":2,"qty_per":3}]`)}))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Orders[0].Percent.String() + " " + s.Orders[1].Percent.String(); got != "7 3" {
		t.Errorf("percentages %s, want 7 3", got)
	}
	s, err = read(limit(with{"price": nil, "order_type": "MARKET", "orders": json.RawMessage("[" + strings.Repeat(`{"qty_per":1},`, 29) + "{}]")}))
	if err != nil || len(s.Orders) != 30 || s.Orders[29].Index != 29 {
		t.Errorf("30 orders: %+v, %v", s, err)
	}
}

// Ensure a request without a quantity means all of it, and -100 in any spelling
// closes.
func TestQuantities(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"": "100", `""`: "100", "null": "100", "100": "100", `"100.0"`: "100", "1e2": "100", "0.00001": "0.00001", "-100": "-100", `"-1e2"`: "-100",
	} {
		change := with{"qty_per": json.RawMessage(given)}
		if given == "" {
			change = with{"qty_per": nil}
		}
		s, err := read(limit(change))
		if err != nil {
			t.Errorf("%s: %v", given, err)
			continue
		}
		if got := s.Orders[0].Percent.String(); got != want || s.Orders[0].Closes() != (want == "-100") {
			t.Errorf("%s: %s, closes %t", given, got, s.Orders[0].Closes())
		}
	}
}

// Ensure a price keeps every digit that was sent; a float64 would have lost some.
func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	const price = "12345678901234567.123456789"
	for _, given := range []string{price, `"` + price + `"`} {
		s, err := read(limit(with{"price": json.RawMessage(given)}))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Orders[0].Price.String(); got != price {
			t.Errorf("%s, want %s", got, price)
		}
	}
}

// Ensure sides keep the meaning that the mode of the account decides on, and that
// the spot market knows no positions.
func TestSides(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		market, side string
		want         signal.Side
		buys         bool
	}{
		{"FUTURES", "long", signal.Long, true},
		{"FUTURES", "short", signal.Short, false},
		{"FUTURES", "buy", signal.Buy, true},
		{"FUTURES", "sell", signal.Sell, false},
		{"SPOT", "LONG", signal.Buy, true},
		{"SPOT", "sell", signal.Sell, false},
	} {
		s, err := read(limit(with{"market_type": tt.market, "side": tt.side}))
		if err != nil || s.Side != tt.want || s.Side.Buys() != tt.buys {
			t.Errorf("%s %s: %+v, %v", tt.market, tt.side, s, err)
		}
	}
}

// Ensure a cancellation reads its three filters, and nothing of the order that a
// client may have left in its template.
func TestCancelFilters(t *testing.T) {
	t.Parallel()
	s, err := read(limit(with{
		"order_type": "cancel_all_order", "exchange": "okx", "market_type": nil, "market": "future", "symbol": "eth/usdt",
		"side": "nonsense", "price": "NaN", "qty_per": 900, "orders": 5, "currency": "",
	}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"group_name":"alpha","action":"cancel_all_orders","exchange":"OKX","market_type":"FUTURES","symbol":"ETHUSDT"}`
	if got := text(t, s); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if s.Exchange.Lower() != "okx" {
		t.Errorf("answers show %q", s.Exchange.Lower())
	}
}

// Ensure fields that nobody knows change nothing and are named.
func TestUnknownFieldsAreNamed(t *testing.T) {
	t.Parallel()
	s, err := read(limit(with{"qty_percent": 5}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"qty_percent"}, s.Ignored); diff != "" {
		t.Errorf("ignored (-want +got):\n%s", diff)
	}
}

// Ensure no stage of a request prints its token, wherever it stood.
func TestTokensAreNotPrinted(t *testing.T) {
	t.Parallel()
	body := `{"Token":"` + token + `","notes":[{"access-token":"` + token + `"}],"a":{"b":{"c":{"d":{"e":"` + token + `"}}}},` +
		limit(with{"token": nil})[1:]
	m, err := signal.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	a, err := m.Admit(groups{})
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		fmt.Sprintf("%v %+v %#v", m, m, m), fmt.Sprintf("%v %+v %#v", *a, a, a), text(t, m), text(t, a),
	} {
		if strings.Contains(printed, token) {
			t.Errorf("the token is in %s", printed)
		}
	}
	if m.Group() != "alpha" {
		t.Errorf("group %q", m.Group())
	}
}

// Ensure the record of a request, accepted or not, shows no token, and all else as
// it came.
func TestMask(t *testing.T) {
	t.Parallel()
	const other = `"exchange":"x","price":1.50,"price":"2"`
	for body, want := range map[string]string{
		`{"token":"` + token + `",` + other + `}`:                                `{"token":"***",` + other + `}`,
		"\uFEFF { \"TOKEN\" : 7, \"a\" : [ 1, {\"apiKey\": [1]} ] }":             `{"TOKEN":"***","a":[1,{"apiKey":"***"}]}`,
		`{"token":"` + token + `","side":"` + token + `","say ` + token + `":1}`: `{"token":"***","side":"***","say ***":1}`,
		`{"token":"a","token":"b","side":"a"}`:                                   `{"token":"***","token":"***","side":"a"}`,
		`{"token":12345678,"price":123456789}`:                                   `"***"`,
		`{"token":"buy","side":"buy"}`:                                           `{"token":"***","side":"buy"}`,
		`{"a":{"b":{"c":{"d":{"token":"` + token + `"}}}}}`:                      `{"a":{"b":{"c":{"d":"***"}}}}`,
		`{"a":[[[[["x"]]]]],"b":{},"c":[]}`:                                      `{"a":[[["***"]]],"b":{},"c":[]}`,
		`{"token":"` + token + `"`:                                               "",
		"":                                                                       "", "null": "", `["` + token + `"]`: "",
	} {
		if got := string(signal.Mask([]byte(body))); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
}

// Ensure whatever arrives is refused with words or read into a signal that keeps
// the promises of its fields, and its masked form is JSON.
func FuzzBody(f *testing.F) {
	files, err := filepath.Glob("testdata/*.request.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{"\uFEFF{}", "{", "[]", `{"a":[{"token":1}],"side":{"b":[]}}`, limit(with{"price": json.RawMessage("1e-29")})} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if masked := signal.Mask(body); masked != nil && !json.Valid(masked) {
			t.Errorf("masked: %s", masked)
		}
		s, err := read(string(body))
		if err != nil {
			var refused *signal.Error
			if !errors.As(err, &refused) || refused.Text == "" || refused.Status < 400 || refused.Status > 404 || s != nil {
				t.Fatalf("%v beside %+v", err, s)
			}
			return
		}
		if s.Action == signal.Cancel {
			if len(s.Orders) > 0 {
				t.Errorf("a cancellation with orders: %+v", s)
			}
			return
		}
		if len(s.Orders) < 1 || len(s.Orders) > signal.MaxOrders || s.Base+s.Currency != s.Symbol || s.Base == "" {
			t.Errorf("%+v", s)
		}
		for i, o := range s.Orders {
			if o.Index != i || o.Price.IsPositive() != s.Type.HasPrice() || o.StopPrice.IsPositive() != s.Type.HasStop() {
				t.Errorf("%s: %+v", s.Type, o)
			}
			if p := o.Percent.InexactFloat64(); (p < 0 || p > 100) && !o.Closes() {
				t.Errorf("percent %v", o.Percent)
			}
		}
	})
}
