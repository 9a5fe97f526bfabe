package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

const (
	// maxOutput is the most that a step may write; it is ended then.
	maxOutput = 64 << 20
	// longestOpen is how much of a line is kept together that has not ended.
	longestOpen = 16 << 10
	// longestPercent is the longest line that is looked at for a percentage.
	longestPercent = 64
	// longestWords is how much of a program's last line its failure repeats.
	longestWords = 300
)

// errTooMuch ends a program that doesn't stop talking.
var errTooMuch = fmt.Errorf("it has written more than %d MiB, and was ended", maxOutput>>20)

// output keeps the end of what a program writes. It is safe for concurrent use: the
// program's standard output and its standard error are two goroutines.
type output struct {
	most   int
	hide   secrets
	stdout stream
	stderr stream

	mu      sync.Mutex
	kept    []byte // and what is before it, as far as a secret may begin there
	cut     bool
	total   int64
	changed bool
	percent chan int // the newest one
}

// stream is one of the two, whose lines are kept together.
type stream struct {
	out  *output
	open []byte
}

func newOutput(most int, hide secrets) *output {
	o := &output{most: most, hide: hide, percent: make(chan int, 1)}
	o.stdout.out, o.stderr.out = o, o
	return o
}

// Write implements io.Writer. An error ends the program.
func (s *stream) Write(p []byte) (int, error) {
	o := s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.total += int64(len(p)); o.total > maxOutput {
		return 0, errTooMuch
	}
	o.changed = true
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n') + 1
		if i == 0 {
			s.open = append(s.open, p...)
			if len(s.open) > longestOpen {
				o.keep(s.open)
				s.open = s.open[:0]
			}
			break
		}
		s.open = append(s.open, p[:i]...)
		if s == &o.stdout {
			o.hear(s.open)
		}
		o.keep(s.open)
		s.open, p = s.open[:0], p[i:]
	}
	return n, nil
}

// keep adds to the end.
func (o *output) keep(b []byte) {
	o.kept = append(o.kept, b...)
	room := o.most + o.hide.longest()
	if len(o.kept) > 2*room { // not each time: it is moved
		o.kept = append(o.kept[:0], o.kept[len(o.kept)-room:]...)
		o.cut = true
	}
}

// hear looks for a line of the form {"progress": 40}, a percentage.
func (o *output) hear(line []byte) {
	if len(line) > longestPercent || line[0] != '{' {
		return
	}
	var said struct {
		Progress *float64 `json:"progress"`
	}
	if json.Unmarshal(line, &said) != nil || said.Progress == nil {
		return
	}
	percent := int(min(max(*said.Progress, 0), 100))
	select {
	case <-o.percent:
	default:
	}
	o.percent <- percent // there is room: only the lock's holder sends
}

// text is the end of what was written, without secrets.
func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	raw := bytes.Join([][]byte{o.kept, o.stdout.open, o.stderr.open}, nil)
	found := o.hide.in(raw)
	from := max(0, len(raw)-o.most)
	var b strings.Builder
	if from > 0 || o.cut {
		// From a line's beginning, if one is near.
		if i := bytes.IndexByte(raw[from:], '\n'); i >= 0 && i < min(o.most/2, longestOpen) {
			from += i + 1
		}
		b.WriteString("…\n")
	}
	for _, s := range found {
		if s.to <= from {
			continue
		}
		if s.from > from {
			b.Write(raw[from:s.from])
		}
		b.WriteString(hidden)
		from = s.to
	}
	b.Write(raw[from:])
	return strings.ToValidUTF8(b.String(), "�")
}

// news is text, if there is any that has not been asked for.
func (o *output) news() (text string, ok bool) {
	o.mu.Lock()
	ok = o.changed
	o.changed = false
	o.mu.Unlock()
	if !ok {
		return "", false
	}
	return o.text(), true
}

// lastLine is the last one with something in it, cut.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := []rune(strings.TrimSpace(lines[len(lines)-1]))
	if len(last) > longestWords {
		last = append(last[:longestWords-1], '…')
	}
	return string(last)
}
