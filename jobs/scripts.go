package jobs

import (
	"embed"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var scriptFiles embed.FS

// script loads scripts/name.lua behind the prelude.
func script(name string) *redis.Script {
	read := func(f string) string {
		b, err := scriptFiles.ReadFile("scripts/" + f + ".lua")
		if err != nil {
			panic("jobs: " + err.Error()) // embedded at build time
		}
		return string(b)
	}
	return redis.NewScript(read("prelude") + read(name))
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
)
