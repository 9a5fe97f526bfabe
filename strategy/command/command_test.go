//go:build linux

package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchyard/strategy/command"
)

// script is a program in sh that is given nothing but PATH.
func script(t *testing.T, text string, change ...func(*command.Spec)) command.Spec {
	t.Helper()
	s := command.Spec{
		Argv: []string{"/bin/sh", "-c", text}, Environment: []string{"PATH=/usr/bin:/bin"},
		Timeout: time.Minute, CPU: time.Minute, Memory: 256 << 20,
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

var input = command.Input{Execution: 7, Strategy: "Own", Version: "2.1", Parameters: json.RawMessage(`{"asset":"SPY"}`)}

func run(t *testing.T, s command.Spec) (command.Output, []int, error) {
	t.Helper()
	var progress []int
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	out, err := command.Run(ctx, s, input, func(p int) { progress = append(progress, p) })
	return out, progress, err
}

// Ensure a program gets its input and environment and nothing else, and that its result,
// its progress and the end of its standard error arrive.
func TestRun(t *testing.T) {
	t.Parallel()
	out, progress, err := run(t, script(t, `
		echo '{"progress": 10}'; echo '{"progress": 250}'
		echo "to people" >&2
		printf '{"in": %s,\n "dir": "%s", "left": "%s"}\n' "$(cat)" "$PWD" "$(ls -A)"
		env | cut -d= -f1 | sort | tr '\n' ' ' >&2`))
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		In        command.Input
		Dir, Left string
	}
	if err := json.Unmarshal(out.Result, &r); err != nil {
		t.Fatalf("%s: %v", out.Result, err)
	}
	if r.In.Execution != 7 || r.In.Strategy != "Own" || r.In.Version != "2.1" || string(r.In.Parameters) != `{"asset":"SPY"}` || r.Left != "" {
		t.Errorf("it saw %s", out.Result)
	}
	if _, err := os.Stat(r.Dir); !os.IsNotExist(err) || !strings.Contains(r.Dir, "switchyard-strategy-") {
		t.Errorf("its directory %s is still there: %v", r.Dir, err)
	}
	if !slices.Equal(progress, []int{10, 100}) || out.Errors != "to people\nPATH PWD " {
		t.Errorf("progress %v, errors %q", progress, out.Errors)
	}
}

// Ensure what a program does wrong is said in words that help, and what it wrote to its
// standard error is kept.
func TestRunFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spec   command.Spec
		want   string
		errors string
	}{
		"exit code":     {script(t, `echo first >&2; echo "KeyError: 'asset'" >&2; exit 3`), "has failed: exit status 3: KeyError: 'asset'", "first\nKeyError: 'asset'\n"},
		"silent":        {script(t, `exit 1`), "has failed: exit status 1", ""},
		"killed":        {script(t, `kill -9 $$`), "has failed: signal: killed", ""},
		"no result":     {script(t, `echo '{"progress":50}'`), "has written no result", ""},
		"no JSON":       {script(t, `echo hello`), "that is no JSON", ""},
		"half a result": {script(t, `printf '{"a":'`), "that is no JSON", ""},
		"no object":     {script(t, `echo '[1]'`), "that is no object", ""},
		"a number":      {script(t, `echo 7`), "that is no object", ""},
		"endless words": {script(t, `yes '{"progress":1}'`), "has written more than 4 MiB", ""},
		"large result":  {script(t, `printf '{"a":"'; head -c 300000 /dev/zero | tr '\0' x; printf '"}'`), "of more than 256 KiB", ""},
		"no program":    {script(t, ``, func(s *command.Spec) { s.Argv = []string{"/no/such/program"} }), "starting /no/such/program", ""},
		"no directory":  {script(t, `echo '{}'`, func(s *command.Spec) { s.Dir = "/no/such/directory" }), "starting /bin/sh", ""},
		"long errors":   {script(t, `head -c 10000 /dev/zero | tr '\0' e >&2; exit 1`), "has failed: exit status 1", "…" + strings.Repeat("e", 4096)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _, err := run(t, tt.spec)
			if err == nil || !strings.Contains(err.Error(), tt.want) || out.Result != nil || out.Errors != tt.errors {
				t.Errorf("%v, %q, %s", err, out.Errors, out.Result)
			}
		})
	}
}

