package logs

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"switchyard/configs"
)

// stamp is the time of a line, in the configured zone.
const stamp = "2006-01-02 15:04:05.000-07:00"

// appHandler writes app.log at the level and in the format of the log on standard
// error, with times in the configured zone, and with who logged.
func appHandler(w io.Writer, c *configs.Config, zone *time.Location) slog.Handler {
	var level slog.Level
	// The configuration has been checked.
	_ = level.UnmarshalText([]byte(c.Log.Level))
	if c.Log.Format != "json" {
		return newLines(w, level, zone, true)
	}
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, AddSource: true, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
			a.Value = slog.TimeValue(a.Value.Time().In(zone))
		}
		return a
	}})
}

// lines writes a record as a line for people:
//
//	2025-12-13 22:49:25.120+09:00 INFO    worker/toggle.go:53 toggle ended subnet=16 step=0
//
// with time, level, the package and the line of the code where it is asked for,
// the message and the attributes.
type lines struct {
	attrs  slog.Handler // writes the attributes into page, and a line break
	page   *page
	level  slog.Level
	zone   *time.Location
	source bool
}

// page is a line being put together. All handlers made of one share it.
type page struct {
	mu  sync.Mutex
	buf bytes.Buffer
	w   io.Writer
}

// noMessage stands for the message where only attributes are to be written.
const noMessage = "\x00"

func newLines(w io.Writer, level slog.Level, zone *time.Location, source bool) *lines {
	p := &page{w: w}
	attrs := slog.NewTextHandler(&p.buf, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) > 0 {
			return a
		}
		if _, ok := a.Value.Any().(slog.Level); ok && a.Key == slog.LevelKey || a.Key == slog.MessageKey && a.Value.String() == noMessage {
			return slog.Attr{}
		}
		return a
	}})
	return &lines{attrs: attrs, page: p, level: level, zone: zone, source: source}
}

// Enabled implements slog.Handler.
func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }

// Handle implements slog.Handler.
func (l *lines) Handle(ctx context.Context, r slog.Record) error {
	attrs := slog.NewRecord(time.Time{}, r.Level, noMessage, 0)
	r.Attrs(func(a slog.Attr) bool {
		attrs.AddAttrs(a)
		return true
	})
	l.page.mu.Lock()
	defer l.page.mu.Unlock()
	b := &l.page.buf
	b.Reset()
	b.WriteString(r.Time.In(l.zone).Format(stamp))
	b.WriteByte(' ')
	b.WriteString((LevelName(r.Level) + "        ")[:8])
	if l.source {
		b.WriteString(origin(r.PC))
		b.WriteByte(' ')
	}
	b.WriteString(oneLine(r.Message))
	b.WriteByte(' ')
	if err := l.attrs.Handle(ctx, attrs); err != nil {
		return err
	}
	line := bytes.TrimRight(b.Bytes(), " \n")
	_, err := l.page.w.Write(append(line, '\n')) // into the buffer, which is longer
	return err
}

// WithAttrs implements slog.Handler.
func (l *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *l
	with.attrs = l.attrs.WithAttrs(attrs)
	return &with
}

// WithGroup implements slog.Handler.
func (l *lines) WithGroup(name string) slog.Handler {
	with := *l
	with.attrs = l.attrs.WithGroup(name)
	return &with
}

// LevelName is a level in the words that readers of app.log know: DEBUG, INFO, WARNING,
// ERROR.
func LevelName(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "DEBUG"
	case l < slog.LevelWarn:
		return "INFO"
	case l < slog.LevelError:
		return "WARNING"
	}
	return "ERROR"
}

// origin is where in the code something was logged, as package/file.go:line.
func origin(pc uintptr) string {
	if pc == 0 {
		return "-"
	}
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	// A function is path/package.Function, or path/package.(*Type).Method.
	dir, name := path.Split(frame.Function)
	pkg, _, _ := strings.Cut(name, ".")
	return strings.TrimPrefix(dir+pkg, "switchyard/") + "/" + path.Base(frame.File) + ":" + strconv.Itoa(frame.Line)
}

// oneLine quotes what would break the line.
func oneLine(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return strconv.Quote(s)
	}
	return s
}
