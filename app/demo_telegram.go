package app

import (
	"context"

	"switchyard/configs"
	simtelegram "switchyard/sim/telegram"
)

// The simulated Telegram, which takes the place of the real one in the demo.
const (
	demoBot = "110201543:token-of-the-demo" // good for the simulated Telegram alone
	// DemoChat is the group that may give commands in the demo.
	DemoChat = "-12345678"
)

// startTelegram starts one in which there are all chats that can be, and has the
// configuration use it.
func (d *Demo) startTelegram(ctx context.Context, addr string, c *configs.Telegram) error {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	s, err := simtelegram.Start(ctx, addr, simtelegram.Options{Token: demoBot})
	if err != nil {
		return err
	}
	d.stops = append(d.stops, s.Close)
	d.Telegram = s
	c.Token, c.BaseURL, c.Commands, c.Chats = configs.NewSecret(demoBot), s.URL(), true, []string{DemoChat}
	return nil
}
