package worker_test

import (
	"bytes"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"switchyard/jobs"
	"switchyard/sim/hilink"
	"switchyard/tasks"
	"switchyard/worker"
)

// told starts a worker of the host whose toggles are told to the buffer.
func (h *proxyHost) told(t *testing.T) (*worker.Worker, *bytes.Buffer) {
	t.Helper()
	out := new(bytes.Buffer) // read when the worker has ended
	j := &worker.HostJobs{
		Host: h.host, Registry: h.registry, Now: h.store.Now, Log: discard, Toggles: slog.New(slog.NewTextHandler(out, nil)),
	}
	return h.start(t, nil, func(o *worker.Options) {
		o.Queues = []worker.Queue{{Name: tasks.HostQueue("h1"), Concurrency: 2}}
		o.Handlers = map[tasks.Type]worker.Handler{tasks.Toggle: j.Toggle}
	}), out
}

// wants fails the test unless each line of the log is as the pattern in its place.
func wants(t *testing.T, out *bytes.Buffer, job string, patterns ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != len(patterns) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(patterns), out)
	}
	for i, p := range patterns {
		line := strings.Replace(lines[i], " job="+job+" host=h1 subnet=16 port=10016", "", 1)
		if line == lines[i] || !regexp.MustCompile(`^time=\S+ `+p+"$").MatchString(line) {
			t.Errorf("line %d is\n%s\nwant\n%s", i, lines[i], p)
		}
	}
}

// Ensure the file of toggles tells of each what was found, each step as it went,
// and what came of it.
func TestToggle_told(t *testing.T) {
	t.Parallel()
	h := setupHost(t)
	before := h.modem.Address().String()
	w, out := h.told(t)
	id := h.toggle(t, 16)
	h.ended(t, id)
	must(t, w.Stop(h.ctx))
	now := h.modem.Address().String()
	wants(t, out, id,
		`level=INFO msg="toggle started" attempt=1`,
		`level=INFO msg="toggle diagnosed" diagnosis=healthy old_ip=`+before,
		`level=INFO msg="toggle step" step=2 outcome=ok duration_ms=\d+ method=net_mode`,
		`level=INFO msg="toggle ended" success=true ip=`+now+` step=0 duration_ms=\d+`)
}

// Ensure it tells why steps were passed over, and that and why a toggle failed.
func TestToggle_toldOfFailure(t *testing.T) {
	t.Parallel()
	h := setupHost(t)
	h.host.Ladder.StepLimit = 300 * time.Millisecond
	before := h.modem.Address().String()
	h.modem.SetFaults(hilink.Faults{NoAddress: true})
	w, out := h.told(t)
	id := h.toggle(t, 16)
	h.ended(t, id)
	must(t, w.Stop(h.ctx))
	wants(t, out, id,
		`level=INFO msg="toggle started" attempt=1`,
		`level=INFO msg="toggle diagnosed" diagnosis=healthy old_ip=`+before,
		`level=INFO msg="toggle step" step=2 outcome=failed duration_ms=\d+ method=net_mode reason=.+`,
		`level=INFO msg="toggle step" step=2 outcome=failed duration_ms=\d+ method=dataswitch reason=.+`,
		`level=INFO msg="toggle step" step=3 outcome=skipped duration_ms=\d+ reason=.+`,
		`level=INFO msg="toggle step" step=4 outcome=skipped duration_ms=\d+ reason=.+`,
		`level=WARN msg="toggle ended" success=false ip=none step=4 duration_ms=\d+ err="no step brought connectivity"`)
}

// Ensure it tells of a toggle that was cancelled, and of one that is to be run
// again because the worker stops.
func TestToggle_toldOfTheEnd(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]string{
		"cancelled": `level=INFO msg="toggle cancelled" step=2 duration_ms=\d+`,
		"stopped":   `level=INFO msg="toggle handed back, to be run again" duration_ms=\d+`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := setupHost(t)
			h.modem.SetFaults(hilink.Faults{NoAddress: true})
			w, out := h.told(t)
			id := h.toggle(t, 16)
			h.underWay(t)
			if name == "cancelled" {
				_, err := h.store.Cancel(h.ctx, id)
				must(t, err)
				if j := h.ended(t, id); j.State != jobs.Cancelled {
					t.Errorf("the job is %s", j.State)
				}
			}
			must(t, w.Stop(h.ctx))
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if got := lines[len(lines)-1]; !regexp.MustCompile(strings.Replace(last, `" `, `" job=`+id+` host=h1 subnet=16 port=10016 `, 1) + "$").MatchString(got) {
				t.Errorf("the last line is\n%s\nwant\n%s", got, last)
			}
		})
	}
}
