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
	return []scenario{
		{
			name: "messenger-kill", run: killMessenger, telegram: &simtelegram.Options{Unlimited: true}, bend: rules{doubled: true},
			tune: func(c *configs.Config) { c.Telegram.ChatPause = configs.Duration(time.Millisecond) },
		},
		{name: "messages-limits", run: keepLimits, telegram: &simtelegram.Options{}},
	}
}

// botToken is good for the simulated Telegram alone.
const botToken = "110201543:token-of-chaos"

// burst is how many messages each of several chats gets.
type burst map[string]int

// burstChat is the first of the chats. They are none of those that requests for
// toggles name.
const burstChat = 5_000_000

// burstTo is a burst of each messages to so many people.
func burstTo(people, each int) burst {
	b := burst{}
	for i := range people {
		b[strconv.Itoa(burstChat+i)] = each
	}
	return b
}

// The burst in which the worker is killed.
const (
	burstChats = 8
	burstEach  = 20
	// burstBetween is how many messages get through, over all chats, between two
	// kills.
	burstBetween = 3 * burstChats
)

// killMessenger kills the worker that sends, again and again, in the middle of a
// burst of messages: each time Telegram has one of every chat and has not answered,
// so nobody can know. Each message has to arrive, those twice, the others once, and
// all in order. The toggles before it are there for the rest of the account.
func killMessenger(ctx context.Context, s *stage) (string, error) {
	if err := s.toggleFirst(ctx); err != nil {
		return "", err
	}
	var err error
	all := burstTo(burstChats, burstEach)
	kills := 4
	if s.opt.short {
		kills = 2
	}
	for round := range kills {
		// The worker has nothing to send here, or is dead.
		before := len(s.telegram.Ledger())
		s.telegram.Fail(simtelegram.Fault{Method: "sendMessage", Hang: true, Done: true, After: burstBetween})
		if round == 0 {
			err = s.send(ctx, all)
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
	return words, all.err(s.telegram.Ledger(), kills*burstChats)
}

// awaitCalls waits until Telegram's ledger has n entries.
func (s *stage) awaitCalls(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, receiptLimit)
	defer cancel()
	return s.telegram.WaitFor(ctx, func(all []simtelegram.Call) bool { return len(all) >= n })
}

// toggleFirst has every dongle toggled, and everybody told.
func (s *stage) toggleFirst(ctx context.Context) error {
	ids, err := promisedJobs(s.toggleAll(ctx, 0))
	if err != nil {
		return err
	}
	if _, err := s.awaitEnds(ctx, time.Minute, ids...); err != nil {
		return err
	}
	return s.idle(ctx)
}

// keepLimits has two workers send 500 messages to 20 people and 2 groups, to a
// Telegram that counts strictly: it has to refuse none, and each arrives once, in
// order.
func keepLimits(ctx context.Context, s *stage) (string, error) {
	if err := s.toggleFirst(ctx); err != nil {
		return "", err
	}
	second, err := s.spawn("messenger", "worker", s.config(scenario{}))
	if err != nil {
		return "", err
	}
	if err := s.awaitReady(ctx, second); err != nil {
		return "", err
	}
	all := burstTo(20, 22)
	all["-1005000000001"], all["-1005000000002"] = 30, 30
	began, before := time.Now(), len(s.telegram.Ledger())
	if err := s.send(ctx, all); err != nil {
		return "", err
	}
	if err := s.until(ctx, limitsLimit, "all messages have been sent", func(context.Context) (bool, error) {
		return len(s.telegram.Ledger()) >= before+500, nil
	}); err != nil {
		return "", err
	}
	words := fmt.Sprintf("500 messages in %.0f s", time.Since(began).Seconds())
	for _, c := range s.telegram.Ledger() {
		if c.Status != http.StatusOK {
			return words, fmt.Errorf("a message to %s was answered with status %d: %s", c.Chat, c.Status, c.Description)
		}
	}
	return words, all.err(s.telegram.Ledger(), 0)
}

// limitsLimit is what the burst that keeps the limits may take: a group gets 20 a
// minute.
const limitsLimit = 4 * time.Minute

// send asks for all messages, the first of every chat first.
func (s *stage) send(ctx context.Context, all burst) error {
	for i, left := 0, true; left; i++ {
		left = false
		for chat, each := range all {
			if i >= each {
				continue
			}
			left = true
			if err := s.ask.message(ctx, chat, strconv.Itoa(i)); err != nil {
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

// err says what is wrong with what the chats have got, of which cut messages were
// sent without an answer.
func (b burst) err(ledger []simtelegram.Call, cut int) error {
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
	for chat, each := range b {
		var want []string
		for i := range each {
			text := strconv.Itoa(i)
			for range 1 + min(1, unanswered[chat+" "+text]) {
				want = append(want, text)
			}
		}
		if !slices.Equal(got[chat], want) {
			errs = append(errs, fmt.Errorf("chat %s got %v, want %v", chat, got[chat], want))
		}
	}
	if cut != 0 {
		errs = append(errs, fmt.Errorf("%d messages fewer than meant were cut off from their answers", cut))
	}
	return errors.Join(errs...)
}
