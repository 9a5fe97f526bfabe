package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"switchyard/configs"
	simtelegram "switchyard/sim/telegram"
)

// messageSuite are the scenarios of messages to chats.
func messageSuite() []scenario {
	return []scenario{{
		name: "messenger-kill", run: killMessenger, telegram: true, bend: rules{doubled: true},
		tune: func(c *configs.Config) { c.Telegram.ChatPause = configs.Duration(time.Millisecond) },
	}}
}

// botToken is good for the simulated Telegram alone.
const botToken = "110201543:token-of-chaos"

// The burst: so many chats, each of which gets so many messages.
const (
	burstChats = 8
	burstEach  = 20
	// burstChat is the first of the chats. They are none of those that requests for
	// toggles name.
	burstChat = 5_000_000
	// burstBetween is how many messages get through, over all chats, between two
	// kills.
	burstBetween = 3 * burstChats
)

// killMessenger kills the worker that sends, again and again, in the middle of a
// burst of messages: each time Telegram has one of every chat and has not answered,
// so nobody can know. Each message has to arrive, those twice, the others once, and
// all in order. The toggles before it are there for the rest of the account.
func killMessenger(ctx context.Context, s *stage) (string, error) {
	ids, err := promisedJobs(s.toggleAll(ctx, 0))
	if err != nil {
		return "", err
	}
	if _, err := s.awaitEnds(ctx, time.Minute, ids...); err != nil {
		return "", err
	}
	if err := s.idle(ctx); err != nil {
		return "", err
	}
	kills := 4
	if s.opt.short {
		kills = 2
	}
	for round := range kills {
		// The worker has nothing to send here, or is dead.
		before := len(s.telegram.Ledger())
		s.telegram.Fail(simtelegram.Fault{Method: "sendMessage", Hang: true, Done: true, After: burstBetween})
		if round == 0 {
			err = s.burst(ctx)
		} else {
			s.deliverer, err = s.respawn(ctx, s.deliverer)
		}
		if err != nil {
			return "", err
		}
		if err := s.awaitCalls(ctx, before+burstBetween); err != nil {
			return "", err
		}
		if err := s.until(ctx, receiptLimit, "Telegram has a message of each chat", func(context.Context) (bool, error) {
			return s.telegram.Held() == burstChats, nil
		}); err != nil {
			return "", err
		}
		s.deliverer.kill()
		if err := s.awaitCalls(ctx, before+burstBetween+burstChats); err != nil {
			return "", err
		}
		s.telegram.Recover()
	}
	if s.deliverer, err = s.respawn(ctx, s.deliverer); err != nil {
		return "", err
	}
	if err := s.idle(ctx); err != nil {
		return "", err
	}
	words := fmt.Sprintf("killed %d times, each with %d messages sent and not answered", kills, burstChats)
	return words, errBurst(s.telegram.Ledger(), kills*burstChats)
}

// awaitCalls waits until Telegram's ledger has n entries.
func (s *stage) awaitCalls(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, receiptLimit)
	defer cancel()
	return s.telegram.WaitFor(ctx, func(all []simtelegram.Call) bool { return len(all) >= n })
}

// burst asks for all messages, the first of every chat first.
func (s *stage) burst(ctx context.Context) error {
	for i := range burstEach {
		for chat := range burstChats {
			if err := s.ask.message(ctx, strconv.Itoa(burstChat+chat), strconv.Itoa(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// message asks for a message, as clients do.
func (c *client) message(ctx context.Context, chat, text string) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	q := url.Values{"chat_id": {chat}, "text": {text}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/v1/telegram?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusAccepted {
		return errors.Join(err, fmt.Errorf("a message was answered with status %d: %s", res.StatusCode, b))
	}
	return nil
}

// errBurst says what is wrong with what the chats of the burst have got, of which cut
// were sent without an answer.
func errBurst(ledger []simtelegram.Call, cut int) error {
	var errs []error
	got := map[string][]string{}
	unanswered := map[string]int{} // by chat and text
	for _, c := range ledger {
		if c.MessageID == 0 {
			continue
		}
		got[c.Chat] = append(got[c.Chat], c.Text)
		if c.Status == 0 {
			unanswered[c.Chat+" "+c.Text]++
			cut--
		}
	}
	for chat := range burstChats {
		name := strconv.Itoa(burstChat + chat)
		var want []string
		for i := range burstEach {
			text := strconv.Itoa(i)
			for range 1 + min(1, unanswered[name+" "+text]) {
				want = append(want, text)
			}
		}
		if !slices.Equal(got[name], want) {
			errs = append(errs, fmt.Errorf("chat %s got %v, want %v", name, got[name], want))
		}
	}
	if cut != 0 {
		errs = append(errs, fmt.Errorf("%d messages fewer than meant were cut off from their answers", cut))
	}
	return errors.Join(errs...)
}
