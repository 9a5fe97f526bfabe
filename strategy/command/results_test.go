package command

import (
	"encoding/json"
	"testing"
)

// Ensure whatever a program writes, in pieces of any size, is read as when it comes at
// once, and what counts as its result is an object.
func FuzzResults(f *testing.F) {
	for _, s := range []string{`{"progress":1}{"a":1}`, "{\"progress\":1}\n{\"a\":[1,2]}\n", `{"a":`, `{} x`, `[1]`, "", "\x00", `{"progress":"x"}`, `{"progress":1e999}`} {
		f.Add(s, 1)
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, text string, size int) {
		read := func(size int) (string, bool, int) {
			told := 0
			r := &results{report: func(int) { told++ }}
			for at := 0; at < len(text); at += size {
				if _, err := r.Write([]byte(text[at:min(at+size, len(text))])); err != nil {
					break
				}
			}
			doc, err := r.last()
			return string(doc), err == nil, told
		}
		whole, ok, _ := read(max(1, len(text)))
		pieces, also, _ := read(1 + (size&0xff+0x100)%0x100)
		if whole != pieces || ok != also {
			t.Fatalf("%q: %q, %v at once, %q, %v in pieces", text, whole, ok, pieces, also)
		}
		var members map[string]json.RawMessage
		if ok && json.Unmarshal([]byte(whole), &members) != nil {
			t.Fatalf("%q: the result is %q", text, whole)
		}
	})
}

// Ensure who watches a program is not held up by who hears of its progress.
func TestProgressHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	var r *results
	told := 0
	r = &results{report: func(int) {
		told++
		if !r.mu.TryLock() {
			t.Error("the progress is told under the lock that the watch takes")
			return
		}
		r.mu.Unlock()
	}}
	if _, err := r.Write([]byte(`{"progress":1}{"progress":2}`)); err != nil || told != 2 {
		t.Errorf("%v, told %d times", err, told)
	}
}
