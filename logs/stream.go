package logs

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Line is a line of the log for those who watch from elsewhere.
type Line struct {
	At      time.Time
	Level   slog.Level
	Package string
	File    string
	Line    int
	Role    string
	// Text is the message and its attributes, without secrets.
	Text string
}

const (
	// streamRate is how many lines a second a process streams for long, streamBurst how
	// many at once. What is beyond that is left out, and counted.
	streamRate  = 50
	streamBurst = 200
	// longestText is the most of a line.
	longestText = 4 << 10
	hidden      = "[redacted]"
)

// secret are the names of attributes whose values aren't shown, should they ever be
// logged.
var secret = regexp.MustCompile(`(?i)(token|secret|passw|api_?key|authorization|cookie)`)

// stream passes lines on beside writing them.
type stream struct {
	slog.Handler
	to     *streamTo
	role   string
	prefix string // attributes of the logger
	group  string
}

type streamTo struct {
	line  func(Line)
	limit *rate.Limiter
	left  atomic.Int64
}

// Stream is a handler that writes to base, and has each of its lines told to line, which
// must not log anything.
func Stream(base slog.Handler, line func(Line)) slog.Handler {
	return &stream{Handler: base, to: &streamTo{line: line, limit: rate.NewLimiter(streamRate, streamBurst)}}
}

// Handle implements slog.Handler.
func (s *stream) Handle(ctx context.Context, r slog.Record) error {
	s.tell(r)
	return s.Handler.Handle(ctx, r)
}

func (s *stream) tell(r slog.Record) {
	if !s.to.limit.AllowN(r.Time, 1) {
		s.to.left.Add(1)
		return
	}
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(s.prefix)
	r.Attrs(func(a slog.Attr) bool {
		write(&b, s.group, a)
		return true
	})
	if n := s.to.left.Swap(0); n > 0 {
		fmt.Fprintf(&b, " (%d lines before it were left out)", n)
	}
	l := Line{At: r.Time, Level: r.Level, Role: s.role, Text: b.String()}
	if len(l.Text) > longestText {
		l.Text = strings.ToValidUTF8(l.Text[:longestText], "") + "…"
	}
	if r.PC != 0 {
		f, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
		l.File, l.Line, l.Package = path.Base(f.File), f.Line, packageOf(f.Function)
	}
	s.to.line(l)
}

// packageOf a function's full name: "worker" of switchyard/worker.(*Worker).Start.
func packageOf(function string) string {
	dir, name := path.Split(function)
	name, _, _ = strings.Cut(name, ".")
	return strings.TrimPrefix(dir+name, "switchyard/")
}

func write(b *strings.Builder, group string, a slog.Attr) {
	v := a.Value.Resolve()
	switch {
	case a.Key == "" && v.Kind() != slog.KindGroup:
	case secret.MatchString(a.Key):
		fmt.Fprintf(b, " %s%s=%s", group, a.Key, hidden)
	case v.Kind() == slog.KindGroup:
		for _, x := range v.Group() {
			write(b, group+a.Key+".", x)
		}
	default:
		text := v.String()
		if strings.ContainsAny(text, " \"\n\t") {
			text = fmt.Sprintf("%q", text)
		}
		fmt.Fprintf(b, " %s%s=%s", group, a.Key, text)
	}
}

// WithAttrs implements slog.Handler.
func (s *stream) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *s
	next.Handler = s.Handler.WithAttrs(attrs)
	var b strings.Builder
	for _, a := range attrs {
		if a.Key == "role" && s.group == "" {
			next.role = a.Value.String()
			continue
		}
		write(&b, s.group, a)
	}
	next.prefix += b.String()
	return &next
}

// WithGroup implements slog.Handler.
func (s *stream) WithGroup(name string) slog.Handler {
	next := *s
	next.Handler = s.Handler.WithGroup(name)
	if name != "" {
		next.group += name + "."
	}
	return &next
}