// Ensure a program that goes too far is ended, and told which limit it was.
func TestLimits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spec command.Spec
		want string
	}{
		"time":      {script(t, `exec sleep 600`, func(s *command.Spec) { s.Timeout = 300 * time.Millisecond }), "took longer than 300ms"},
		"CPU":       {script(t, `while :; do :; done`, func(s *command.Spec) { s.CPU = time.Second }), "used more than 1s of processor time"},
		"CPU, many": {script(t, `for i in 1 2 3; do while :; do :; done & done; wait`, func(s *command.Spec) { s.CPU = 2 * time.Second }), "used more than 2s of processor time"},
		// The whole of it is in use by several processes, none of which goes too far.
		"memory":    {script(t, `for i in 1 2 3 4; do (head -c 20000000 /dev/zero | tr '\0' x; sleep 60) | sort >/dev/null & done; wait`, func(s *command.Spec) { s.Memory = 64 << 20 }), "used more than 64 MiB of memory"},
		"processes": {script(t, `i=0; while [ $i -lt 100 ]; do sleep 600 & i=$((i+1)); done; wait`), "had more than 64 processes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := run(t, tt.spec)
			var limit *command.LimitError
			if !errors.As(err, &limit) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want one that says that it %s", err, tt.want)
			}
		})
	}
}

// pids reads the numbers that a program's processes have written down.
func pids(t *testing.T, dir string) (out []int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "pids"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range strings.Fields(string(text)) {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

// alive are those of pids that are still there and not just waiting to be buried.
func alive(pids []int) (out []int) {
	for _, p := range pids {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(p) + "/stat")
		if err == nil && syscall.Kill(p, 0) == nil && !strings.Contains(string(stat), ") Z ") {
			out = append(out, p)
		}
	}
	return out
}

// litter leaves a child in the group, one in a group and session of its own, and one
// whose parent is gone, all of which hold the output open.
const litter = `
	sleep 600 & echo $! >>pids
	setsid sleep 600 & echo $! >>pids
	(setsid sh -c 'sleep 600 & echo $! >>pids')
	while [ $(wc -l <pids) -lt 3 ]; do :; done
`

// Ensure all that a program has started ends with it, however it ends.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rest   string
		change func(*command.Spec)
		ok     bool
	}{
		"by itself":   {`echo '{}'`, func(*command.Spec) {}, true},
		"by failing":  {`exit 1`, func(*command.Spec) {}, false},
		"by its time": {`sleep 600`, func(s *command.Spec) { s.Timeout = 2 * time.Second }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			_, _, err := run(t, script(t, litter+tt.rest, func(s *command.Spec) { s.Dir = dir }, tt.change))
			if (err == nil) != tt.ok {
				t.Errorf("it ended with %v", err)
			}
			all := pids(t, dir)
			if left := alive(all); len(all) != 3 || len(left) > 0 {
				t.Errorf("of %v there are still %v", all, left)
			}
		})
	}
}

// Ensure a cancelled program ends with all that it has started, with the cause of the
// context.
func TestCancel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cause := errors.New("somebody wants it so")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	_, err := command.Run(ctx, script(t, litter+`echo '{"progress":5}'; sleep 600`, func(s *command.Spec) { s.Dir = dir }), input, func(int) { cancel(cause) })
	if !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	if all := pids(t, dir); len(all) != 3 || len(alive(all)) > 0 {
		t.Errorf("of %v there are still %v", all, alive(all))
	}
}

// Ensure the example of the documentation is a strategy that works as it stands.
func TestTheDocumentedExample(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip(err)
	}
	file, err := filepath.Abs("../../docs/buy_and_hold.py")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "SPY.csv"), []byte("Date,Close\n2024-06-27,100\n2024-06-28,\n2024-07-01,125\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := command.Spec{
		Argv: []string{python, file}, Environment: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "PRICES_DIR=" + dir},
		Timeout: time.Minute, CPU: time.Minute, Memory: 512 << 20,
	}
	in := command.Input{Execution: 1, Strategy: "BuyAndHold", Version: "1.0.0", Parameters: json.RawMessage(`{"symbol":"SPY","initial_capital":1000}`)}
	var progress []int
	out, err := command.Run(t.Context(), s, in, func(p int) { progress = append(progress, p) })
	const want = `{"strategy": "BuyAndHold", "portfolio": {"weights": {"SPY": 1}}, "final_value": 1250.0, "return": 0.25, "equity_curve": [{"date": "2024-06-27", "value": 1000.0}, {"date": "2024-07-01", "value": 1250.0}]}`
	if err != nil || string(out.Result) != want || !slices.Equal(progress, []int{10, 60}) || out.Errors != "reading the prices of SPY\n" {
		t.Errorf("%v, %s, %v, %q", err, out.Result, progress, out.Errors)
	}
	in.Parameters = json.RawMessage(`{"symbol":"QQQ","initial_capital":1000}`)
	if _, err := command.Run(t.Context(), s, in, func(int) {}); err == nil || !strings.Contains(err.Error(), "FileNotFoundError") {
		t.Errorf("without prices: %v", err)
	}
}
