package wire

import (
	"net/url"
	"strings"
)

// Query are parameters in the order they are sent in: exchanges check the signature of
// exactly these bytes.
type Query [][2]string

// Encode percent-encodes them.
func (q Query) Encode() string {
	var b strings.Builder
	for i, kv := range q {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(kv[0]) + "=" + url.QueryEscape(kv[1]))
	}
	return b.String()
}
