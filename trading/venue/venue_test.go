package venue_test

import (
	"strings"
	"testing"

	"switchyard/configs"
	"switchyard/trading/exchange"
	"switchyard/trading/venue"
)

// Ensure every exchange that can be configured is opened in all its modes on both
// markets, an account once for all who ask, and anew when it is configured otherwise.
func TestOpen(t *testing.T) {
	t.Parallel()
	v := venue.New(venue.Options{})
	t.Cleanup(v.Close)
	id := 0
	for name, modes := range map[string]string{"binance": "live testnet demo paper", "bybit": "live testnet demo paper", "okx": "live demo paper"} {
		for mode := range strings.FieldsSeq(modes) {
			for _, market := range []exchange.Market{exchange.Spot, exchange.Futures} {
				id++
				a := configs.TradingAccount{ID: id, Exchange: name, Mode: mode, Key: configs.NewSecret("k"), Secret: configs.NewSecret("s")}
				first, err := v.Open(a, market)
				if err != nil {
					t.Errorf("%s %s %s: %v", name, mode, market, err)
					continue
				}
				if again, err := v.Open(a, market); err != nil || again != first {
					t.Errorf("%s %s %s: opened twice, %v", name, mode, market, err)
				}
				a.Key = configs.NewSecret("other")
				if changed, err := v.Open(a, market); err != nil || changed == first {
					t.Errorf("%s %s %s: not opened anew, %v", name, mode, market, err)
				}
			}
		}
	}
	if _, err := v.Open(configs.TradingAccount{ID: 99, Exchange: "other", Mode: "live"}, exchange.Spot); err == nil || !strings.Contains(err.Error(), "account 99") {
		t.Errorf("an exchange that there isn't: %v", err)
	}
}
