package signal_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"switchyard/trading/signal"
)

// One request through its stages, and what is answered where one of them ends it.
func Example() {
	for _, body := range []string{
		`{"group_name":"alpha","token":"t-0123456789","platform":"okx","market":"future","currency":"usdt",
		  "symbol":"BTC/USDT","orderType":"limit","side":"buy","price":"80000","qty_per":5}`,
		`{"group_name":"alpha","token":"t-0123456789","order_type":"MARKET"}`,
	} {
		s, err := stages([]byte(body))
		var refused *signal.Error
		if errors.As(err, &refused) {
			answer, _ := json.Marshal(refused)
			fmt.Printf("%d %s\n", refused.Status, answer)
			continue
		}
		fmt.Println(s.Exchange, s.Market, s.Symbol, s.Type, s.Side, s.Orders[0].Price, s.Orders[0].Percent)
	}
	// Output:
	// OKX FUTURES BTCUSDT LIMIT buy 80000 5
	// 400 {"success":false,"error":"필수 필드 누락: exchange"}
}

func stages(body []byte) (*signal.Signal, error) {
	message, err := signal.Parse(body)
	if err != nil {
		return nil, err
	}
	admitted, err := message.Admit(groups{})
	if err != nil {
		return nil, err
	}
	return admitted.Values()
}
