package logs

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"switchyard/configs"
)

// The names of the files.
const (
	appLog     = "app.log"
	toggleLog  = "toggle_api.log"
	pushLog    = "push_status.log"
	lastPush   = "last_push_status.json"
	lockFile   = ".lock"
	unfinished = "." + lastPush + ".new"
)

const (
	// dirMode and fileMode let the group read, administrators say.
	dirMode  = 0o750
	fileMode = 0o640
)

// Files are the log files of a process.
type Files struct {
	dir           string
	lock          *os.File
	app           slog.Handler
	toggles, push *slog.Logger
	sinks         []*sink

	saving sync.Mutex // guards the document
}

// Open makes the directory logs.dir where it isn't there, takes it for this
// process, and opens the files in it; where it is empty, it returns nil. stderr
// is told of lines that are lost. The error names the key and where it was set.
func Open(c *configs.Config, stderr *slog.Logger) (*Files, error) {
	if c.Logs.Dir == "" {
		return nil, nil //nolint:nilnil // a nil *Files is one that writes nothing
	}
	f, err := open(c, stderr)
	if err != nil {
		return nil, c.Fault("logs.dir", "%v", err)
	}
	return f, nil
}

func open(c *configs.Config, stderr *slog.Logger) (*Files, error) {
	if err := os.MkdirAll(c.Logs.Dir, dirMode); err != nil {
		return nil, fmt.Errorf("can't be made: %w", err)
	}
	lock, err := takeDir(c.Logs.Dir)
	if err != nil {
		return nil, err
	}
	f := &Files{dir: c.Logs.Dir, lock: lock}
	zone := c.Location()
	app, toggles, push := f.sink(c, appLog, stderr), f.sink(c, toggleLog, stderr), f.sink(c, pushLog, stderr)
	f.app = appHandler(app, c, zone)
	f.toggles = slog.New(newLines(toggles, slog.LevelInfo, zone, false))
	f.push = slog.New(newLines(push, slog.LevelInfo, zone, false))
	if err := f.touch(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Files) sink(c *configs.Config, name string, stderr *slog.Logger) *sink {
	s := newSink(filepath.Join(f.dir, name), c.Logs, stderr)
	f.sinks = append(f.sinks, s)
	return s
}

// touch makes the files that aren't there, in the mode that they are to have,
// and finds out whether they can be written to.
func (f *Files) touch() error {
	var errs []error
	for _, s := range f.sinks {
		errs = append(errs, s.touch())
	}
	return errors.Join(errs...)
}

// App returns a handler that writes to app.log what h gets, too.
func (f *Files) App(h slog.Handler) slog.Handler {
	if f == nil {
		return h
	}
	return slog.NewMultiHandler(h, f.app)
}

// Toggles writes to toggle_api.log.
func (f *Files) Toggles() *slog.Logger {
	if f == nil {
		return slog.New(slog.DiscardHandler)
	}
	return f.toggles
}

// Push writes to push_status.log.
func (f *Files) Push() *slog.Logger {
	if f == nil {
		return slog.New(slog.DiscardHandler)
	}
	return f.push
}

// SavePush replaces last_push_status.json. Who reads it meanwhile has the
// document before or this one, and so has who looks after a crash.
func (f *Files) SavePush(document []byte) error {
	if f == nil {
		return nil
	}
	f.saving.Lock()
	defer f.saving.Unlock()
	if err := replace(filepath.Join(f.dir, lastPush), filepath.Join(f.dir, unfinished), document); err != nil {
		return fmt.Errorf("keeping the document that was pushed (logs.dir): %w", err)
	}
	return nil
}

// Reopen has the files opened anew, for a program that moved them away.
func (f *Files) Reopen() error {
	if f == nil {
		return nil
	}
	if err := errors.Join(f.closeSinks(), f.touch()); err != nil {
		return fmt.Errorf("opening the log files anew (logs.dir): %w", err)
	}
	return nil
}

// Close closes the files and lets go of the directory. What is logged afterwards
// is lost.
func (f *Files) Close() error {
	if f == nil {
		return nil
	}
	var errs []error
	for _, s := range f.sinks {
		errs = append(errs, s.end())
	}
	return errors.Join(append(errs, f.lock.Close())...)
}

func (f *Files) closeSinks() error {
	var errs []error
	for _, s := range f.sinks {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}
