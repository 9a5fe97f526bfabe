// Package chatbot takes commands from chats: /status, /toggle, /block, /release,
// /search, /jobs, /cancel, /help, and the buttons below messages, which give the same
// commands. A command becomes the same job as a request over HTTP, and its answer is
// a message like any other, a job, too.
//
// Only chats that the configuration names are listened to; everybody in them may
// give commands. Others get no answer, and the log shows their id.
//
// # One of many
//
// Any number of processes may run a Bot. One of them has a lease in Redis and asks
// Telegram; when it is gone, another does within seconds. An update is confirmed
// only after what it asks for was accepted. Should two handle the same one, when
// one died in between or was stalled for longer than its lease, it is done once:
// whatever an update asks for is accepted under its number, as under an
// Idempotency-Key.
package chatbot
