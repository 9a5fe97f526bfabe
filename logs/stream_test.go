package logs_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"switchyard/logs"
)

// Ensure lines are streamed with where they come from, without secrets, and written all
// the same.
func TestStream(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	var got []logs.Line
	log := slog.New(logs.Stream(slog.NewTextHandler(&file, nil), func(l logs.Line) { got = append(got, l) }))
	log.Debug("not enabled")
	log.With("role", "worker", "host", "seoul 1").WithGroup("g").With("api_key", "canary-1").Warn("it fails",
		"err", "no \"way\"", "token", "canary-2", slog.Group("h", "password", "canary-3", "n", 7))
	log.Info(strings.Repeat("x", 9000))
	if len(got) != 2 || strings.Count(file.String(), "\n") != 2 {
		t.Fatalf("%d lines, file %s", len(got), file.String())
	}
	l := got[0]
	if want := `it fails host="seoul 1" g.api_key=[redacted] g.err="no \"way\"" g.token=[redacted] g.h.password=[redacted] g.h.n=7`; l.Text != want {
		t.Errorf("got  %s\nwant %s", l.Text, want)
	}
	if l.Level != slog.LevelWarn || l.Role != "worker" || l.File != "stream_test.go" || l.Line == 0 || l.Package != "logs_test" || l.At.IsZero() {
		t.Errorf("%+v", l)
	}
	if n := len(got[1].Text); n > 4100 {
		t.Errorf("a line of %d bytes", n)
	}
}

// Ensure a flood is bounded, and says how much of it was left out.
func TestStreamIsBounded(t *testing.T) {
	t.Parallel()
	var got []logs.Line
	log := slog.New(logs.Stream(slog.DiscardHandler, func(l logs.Line) { got = append(got, l) }))
	_ = log
	base := slog.NewTextHandler(&bytes.Buffer{}, nil)
	log = slog.New(logs.Stream(base, func(l logs.Line) { got = append(got, l) }))
	for range 10_000 {
		log.Info("again")
	}
	if len(got) < 200 || len(got) > 2000 {
		t.Errorf("%d of 10000 lines", len(got))
	}
	for _, l := range got {
		if strings.Contains(l.Text, "lines before it were left out)") {
			return
		}
	}
	if len(got) > 200 {
		t.Error("nothing says that lines were left out")
	}
}
