// Package telegram is a Telegram that has one bot, for the demo and for tests: the
// methods that bots of ours use, with the paths, envelopes, codes, descriptions and
// limits of the original. It takes requests in all three forms that the original
// takes. It is stricter than that one where a client's mistake would show nowhere
// else: parameters that don't exist, and messages sent faster than Telegram says it
// takes them, are refused.
//
// What goes wrong can be told to it: 429 with or without retry_after, errors,
// answers that are late, lost or none of Telegram's, before the request is done or
// after; groups that have become supergroups, chats that have blocked the bot. A
// ledger has every request, and chats hold what was sent to them. People write to the
// bot by Say and Press. All of it is there for programs, and over HTTP below /_sim/.
//
// A Server is safe for concurrent use.
package telegram
