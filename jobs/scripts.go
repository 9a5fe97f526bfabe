package jobs

import (
	"embed"
	"regexp"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var scriptFiles embed.FS

// script loads scripts/name.lua behind those parts of the prelude that it uses.
// Redis runs the whole text at every call, so parts that nobody uses would cost
// each job, too.
func script(name string) *redis.Script {
	text := readScript(name)
	parts := preludeParts()
	for i := len(parts) - 1; i >= 0; i-- { // parts use those before them
		if parts[i].usedBy(text) {
			text = parts[i].text + text
		}
	}
	return redis.NewScript(text)
}

func readScript(name string) string {
	b, err := scriptFiles.ReadFile("scripts/" + name + ".lua")
	if err != nil {
		panic("jobs: " + err.Error()) // embedded at build time
	}
	return string(b)
}

// preludePart is what defines one name.
type preludePart struct{ name, text string }

var definition = regexp.MustCompile(`(?m)^local (?:function )?(\w+)`)

// preludeParts are the parts of prelude.lua in its order; a blank line ends one.
func preludeParts() []preludePart {
	var parts []preludePart
	for _, text := range strings.Split(readScript("prelude"), "\n\n") {
		if m := definition.FindStringSubmatch(text); m != nil {
			parts = append(parts, preludePart{m[1], text + "\n"})
		}
	}
	return parts
}

func (p preludePart) usedBy(text string) bool {
	return regexp.MustCompile(`\b` + p.name + `\b`).MatchString(text)
}

var (
	acceptScript   = script("accept")
	joinScript     = script("join")
	claimScript    = script("claim")
	finishScript   = script("finish")
	againScript    = script("again")
	progressScript = script("progress")
	cancelScript   = script("cancel")
	reopenScript   = script("reopen")
	rescueScript   = script("rescue")
	dropScript     = script("drop")
	withdrawScript = script("withdraw")
	beginScript    = script("begin")
	turnScript     = script("turn")
	seenScript     = script("seen")
	dueScript      = script("due")
	vanishScript   = script("vanish")
)
