package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"switchyard/configs"
)

// process is one process of the program under test.
type process struct {
	name   string
	role   string // what --role is given
	config string // path of its file
	ready  string // what it logs when it is ready

	cmd  *exec.Cmd
	said *journal
	done chan struct{} // closed when it has ended
	err  error         // how, once done is closed
}

// readyLimit is what a process may take until it is ready.
const readyLimit = 20 * time.Second

// What processes log when they are ready.
const (
	apiReady    = "listening"
	workerReady = "worker started"
)

// spawn starts a process with a configuration of its own. It doesn't wait for
// it.
func (s *stage) spawn(name, role string, c *configs.Config) (*process, error) {
	text, err := c.YAML()
	if err != nil {
		return nil, fmt.Errorf("writing the configuration of %s: %w", name, err)
	}
	p := &process{name: name, role: role, config: filepath.Join(s.dir, name+".yaml"), ready: apiReady}
	if role == "worker" {
		p.ready = workerReady
	}
	if s.reveal != nil {
		text = []byte(s.reveal(string(text)))
	}
	if err := os.WriteFile(p.config, text, 0o600); err != nil {
		return nil, err
	}
	return p, s.start(p)
}

// respawn starts a process again that has ended, and waits until it is ready.
func (s *stage) respawn(ctx context.Context, old *process) (*process, error) {
	p := &process{name: old.name, role: old.role, config: old.config, ready: old.ready}
	if err := s.start(p); err != nil {
		return nil, err
	}
	return p, s.awaitReady(ctx, p)
}

// awaitReady waits until the process says that it is ready, and the api is so.
func (s *stage) awaitReady(ctx context.Context, p *process) error {
	if err := p.awaitWord(ctx, p.ready); err != nil || p.ready != apiReady {
		return err
	}
	return s.until(ctx, readyLimit, "the api is ready", func(ctx context.Context) (bool, error) {
		var status any
		err := s.ask.get(ctx, "/readyz", &status)
		return err == nil, err
	})
}

func (s *stage) start(p *process) error {
	p.cmd = exec.CommandContext(s.life, s.opt.binary, "serve", "-c", p.config, "--role", p.role)
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TMPDIR=" + s.dir}
	if s.password != "" {
		p.cmd.Env = append(p.cmd.Env, "SWITCHYARD_HOST_MODEM_PASSWORD="+s.password)
	}
	if s.telegram != nil {
		p.cmd.Env = append(p.cmd.Env, "SWITCHYARD_TELEGRAM_TOKEN="+botToken)
	}
	p.cmd.SysProcAttr = ownGroup()
	out, err := p.cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	file, err := os.OpenFile(filepath.Join(s.dir, p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	p.said = &journal{changed: make(chan struct{}), sinks: []io.Writer{file}}
	if s.opt.verbose {
		p.said.sinks = append(p.said.sinks, &prefixed{prefix: p.name + " | ", to: s.opt.logs})
	}
	if err := p.cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting %s: %w", p.name, err), file.Close())
	}
	p.done = make(chan struct{})
	s.processes = append(s.processes, p)
	go func() {
		p.said.read(out)
		p.err = errors.Join(p.cmd.Wait(), file.Close())
		close(p.done)
	}()
	return nil
}

// awaitWord waits until the process has logged a line with these words.
func (p *process) awaitWord(ctx context.Context, words string) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		found, changed := p.said.find(words)
		if found {
			return nil
		}
		select {
		case <-changed:
		case <-p.done:
			return fmt.Errorf("%s ended before it said %q: %w; its last words: %s", p.name, words, p.err, p.said.last())
		case <-ctx.Done():
			return fmt.Errorf("%s did not say %q: %w; its last words: %s", p.name, words, ctx.Err(), p.said.last())
		}
	}
}

// kill ends it as a crash would, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL) // gone already: then done is closed
	<-p.done
}

// tell sends a signal.
func (p *process) tell(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signalling %s: %w", p.name, err)
	}
	return nil
}

// awaitEnd waits until the process has ended by itself; how is its error.
func (p *process) awaitEnd(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("%s ended badly: %w; its last words: %s", p.name, p.err, p.said.last())
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s has not ended within %s", p.name, limit)
	}
}

// running reports whether it has not ended.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// clockTick is the kernel's unit of CPU time in /proc.
const clockTick = 10 * time.Millisecond

// cpu is the CPU time that the process has used.
func (p *process) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The second field is the name in brackets and may hold anything.
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc stat of %s has %d fields", p.name, len(f))
	}
	user, err := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * clockTick, errors.Join(err, err2)
}

// journal is what one process has said.
type journal struct {
	sinks []io.Writer

	mu      sync.Mutex
	lines   []string
	changed chan struct{} // closed and replaced with every line
}

// read takes everything in until the process closes its end.
func (j *journal) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		for _, w := range j.sinks {
			fmt.Fprintln(w, lines.Text())
		}
		j.mu.Lock()
		j.lines = append(j.lines, lines.Text())
		close(j.changed)
		j.changed = make(chan struct{})
		j.mu.Unlock()
	}
}

// find looks for a line with these words; changed is closed with the next line.
func (j *journal) find(words string) (found bool, changed <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.lines {
		if strings.Contains(l, words) {
			return true, nil
		}
	}
	return false, j.changed
}

func (j *journal) last() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-3):], "\n")
}

// prefixed writes whole lines with a prefix.
type prefixed struct {
	prefix string
	to     io.Writer
}

// logsMu keeps the lines of different processes apart.
var logsMu sync.Mutex

func (p *prefixed) Write(b []byte) (int, error) {
	logsMu.Lock()
	defer logsMu.Unlock()
	if _, err := io.WriteString(p.to, p.prefix+string(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}
