package configs

import (
	"regexp"
	"strconv"
	"time"
)

// telegramToken is the form of a token: the bot's id, and what is secret.
var telegramToken = regexp.MustCompile(`^[0-9]{1,20}:[A-Za-z0-9_-]{1,100}$`)

func (k *checker) telegram() {
	c := k.c.Telegram
	if !c.Token.IsZero() && !telegramToken.MatchString(c.Token.Reveal()) {
		k.fault("telegram.token", "is no token of a bot: it is a number, a colon, and letters and digits, as @BotFather shows it")
	}
	if c.BaseURL != "" {
		k.noted("telegram.base_url", tokenAddress(c.BaseURL, "must end with its path, if it has one"))
	}
	k.atLeast("telegram.timeout", c.Timeout, shortest)
	k.number("telegram.per_second", int64(c.PerSecond), 1, 1000)
	k.atLeast("telegram.chat_pause", c.ChatPause, shortest)
	k.number("telegram.per_group", int64(c.PerGroup), 1, 60)
	k.atLeast("telegram.first_retry", c.FirstRetry, time.Second) // asynq counts in those
	k.atLeast("telegram.max_retry", c.MaxRetry, time.Second)
	if k.sound("telegram.first_retry", "telegram.max_retry") && c.MaxRetry < c.FirstRetry {
		k.fault(k.blame("telegram.max_retry", "telegram.first_retry"),
			"telegram.max_retry is %s and telegram.first_retry %s: the first must not be shorter", c.MaxRetry, c.FirstRetry)
	}
	for i, chat := range c.Chats {
		if n, err := strconv.ParseInt(chat, 10, 64); err != nil || n == 0 || strconv.FormatInt(n, 10) != chat {
			k.fault(item("telegram.chats", i), "must be the integer id of a chat, in quotes; /help in the chat has the log show it")
		}
	}
	k.distinct("telegram.chats", c.Chats)
	switch {
	case !c.Commands:
	case c.Token.IsZero():
		k.fault("telegram.commands", "needs telegram.token too")
	case len(c.Chats) == 0:
		k.fault("telegram.commands", "needs telegram.chats too: the chats whose commands are taken")
	}
	k.atLeast("telegram.poll_timeout", c.PollTimeout, time.Second) // Telegram counts in those
	if c.PollTimeout > Duration(longestPoll) {
		k.fault("telegram.poll_timeout", "is %s: it must be at most %s", c.PollTimeout, Duration(longestPoll))
	}
}

// longestPoll is the longest that Telegram lets a request wait.
const longestPoll = 50 * time.Second
