package signal

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Mask returns the body of a request for the record of requests: its members in
// their order, and in place of every value whose name speaks of a secret, and of
// the token wherever else it stands, "***". Of a body that is no JSON object it
// returns nothing, since there is no telling where its token is; nor of one of
// more than 64 KiB, which is no trading alert.
func Mask(text []byte) json.RawMessage {
	if len(text) > longestMasked {
		return nil
	}
	list, err := body(text)
	if err != nil {
		return nil
	}
	out := maskMembers(list, 0)
	known, _, err := collect(list, "")
	if err != nil {
		return out // Two tokens, and both hidden by name.
	}
	if token := known.trimmed("token"); len(token) >= shortestToken {
		out = bytes.ReplaceAll(out, []byte(token), []byte("***"))
		if !json.Valid(out) {
			return masked // It was part of a number.
		}
	}
	return out
}

const longestMasked = 64 << 10

// shortestToken is what is looked for outside its field; a shorter one would be
// found in words that have nothing to do with it.
const shortestToken = 8

// Masking goes this deep; what lies below is left out, since a token may be there.
const deepestMasked = 4

var masked = json.RawMessage(`"***"`)

// mask returns JSON with every value hidden whose name speaks of a secret.
func mask(value json.RawMessage, depth int) json.RawMessage {
	switch {
	case value[0] != '{' && value[0] != '[':
		return value
	case depth == deepestMasked:
		return masked
	case value[0] == '[':
		var list []json.RawMessage
		if json.Unmarshal(value, &list) != nil {
			return masked
		}
		for i := range list {
			list[i] = mask(list[i], depth+1)
		}
		return array(list)
	}
	list, err := members(value)
	if err != nil {
		return masked
	}
	return maskMembers(list, depth)
}

func maskMembers(list []member, depth int) json.RawMessage {
	b := bytes.NewBufferString("{")
	for i, m := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return masked // Strings always marshal.
		}
		b.Write(name)
		b.WriteByte(':')
		if secret(m.name) {
			b.Write(masked)
		} else {
			b.Write(mask(m.value, depth+1))
		}
	}
	b.WriteByte('}')
	return b.Bytes()
}

func array(list []json.RawMessage) json.RawMessage {
	b := bytes.NewBufferString("[")
	for i, v := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(v)
	}
	b.WriteByte(']')
	return b.Bytes()
}

// secret tells whether a member's name speaks of a secret.
func secret(name string) bool {
	name = plain(name)
	for _, word := range []string{"token", "secret", "pass", "apikey"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
