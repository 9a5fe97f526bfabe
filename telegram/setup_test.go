package telegram_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchyard/configs"
	sim "switchyard/sim/telegram"
	"switchyard/telegram"
)

// Nothing that a test starts outlives it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "110201543:made-for-this-test-4f1c"

// bundle is a bot and the Telegram that it talks to.
type bundle struct {
	ctx    context.Context
	sim    *sim.Server
	client *telegram.Client
}

func setup(t *testing.T, change ...func(*configs.Telegram)) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	s, err := sim.Start(ctx, "127.0.0.1:0", sim.Options{Token: token, Unlimited: true, Chats: []string{"1", "-2", "@operators"}})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	c := configs.Default().Telegram
	c.Token, c.BaseURL = configs.NewSecret(token), s.URL()
	for _, f := range change {
		f(&c)
	}
	b := &bundle{ctx: ctx, sim: s}
	b.client, err = telegram.New(c, "switchyard/test")
	must(t, err)
	t.Cleanup(b.client.Close)
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
