package logs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/configs"
	"switchyard/logs"
)

// bundle is a process with log files.
type bundle struct {
	dir    string
	config *configs.Config
	files  *logs.Files
	stderr *bytes.Buffer // what became of the files; lines have no time
}

func setup(t *testing.T, change ...func(*configs.Config)) *bundle {
	t.Helper()
	b := &bundle{dir: filepath.Join(t.TempDir(), "var", "log"), config: configs.Default(), stderr: new(bytes.Buffer)}
	b.config.Logs.Dir, b.config.Logs.Compress = b.dir, false
	for _, c := range change {
		c(b.config)
	}
	var err error
	b.files, err = logs.Open(b.config, told(b.stderr))
	must(t, err)
	t.Cleanup(func() { must(t, b.files.Close()) })
	return b
}

// told writes what is logged, without the time, to w.
func told(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	must(t, err)
	return string(text)
}

// Ensure each logger writes to its file, what is logged with the app's handler
// goes where it went before, too, and the directory and the files that were
// missing are there from the start.
func TestFiles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"app.log", "toggle_api.log", "push_status.log"} {
		info, err := os.Stat(filepath.Join(b.dir, name))
		must(t, err)
		if mode := info.Mode().Perm(); mode&^0o640 != 0 || mode&0o600 != 0o600 {
			t.Errorf("%s has mode %s", name, mode)
		}
	}
	var before bytes.Buffer
	slog.New(b.files.App(told(&before).Handler())).Info("hello", "to", "all")
	b.files.Toggles().Info("toggle ended", "subnet", 16)
	b.files.Push().Info("pushed", "to", "main")
	for name, want := range map[string]string{
		"app.log":         ` INFO    logs_test/files_test\.go:\d+ hello to=all\n$`,
		"toggle_api.log":  ` INFO    toggle ended subnet=16\n$`,
		"push_status.log": ` INFO    pushed to=main\n$`,
	} {
		if got := read(t, b.dir, name); !regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+09:00` + want).MatchString(got) {
			t.Errorf("%s has %q", name, got)
		}
	}
	if got := before.String(); got != "level=INFO msg=hello to=all\n" {
		t.Errorf("the handler got %q", got)
	}
	if got := b.stderr.String(); got != "" {
		t.Errorf("standard error got %q", got)
	}
}

// Ensure without logs.dir nothing is written, and everything can be called.
func TestFiles_none(t *testing.T) {
	t.Parallel()
	files, err := logs.Open(configs.Default(), told(io.Discard))
	if files != nil || err != nil {
		t.Fatalf("got %v, %v", files, err)
	}
	files.Toggles().Info("lost")
	files.Push().Info("lost")
	h := told(io.Discard).Handler()
	if got := files.App(h); got != h {
		t.Errorf("the handler became %T", got)
	}
	must(t, files.SavePush([]byte("{}")))
	must(t, files.Reopen())
	must(t, files.Close())
}

// Ensure a directory that can't be used is an error at the start that names the
// key and says where it stands.
func TestOpen_unusable(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, dir string){
		"below a file": func(t *testing.T, dir string) { must(t, os.WriteFile(filepath.Dir(dir), nil, 0o600)) },
		"a file": func(t *testing.T, dir string) {
			must(t, os.Mkdir(filepath.Dir(dir), 0o700))
			must(t, os.WriteFile(dir, nil, 0o600))
		},
		"a log is a folder":   func(t *testing.T, dir string) { must(t, os.MkdirAll(filepath.Join(dir, "toggle_api.log"), 0o700)) },
		"the lock's a folder": func(t *testing.T, dir string) { must(t, os.MkdirAll(filepath.Join(dir, ".lock"), 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			dir, file := filepath.Join(root, "var", "log"), filepath.Join(root, "switchyard.yaml")
			prepare(t, dir)
			must(t, os.WriteFile(file, fmt.Appendf(nil, "timezone: UTC\nlogs:\n  dir: %s\n", dir), 0o600))
			c, err := configs.Load(file, nil)
			must(t, err)
			_, err = logs.Open(c, told(io.Discard))
			if err == nil || !strings.HasPrefix(err.Error(), file+":3: logs.dir: can't be ") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Ensure a directory has one process at a time, and the next may have it when
// that is gone.
func TestOpen_taken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := logs.Open(b.config, told(io.Discard)); err == nil || !strings.Contains(err.Error(), "another process writes its logs there") {
		t.Errorf("got %v", err)
	}
	must(t, b.files.Close())
	again, err := logs.Open(b.config, told(io.Discard))
	must(t, err)
	must(t, again.Close())
	b.files, err = logs.Open(b.config, told(io.Discard))
	must(t, err)
}

// Ensure a log begins anew before it would be longer than 10 MiB, no line is
// torn or lost by it, and old files are kept up to the number that is set.
func TestFiles_rotate(t *testing.T) {
	t.Parallel()
	const bound, line = 10 << 20, 1 << 20 // of attributes, so that a file holds nine lines
	for _, keep := range []int{0, 2} {
		b := setup(t, func(c *configs.Config) { c.Logs.MaxBackups = keep })
		text := strings.Repeat("x", line)
		n := 0
		write := func(lines int) {
			for range lines {
				b.files.Push().Info("pushed", "n", n, "text", text)
				n++
			}
		}
		write(9)
		if old := backups(t, b.dir); len(old) != 0 {
			t.Fatalf("%v before the bound", old)
		}
		write(1)
		if old := backups(t, b.dir); len(old) != 1 {
			t.Fatalf("%v after the bound", old)
		}
		if keep > 0 {
			write(27)
			eventually(t, func() bool { return len(backups(t, b.dir)) == keep })
			continue
		}
		seen := 0
		for _, path := range append(backups(t, b.dir), filepath.Join(b.dir, "push_status.log")) {
			all := read(t, path)
			if len(all) > bound || !strings.HasSuffix(all, "x\n") {
				t.Errorf("%s has %d bytes", path, len(all))
			}
			for l := range strings.Lines(all) {
				if !strings.Contains(l, fmt.Sprintf(" n=%d text=", seen)) {
					t.Fatalf("line %d of all is %.80q", seen, l)
				}
				seen++
			}
		}
		if seen != n {
			t.Errorf("%d lines of %d are there", seen, n)
		}
	}
}

func backups(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "push_status-*"))
	must(t, err)
	return all
}

// eventually waits for what another goroutine, of a library, is to do.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	limit, tick := time.NewTimer(time.Minute), time.NewTicker(5*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatal("it didn't come to that")
		}
	}
}

// Ensure old files are compressed where that is set, and whole.
func TestFiles_compress(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Logs.Compress = true })
	text := strings.Repeat("x", 6<<20)
	b.files.Push().Info("pushed", "text", text)
	b.files.Push().Info("pushed", "text", text)
	eventually(t, func() bool {
		old := backups(t, b.dir)
		return len(old) == 1 && strings.HasSuffix(old[0], ".log.gz")
	})
}

// Ensure files that were moved away are written to until they are opened anew,
// and then no more: what logrotate counts on.
func TestFiles_reopen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	here, away := filepath.Join(b.dir, "toggle_api.log"), filepath.Join(b.dir, "moved")
	b.files.Toggles().Info("one")
	must(t, os.Rename(here, away))
	b.files.Toggles().Info("two")
	must(t, b.files.Reopen())
	b.files.Toggles().Info("three")
	if got := read(t, away); !strings.Contains(got, "one") || !strings.Contains(got, "two") || strings.Contains(got, "three") {
		t.Errorf("the moved file has %q", got)
	}
	if got := read(t, here); strings.Count(got, "\n") != 1 || !strings.Contains(got, "three") {
		t.Errorf("the new file has %q", got)
	}
	if info, err := os.Stat(here); err != nil || info.Mode().Perm()&^0o640 != 0 {
		t.Errorf("the new file: %v, %v", info.Mode(), err)
	}
}

// Ensure a full disk stops and fails nothing, is told once and its end once, and
// leaves other files alone.
func TestFiles_full(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	b := setup(t)
	path := filepath.Join(b.dir, "push_status.log")
	must(t, os.Remove(path))
	must(t, os.Symlink("/dev/full", path))
	must(t, b.files.Reopen())
	h := b.files.Push().Handler()
	for i := range 3 {
		r := slog.NewRecord(time.Now(), slog.LevelInfo, "pushed", 0)
		r.AddAttrs(slog.Int("n", i))
		if err := h.Handle(t.Context(), r); err != nil {
			t.Errorf("the handler failed: %v", err)
		}
	}
	b.files.Toggles().Info("toggle ended")
	must(t, os.Remove(path))
	must(t, b.files.Reopen())
	b.files.Push().Info("pushed", "n", 3)
	if got := read(t, path); !strings.HasSuffix(got, "pushed n=3\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("the file has %q", got)
	}
	if got := read(t, b.dir, "toggle_api.log"); !strings.Contains(got, "toggle ended") {
		t.Errorf("the other file has %q", got)
	}
	want := fmt.Sprintf("level=ERROR msg=%q file=%s err=%q\nlevel=INFO msg=%q file=%s lost=3\n",
		"a log file can't be written to; its lines are lost until it can", path, "write "+path+": no space left on device",
		"a log file can be written to again", path)
	if got := b.stderr.String(); got != want {
		t.Errorf("standard error got\n%swant\n%s", got, want)
	}
}

// Ensure what is logged after the files were closed makes none, and fails
// nothing.
func TestFiles_closed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.files.Close())
	must(t, os.RemoveAll(b.dir))
	b.files.Toggles().Info("late")
	if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
		t.Errorf("the directory is there again (%v)", err)
	}
	b.files, _ = logs.Open(b.config, told(io.Discard)) // for the cleanup
}

// Ensure a reader of the last document has a whole one at any time, that it is
// the last in the end, and that nothing else is left in the directory.
func TestSavePush(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := filepath.Join(b.dir, "last_push_status.json")
	document := func(n int) []byte {
		return fmt.Appendf(nil, `{"n": %d, "text": %q}`, n, strings.Repeat("x", 10_000*(n%7)))
	}
	must(t, b.files.SavePush(document(0)))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				text, err := os.ReadFile(path)
				if err != nil || !json.Valid(text) {
					t.Errorf("a reader has %d bytes, %v", len(text), err)
					return
				}
			}
		})
	}
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for n := range 50 {
				if err := b.files.SavePush(document(w*50 + n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	must(t, b.files.SavePush([]byte(`{"n": 100}`)))
	if got := read(t, path); got != `{"n": 100}` {
		t.Errorf("the last is %.50q", got)
	}
	all, err := os.ReadDir(b.dir)
	must(t, err)
	if len(all) != 5 {
		t.Errorf("there are %v", all)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&^0o640 != 0 {
		t.Errorf("it has mode %v, %v", info.Mode(), err)
	}
}

// Ensure a document that can't be replaced stays as it was, and the error says
// what it is about.
func TestSavePush_fails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.files.SavePush([]byte("before")))
	must(t, os.Symlink("/nowhere/at/all", filepath.Join(b.dir, ".last_push_status.json.new")))
	if err := b.files.SavePush([]byte("after")); err == nil || !strings.Contains(err.Error(), "logs.dir") {
		t.Errorf("got %v", err)
	}
	if got := read(t, b.dir, "last_push_status.json"); got != "before" {
		t.Errorf("it is %q", got)
	}
}
