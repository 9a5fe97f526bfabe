// Package webhooks composes messages to receivers of other people's making:
// Discord, Slack, Telegram, and whoever reads plain JSON. It is pure: it is told
// what to say and in which words, and returns what is to be posted, so the api may
// use it to refuse what can't be sent; sending is a job (package worker).
//
// A template is text with placeholders, {name}; {{ and }} stand for braces. It is
// strict: an unknown template, a placeholder that nobody fills and a variable that
// goes nowhere are errors, each a type of its own, since a message with a hole in
// it tells somebody something wrong. Variables are put in as they are; a {name} in
// one of them is no placeholder.
//
// Everything here is safe for concurrent use.
package webhooks
