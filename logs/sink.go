package logs

import (
	"fmt"
	"log/slog"
	"os"
	"sync"

	"gopkg.in/natefinch/lumberjack.v2"

	"switchyard/configs"
)

// maxSize is when a file is rotated, in MiB.
const maxSize = 10

// sink is one log file. What can't be written is lost, never an error: a log is
// no reason to fail.
type sink struct {
	path   string
	stderr *slog.Logger

	mu     sync.Mutex
	file   *lumberjack.Logger // its goroutine that removes old files has no end
	lost   int                // lines since the last one that was written
	cut    bool               // the file ends within a line
	closed bool
}

func newSink(path string, c configs.Logs, stderr *slog.Logger) *sink {
	return &sink{path: path, stderr: stderr, file: &lumberjack.Logger{
		Filename: path, MaxSize: maxSize, MaxBackups: c.MaxBackups, Compress: c.Compress,
	}}
}

// Write writes one line.
func (s *sink) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return len(line), nil
	}
	whole := line
	if s.cut {
		whole = append([]byte("\n"), line...)
	}
	n, err := s.file.Write(whole)
	switch {
	case err != nil && s.lost == 0:
		s.stderr.Error("a log file can't be written to; its lines are lost until it can", "file", s.path, "err", err)
	case err == nil && s.lost > 0:
		s.stderr.Info("a log file can be written to again", "file", s.path, "lost", s.lost)
	}
	if err != nil {
		s.lost++
		s.cut = s.cut && n == 0 || n > 1
	} else {
		s.lost, s.cut = 0, false
	}
	return len(line), nil
}

// touch makes the file where it isn't there.
func (s *sink) touch() error {
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, fileMode)
	if err != nil {
		return fmt.Errorf("can't be written to: %w", err)
	}
	return f.Close()
}

// close closes the file. The next line opens it again.
func (s *sink) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.Close()
}

// end closes the file for good.
func (s *sink) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.file.Close()
}
