package ws

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// Ensure nothing that a client sends breaks the reading of it: it is a message with a
// type and an object, or an error that can be sent.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"type":"ping","data":{}}`, `{"type":"subscribe","data":{"event_types":["alert"],"filters":{"chat_ids":[1,"2"]}},"timestamp":"x"}`,
		`{"type":7}`, `null`, `[]`, ``, `{"type":"client_info","data":{"last_broadcast_id":"0-0~1"}}`, `{"type":"a","data":{"a":1}`, `{"data":{},"type":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !utf8.Valid(text) {
			t.Skip() // closed before it is read
		}
		in, e := parse(text)
		if e != nil {
			if b, err := json.Marshal(e); err != nil || !json.Valid(b) || e.Code != InvalidFormat {
				t.Fatalf("%s: %v, %v", text, e, err)
			}
			return
		}
		if in.Type == "" || !json.Valid(in.Data) || in.Data[0] != '{' {
			t.Fatalf("%s is %+v", text, in)
		}
		var d subscribeData
		if e := strict(in, &d); e == nil && d.check(in.Data) == nil {
			var s subscription
			s.subscribe(d)
			s.unsubscribe(d)
			_ = s.levels()
		}
		var i info
		if e := strict(in, &i); e == nil && i.Last != nil {
			if c, ok := parseID(*i.Last); ok {
				if again, ok := parseID(c.String() + "~7"); !ok || again != c {
					t.Fatalf("%s is read as %v and then as %v", *i.Last, c, again)
				}
			}
		}
	})
}
