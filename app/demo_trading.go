package app

import (
	"github.com/shopspring/decimal"

	"switchyard/configs"
)

// demoWebhookToken is what the demo's groups take. It is no secret: it stands in the
// documents that the demo is tried with.
const demoWebhookToken = "your_webhook_token"

// demoTrading are two groups with an account each, on paper.
func demoTrading(c *configs.Trading) {
	const account = 1
	c.Accounts = []configs.TradingAccount{{
		ID: account, Name: "Main Account", Exchange: "binance", Mode: "paper", Leverage: configs.DecimalOf(decimal.NewFromInt(1)),
		Paper: configs.TradingPaper{
			Prices: "deterministic", Balances: map[string]configs.Decimal{"USDT": configs.DecimalOf(decimal.NewFromInt(10_000))},
		},
	}}
	for _, name := range []string{"my_strategy", "test1"} {
		c.Groups = append(c.Groups, configs.TradingGroup{
			Name: name, Tokens: []configs.TradingToken{{Hash: configs.HashAPIKey(demoWebhookToken)}}, Accounts: []configs.TradingShare{{ID: account}},
		})
	}
}
