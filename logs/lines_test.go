package logs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"switchyard/configs"
)

// Ensure a record is one line with its time in the configured zone, the level's
// word, where it was logged and its attributes, whatever is in them.
func TestApp_lines(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		log  func(*slog.Logger)
		want string // behind where it was logged
	}{
		"plain":           {func(l *slog.Logger) { l.Info("hello") }, "INFO    # hello"},
		"debug":           {func(l *slog.Logger) { l.Debug("hello") }, "DEBUG   # hello"},
		"warning":         {func(l *slog.Logger) { l.Warn("hello") }, "WARNING # hello"},
		"error":           {func(l *slog.Logger) { l.Error("hello", "err", errors.New("no way")) }, `ERROR   # hello err="no way"`},
		"with":            {func(l *slog.Logger) { l.With("role", "api").Info("hello", "a", 1) }, "INFO    # hello role=api a=1"},
		"group":           {func(l *slog.Logger) { l.WithGroup("g").Info("hello", "a", 1, slog.Group("h", "b", 2)) }, "INFO    # hello g.a=1 g.h.b=2"},
		"names of ours":   {func(l *slog.Logger) { l.Info("hello", "msg", "m", "level", "high", "time", "t") }, "INFO    # hello msg=m level=high time=t"}, //nolint:sloglint // others may
		"two lines":       {func(l *slog.Logger) { l.Info("hello\nthere", "a", "b\nc") }, `INFO    # "hello\nthere" a="b\nc"`},
		"secret":          {func(l *slog.Logger) { l.Info("hello", "key", configs.NewSecret("hunter2")) }, "INFO    # hello key=[redacted]"},
		"a child's words": {func(l *slog.Logger) { l.With("a", 1).Info("one"); l.Info("two") }, "INFO    # one a=1\nINFO    # two"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *configs.Config) { c.Log.Level, c.Timezone = "debug", "America/St_Johns" })
			began := time.Now().Truncate(time.Millisecond)
			tt.log(slog.New(b.files.App(slog.DiscardHandler)))
			text := strings.TrimSuffix(read(t, b.dir, "app.log"), "\n")
			lines := strings.Split(text, "\n")
			for i, line := range lines {
				const stamp = "2006-01-02 15:04:05.000-07:00"
				if len(line) < len(stamp) {
					t.Fatalf("line %q", line)
				}
				at, err := time.Parse(stamp, line[:len(stamp)])
				if err != nil || at.Before(began) || at.After(time.Now()) || !regexp.MustCompile(`-0[23]:30 `).MatchString(line) {
					t.Errorf("time of %q: %v", line, err)
				}
				lines[i] = regexp.MustCompile(`logs_test/lines_test\.go:\d+`).ReplaceAllString(line[len(stamp)+1:], "#")
			}
			if got := strings.Join(lines, "\n"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Ensure app.log has what the log on standard error has, and no more.
func TestApp_level(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Log.Level = "warn" })
	var before bytes.Buffer
	log := slog.New(b.files.App(slog.NewTextHandler(&before, &slog.HandlerOptions{Level: slog.LevelWarn})))
	log.Info("quiet")
	log.Warn("loud")
	for _, got := range []string{read(t, b.dir, "app.log"), before.String()} {
		if strings.Contains(got, "quiet") || !strings.Contains(got, "loud") {
			t.Errorf("it has %q", got)
		}
	}
}

// Ensure app.log is JSON where the log is, with who logged and local time.
func TestApp_json(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Log.Format = "json" })
	slog.New(b.files.App(slog.DiscardHandler)).With("role", "api").Warn("hello", "a", 1)
	var got struct {
		Time, Level, Msg, Role string
		Source                 struct{ Function, File string }
	}
	must(t, json.Unmarshal([]byte(read(t, b.dir, "app.log")), &got))
	if !strings.HasSuffix(got.Time, "+09:00") || got.Level != "WARN" || got.Msg != "hello" || got.Role != "api" || !strings.HasSuffix(got.Source.File, "lines_test.go") {
		t.Errorf("got %+v", got)
	}
}
