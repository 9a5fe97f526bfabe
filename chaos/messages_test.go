package main

import (
	"strconv"
	"strings"
	"testing"

	simtelegram "switchyard/sim/telegram"
)

// Ensure the account of a burst of messages knows what was lost, came too often, or
// out of order, from what was sent and not answered.
func TestBurst_err(t *testing.T) {
	t.Parallel()
	chat := strconv.Itoa(burstChat)
	sound := func() (all []simtelegram.Call) {
		for c := range burstChats {
			for i := range burstEach {
				all = append(all, simtelegram.Call{Chat: strconv.Itoa(burstChat + c), Text: strconv.Itoa(i), MessageID: int64(len(all) + 1), Status: 200})
			}
		}
		cut := all[0] // the first one was sent twice: cut off from its answer, and again
		cut.Status = 0
		return append([]simtelegram.Call{cut}, all...)
	}
	for name, tt := range map[string]struct {
		change func([]simtelegram.Call) []simtelegram.Call
		want   string
	}{
		"sound": {func(all []simtelegram.Call) []simtelegram.Call { return all }, ""},
		"other chats": {func(all []simtelegram.Call) []simtelegram.Call {
			return append(all, simtelegram.Call{Chat: "1", MessageID: 1, Status: 200})
		}, ""},
		"refused": {func(all []simtelegram.Call) []simtelegram.Call {
			return append(all, simtelegram.Call{Chat: chat, Text: "1", Status: 429})
		}, ""},
		"lost":                   {func(all []simtelegram.Call) []simtelegram.Call { return all[:len(all)-1] }, "chat " + strconv.Itoa(burstChat+burstChats-1)},
		"not sent again":         {func(all []simtelegram.Call) []simtelegram.Call { return append(all[:1:1], all[2:]...) }, "chat " + chat},
		"sent three times":       {func(all []simtelegram.Call) []simtelegram.Call { return append(all[:1:1], all...) }, "chat " + chat},
		"twice, though answered": {func(all []simtelegram.Call) []simtelegram.Call { return append(all[:2:2], all[1:]...) }, "chat " + chat},
		"out of order": {func(all []simtelegram.Call) []simtelegram.Call {
			all[4], all[5] = all[5], all[4]
			return all
		}, "chat " + chat},
		"nothing cut off": {func(all []simtelegram.Call) []simtelegram.Call { return all[1:] }, "1 messages fewer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := burstTo(burstChats, burstEach).err(tt.change(sound()), 1)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
