package worker_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/configs"
	"switchyard/limits"
	"switchyard/sim/redisserver"
	simtelegram "switchyard/sim/telegram"
	"switchyard/telegram"
	"switchyard/worker"
)

// Ensure 500 messages to 20 chats and 2 groups keep all three limits, as a Telegram
// that counts strictly sees them, and that none is lost: each chat's messages one
// after the other, the chats beside each other, by two limiters as of two processes.
// The clock is turned on to the next moment at which somebody may ask again, so that
// the minutes that this takes pass at once.
func TestTelegram_burst(t *testing.T) {
	t.Parallel()
	// 22 in turn to each chat take 21 s; 30 to a group more than a minute, in which
	// it gets 20.
	burst(t, 500, 20, 2, time.Minute, 75*time.Second)
}

// Ensure the limit for all chats is kept where those of each would allow more: 30
// messages a second, and so 300 to 100 chats take ten.
func TestTelegram_burstToMany(t *testing.T) {
	t.Parallel()
	burst(t, 300, 100, 0, 9*time.Second, 12*time.Second)
}

// burst sends messages to chats and groups, which has to take between least and most
// on the clock of the limits.
func burst(t *testing.T, left, people, groups int, least, most time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "no"})
	must(t, err)
	t.Cleanup(srv.Stop)
	rdb := redis.NewClient(&redis.Options{Addr: srv.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	now := time.Now()
	clock := func() time.Time { return now }
	sim, err := simtelegram.Start(ctx, "127.0.0.1:0", simtelegram.Options{Token: botToken, Now: clock})
	must(t, err)
	t.Cleanup(func() { must(t, sim.Close()) })
	c := configs.Default().Telegram
	c.Token, c.BaseURL = configs.NewSecret(botToken), sim.URL()
	client, err := telegram.New(c, "test")
	must(t, err)
	t.Cleanup(client.Close)
	both := []*limits.Windows{limits.NewWindows(rdb, clock), limits.NewWindows(rdb, clock)}

	type chat struct {
		id         string
		sent, want int
		at         time.Time // when it may ask again
	}
	var chats []*chat
	const toGroup = 30
	for i := range people + groups {
		x := &chat{id: fmt.Sprint(100 + i), want: (left - toGroup*groups) / people, at: now}
		if i >= people {
			x.id, x.want = fmt.Sprintf("-100123456789%d", i), toGroup
		}
		chats = append(chats, x)
	}
	began := now
	for left > 0 {
		var next *chat
		for _, x := range chats {
			if x.sent < x.want && (next == nil || x.at.Before(next.at)) {
				next = x
			}
		}
		if next.at.After(now) {
			now = next.at
		}
		windows := worker.TelegramWindows(c, next.id)
		place := fmt.Sprintf("%s:%d", next.id, next.sent)
		wait, ok, err := both[left%2].Enter(ctx, place, c.Timeout.Std(), windows...)
		must(t, err)
		if !ok {
			next.at = now.Add(wait)
			continue
		}
		_, err = client.Send(ctx, telegram.Message{Chat: next.id, Text: fmt.Sprint(next.sent)})
		must(t, err) // a 429, were a limit not kept
		must(t, both[left%2].Leave(ctx, place, windows...))
		next.sent++
		left--
	}
	for _, x := range chats {
		got := sim.Messages(x.id)
		for i, m := range got {
			if m.Text != fmt.Sprint(i) {
				t.Errorf("%s: message %d is %q", x.id, i, m.Text)
			}
		}
		if len(got) != x.want {
			t.Errorf("%s got %d messages, want %d", x.id, len(got), x.want)
		}
	}
	if took := now.Sub(began); took < least || took > most {
		t.Errorf("it took %s on the clock of the limits", took)
	}
}
