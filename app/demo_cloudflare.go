package app

import (
	"context"

	"switchyard/configs"
	simcloudflare "switchyard/sim/cloudflare"
)

// The simulated Cloudflare, which takes the place of the real one in the demo.
const (
	demoToken   = "token-of-the-demo"
	demoAccount = "023e105f4ecef8ad9ca31a8372d0c353"
)

// startCloudflare starts one with an account, and has the configuration use it.
func (d *Demo) startCloudflare(ctx context.Context, addr string, c *configs.Cloudflare) error {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	s, err := simcloudflare.Start(ctx, addr, simcloudflare.Options{Token: demoToken, Accounts: []string{demoAccount}})
	if err != nil {
		return err
	}
	d.stops = append(d.stops, s.Close)
	d.Cloudflare = s
	c.Token, c.AccountID, c.BaseURL = configs.NewSecret(demoToken), demoAccount, s.URL()
	return nil
}
