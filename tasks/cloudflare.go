package tasks

import (
	"strings"
	"time"
)

// CFPayload asks Cloudflare about one address or range.
type CFPayload struct {
	// IP is a Target as String writes it.
	IP string `json:"ip"`
}

// CFOutcome is what became of a request to Cloudflare, in one scope or in all.
type CFOutcome string

// The outcomes. Those that say "already" and "not" are successes, too.
const (
	CFBlocked        CFOutcome = "blocked"
	CFAlreadyBlocked CFOutcome = "already_blocked"
	CFReleased       CFOutcome = "released"
	CFNotBlocked     CFOutcome = "not_blocked"
	CFFound          CFOutcome = "found"
	CFNotFound       CFOutcome = "not_found"
	// CFPending: not done yet, or the try at it failed.
	CFPending CFOutcome = "pending"
)

// CFResult is what came of a Cloudflare job, and, while it isn't over or where
// it failed, what was done so far.
type CFResult struct {
	// Action is block, release or search.
	Action string `json:"action"`
	IP     string `json:"ip"`
	// Outcome sums up those of the scopes.
	Outcome CFOutcome `json:"outcome"`
	// Scopes are the account or the zones, as configured.
	Scopes []CFScope `json:"scopes"`
}

// CFScope is what was done in one scope.
type CFScope struct {
	// Scope is account or zone.
	Scope   string    `json:"scope"`
	ID      string    `json:"id"`
	Outcome CFOutcome `json:"outcome"`
	// Was is the mode of the rule that was made to block; empty where there was
	// none.
	Was string `json:"was,omitempty"`
	// RuleID is the rule that was made, changed or deleted, or that was there.
	RuleID string `json:"rule_id,omitempty"`
	// Rules cover the address: all of them where they were searched for, those
	// that are left where it was released.
	Rules []CFRule `json:"rules"`
	// Error is why the try failed, in words. Empty where it didn't.
	Error string `json:"error,omitempty"`
}

// CFRule is an IP Access Rule of Cloudflare's.
type CFRule struct {
	ID string `json:"id"`
	// Mode is block, challenge, js_challenge, managed_challenge or whitelist.
	Mode string `json:"mode"`
	// IP is the address or range that it is for.
	IP string `json:"ip"`
	// Scope is whose rule it is: account, zone or user.
	Scope string `json:"scope"`
	Note  string `json:"note"`
	// CreatedAt and ModifiedAt are RFC 3339 UTC; null where Cloudflare doesn't
	// say.
	CreatedAt  *string `json:"created_at"`
	ModifiedAt *string `json:"modified_at"`
}

// cfActions are the words for what the types do.
var cfActions = map[Type]string{CFBlock: "block", CFRelease: "release", CFSearch: "search"}

// CFAction is what a Cloudflare job does, in a word; ok is false for the others.
func CFAction(t Type) (action string, ok bool) {
	action, ok = cfActions[t]
	return action, ok
}

// cfLimit bounds one run: of many zones, each with several requests that wait for
// their turn among those of all workers.
const cfLimit = 5 * time.Minute

// NewCF drafts a Cloudflare job of type t that a chat has asked for. The same
// wish of the same chat joins, but not past one that changes what comes of it: who
// asks for a block, a release and a block again wants it blocked.
func NewCF(t Type, target Target, chat string, maxTries int) Draft {
	key := func(t Type) string { return string(t) + ":" + target.String() + ":" + chatName(chat) }
	d := Draft{
		Type: t, ChatID: chat, Queue: QueueInteractive, OrderKey: ChatKey(chat), JoinKey: key(t),
		Payload: mustJSON(CFPayload{IP: target.String()}), Limit: cfLimit, MaxTries: maxTries,
	}
	switch t {
	case CFBlock:
		d.Outdates = []string{key(CFRelease), key(CFSearch)}
	case CFRelease:
		d.Outdates = []string{key(CFBlock), key(CFSearch)}
	}
	return d
}

// ChatKey is the order key of a chat's jobs: they run one after the other.
func ChatKey(chat string) string { return "chat:" + chatName(chat) }

// chatName is the chat as keys name it: the names of channels are one in capitals
// or not.
func chatName(chat string) string { return strings.ToLower(chat) }
