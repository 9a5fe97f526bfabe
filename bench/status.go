package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"switchyard/sim/hilink"
	"switchyard/tasks"
)

const (
	statusEvery  = 6 // every so-manyth modem hangs
	statusWithin = 3 * time.Second
	statusLimit  = 30 * time.Second
)

// status measures what somebody waits for the status of a full host whose worker
// has just started, some of whose modems take requests and answer none: the real
// program as its worker, another process as the api, GET /status from the moment
// that the worker says it has started. Every other dongle has to be complete in
// the answer, and of those that hang everything but what the modem would have
// said. The bound is what it takes while none hangs.
func status(ctx context.Context, o options) (rows []row, err error) {
	binary, err := buildProgram(ctx, o)
	if err != nil {
		return nil, err
	}
	modems, stop, err := startModems(ctx, tasks.MaxSubnet-tasks.MinSubnet+1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop(ctx)) }()
	var sound, hung []time.Duration
	for range o.rounds {
		for _, hang := range []bool{false, true} {
			for i, m := range modems {
				m.SetFaults(hilink.Faults{Hang: hang && i%statusEvery == statusEvery-1})
			}
			took, err := statusRound(ctx, o, binary, modems)
			if err != nil {
				return nil, err
			}
			if hang {
				hung = append(hung, took)
			} else {
				sound = append(sound, took)
			}
		}
	}
	slowest := percentile(hung, 100)
	return []row{{
		what: fmt.Sprintf("status of %d dongles, %d hang", len(modems), len(modems)/statusEvery), ours: millis(slowest),
		against: fmt.Sprintf("none hangs %s", millis(median(sound))), ratio: ratio(medianRatio(hung, sound)),
		target: "<= " + millis(statusWithin), verdict: atMost(slowest, statusWithin),
	}}, nil
}

// statusRound starts a worker on a Redis without data and asks for its status.
func statusRound(ctx context.Context, o options, binary string, modems []*hilink.Modem) (took time.Duration, err error) {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return 0, err
	}
	defer srv.Stop()
	api, err := startChild(ctx, "api", childSpec{Redis: srv.Addr()})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, api.stop()) }()
	config := filepath.Join(o.dir, "worker.yaml")
	if err := os.WriteFile(config, []byte(workerConfig(o, srv.Addr(), modems)), 0o600); err != nil {
		return 0, fmt.Errorf("writing the configuration: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "serve", "-c", config, "--role", "worker")
	log, err := cmd.StderrPipe()
	if err != nil {
		return 0, fmt.Errorf("starting the worker: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("starting the worker: %w", err)
	}
	defer func() { err = errors.Join(err, endWorker(cmd)) }()
	if err := awaitLine(log, `msg="worker started"`); err != nil {
		return 0, err
	}
	go func() { _, _ = io.Copy(io.Discard, log) }() // until it ends
	_, ip := benchHost(0)
	began := time.Now()
	doc, err := readStatus(ctx, "http://"+api.addr+"/status?server_ip="+ip)
	if err != nil {
		return 0, err
	}
	return time.Since(began), complete(doc, modems)
}

func readStatus(ctx context.Context, url string) (doc tasks.StatusDocument, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return doc, fmt.Errorf("writing the request: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return doc, fmt.Errorf("asking for the status: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("the answer has status %d: %s", res.StatusCode, b)
	}
	if err == nil {
		err = json.Unmarshal(b, &doc)
	}
	if err != nil {
		return doc, fmt.Errorf("reading the status: %w", err)
	}
	return doc, nil
}

// complete says what is missing in a status.
func complete(doc tasks.StatusDocument, modems []*hilink.Modem) error {
	if len(doc.AvailableProxies) != len(modems) {
		return fmt.Errorf("the status has %d dongles, not %d", len(doc.AvailableProxies), len(modems))
	}
	for _, p := range doc.AvailableProxies {
		i := slices.IndexFunc(modems, func(m *hilink.Modem) bool {
			return p.ExternalIP != nil && *p.ExternalIP == m.Address().String()
		})
		if i != p.Subnet-tasks.MinSubnet || !p.Connected {
			return fmt.Errorf("dongle %d is shown without its address: %+v", p.Subnet, p)
		}
		if said := p.Signal != nil && p.Traffic.Download > 0; said == modems[i].Faults().Hang {
			return fmt.Errorf("dongle %d, whose modem hangs: %v, is shown with %+v and %+v", p.Subnet, !said, p.Traffic, p.Signal)
		}
	}
	return nil
}
