// Package notices words what a chat is told when a job ends that it has asked
// for: what was asked, and what came of it, or the error in words. The text is
// HTML as Telegram reads it; everything that comes from elsewhere (a note, an
// error, an address) is escaped and cut where it is long, so that a notice fits
// into one message.
//
// Words are all there is here: package delivery turns a notice into a job, and
// package telegram sends it. A message of a client's own is no notice, and none
// follows it.
package notices

import (
	"encoding/json"
	"fmt"
	"html"
	"strconv"
	"strings"
	"unicode/utf8"

	"switchyard/jobs"
	"switchyard/tasks"
)

// Of is the notice of a job that has ended; ok is false where its chat is told
// nothing.
func Of(j *jobs.Job) (text string, ok bool) {
	if action, cf := tasks.CFAction(j.Type); cf {
		return cloudflare(j, action), true
	}
	switch j.Type {
	case tasks.Toggle:
		return toggle(j), true
	case tasks.Trade:
		return trade(j), true
	case tasks.TradeCancel:
		return tradeCancel(j), true
	case tasks.Strategy:
		return execution(j), true
	case tasks.Deployment:
		return deployment(j), true
	}
	return "", false
}

// Buttons are the commands that make sense after the job, for chats that may give
// commands.
func Buttons(j *jobs.Job) []tasks.TelegramButton {
	action, cf := tasks.CFAction(j.Type)
	switch {
	case j.Type == tasks.Toggle:
		return []tasks.TelegramButton{{Text: "Toggle again", Command: "toggle " + strconv.Itoa(j.Subnet) + " " + j.Host}}
	case cf && j.State != jobs.Completed:
		var p tasks.CFPayload
		read(j.Payload, &p)
		return []tasks.TelegramButton{{Text: "Try again", Command: action + " " + p.IP}}
	}
	return nil
}

// longest are the most letters of what comes from elsewhere.
const (
	longestError = 600
	longestNote  = 100
	longestWord  = 45 // an address of IPv6 with its prefix
	mostLines    = 12
)

// plain is text of elsewhere, cut and escaped.
func plain(s string, longest int) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > longest {
		s = string([]rune(s)[:longest-1]) + "…"
	}
	return html.EscapeString(s)
}

// failure is why a job ended without what was asked for.
func failure(j *jobs.Job) string {
	switch {
	case j.State == jobs.Cancelled:
		return "cancelled"
	case j.Error == "":
		return "failed"
	}
	return "failed: " + plain(j.Error, longestError)
}

// read reads a member of a record; what can't be read leaves v as it is.
func read(doc json.RawMessage, v any) { _ = json.Unmarshal(doc, v) }

func toggle(j *jobs.Job) string {
	var r tasks.ToggleResult
	var how tasks.ToggleProgress
	read(j.Result, &r)
	read(j.Progress, &how)
	what := "Dongle " + strconv.Itoa(j.Subnet) + " of " + plain(j.Host, longestWord) + ": "
	step := ", step " + strconv.Itoa(r.Step)
	switch {
	case j.State == jobs.Completed && r.Success && r.IP != nil:
		ip := plain(*r.IP, longestWord)
		switch {
		case how.OldIP == nil:
			return what + "its address is " + ip + step + "."
		case *how.OldIP == *r.IP:
			return what + "it keeps its address " + ip + step + "."
		}
		return what + "new address " + ip + ", before " + plain(*how.OldIP, longestWord) + step + "."
	case j.State == jobs.Completed && r.Success:
		return what + "done" + step + "."
	case j.State == jobs.Cancelled || j.Started.IsZero():
		return what + failure(j) + "."
	}
	return what + failure(j) + step + "."
}

// outcomes are the words for what became of a request to Cloudflare.
var outcomes = map[tasks.CFOutcome]string{
	tasks.CFBlocked: "blocked", tasks.CFAlreadyBlocked: "was blocked already", tasks.CFReleased: "released", tasks.CFNotBlocked: "was not blocked",
	tasks.CFFound: "found", tasks.CFNotFound: "no rule covers it", tasks.CFPending: "not done",
}

func cloudflare(j *jobs.Job, action string) string {
	var p tasks.CFPayload
	var r tasks.CFResult
	read(j.Payload, &p)
	read(j.Result, &r)
	said := outcomes[r.Outcome]
	rules := 0
	for _, s := range r.Scopes {
		rules += len(s.Rules)
	}
	switch {
	case j.State != jobs.Completed:
		said = failure(j)
	case action == "search" && rules == 1:
		said = "1 rule covers it"
	case action == "search" && rules > 0:
		said = strconv.Itoa(rules) + " rules cover it"
	}
	lines := details(action, r)
	out := fmt.Sprintf("%s <b>%s</b>: %s.", strings.ToUpper(action[:1])+action[1:], plain(p.IP, longestWord), said)
	if len(lines) > mostLines {
		more := len(lines) - mostLines
		lines = append(lines[:mostLines], "and "+strconv.Itoa(more)+" more")
	}
	for _, l := range lines {
		out += "\n" + l
	}
	return out
}

// details are the lines below the first: what differs by scope, and rules.
func details(action string, r tasks.CFResult) (lines []string) {
	several := len(r.Scopes) > 1
	for _, s := range r.Scopes {
		where := ""
		if several {
			where = s.Scope + " " + plain(s.ID, longestWord) + ": "
		}
		said := outcomes[s.Outcome]
		switch {
		case s.Was != "":
			lines = append(lines, where+said+", by a rule of mode "+plain(s.Was, longestWord)+" before")
		case several && s.Error != "":
			lines = append(lines, where+said+": "+plain(s.Error, longestNote))
		case several && action != "search":
			lines = append(lines, where+said)
		}
		for _, rule := range s.Rules {
			l := where + plain(rule.Mode, longestWord) + " " + plain(rule.IP, longestWord) + " (" + plain(rule.Scope, longestWord) + ")"
			if action != "search" {
				l = "still: " + l
			}
			if rule.CreatedAt != nil {
				l += ", since " + plain(*rule.CreatedAt, longestWord)
			}
			if rule.Note != "" {
				l += ": " + plain(rule.Note, longestNote)
			}
			lines = append(lines, l)
		}
	}
	return lines
}
