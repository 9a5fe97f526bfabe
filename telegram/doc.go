// Package telegram sends messages by a bot, through go-telegram/bot.
//
// A message of any length is sent in parts that Telegram takes (Split). What went
// wrong is an *Error that tells whether another try makes sense, when, and whether
// the message may have arrived all the same: Telegram knows no key by which it
// could see that a message is sent again, and bots can't look at what they have
// sent. So a request whose answer was lost leaves that open, and nothing else does.
//
// A Client does nothing twice and waits for nothing but its answer: tries, and the
// rates that Telegram allows, are the caller's. Groups that have become supergroups
// are remembered in Redis (Moves). The bot's token is in no error.
//
// A Client and Moves are safe for concurrent use.
package telegram
