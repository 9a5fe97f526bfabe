package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"switchyard/sim/receiver"
	"switchyard/tasks"
)

// DemoToggle is one toggle of the demo and what came of it.
type DemoToggle struct {
	// Before and After are the dongle's addresses.
	Before, After string
	// Result is the API's answer.
	Result    json.RawMessage
	Callbacks []DemoCallback
}

// DemoCallback is what the receiver got.
type DemoCallback struct {
	Path    string            `json:"path"`
	Body    string            `json:"body"` // the raw string
	Headers map[string]string `json:"headers"`
	// Fault is what it has against the specification, "" if nothing.
	Fault string `json:"-"`
}

// Toggle toggles the demo's first dongle by HTTP, as a client would, and waits
// for both callbacks. It is for a demo whose receiver has received nothing yet.
func (d *Demo) Toggle(ctx context.Context) (*DemoToggle, error) {
	m := d.Modems[0]
	t := &DemoToggle{Before: m.Address().String()}
	body := fmt.Sprintf(`{"port":%d,"wait":%d}`, tasks.Port(demoFirst), int(demoWait.Seconds()))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL()+"/api/v1/proxies/toggle", bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the demo's API: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the API's answer: %w", err)
	}
	t.Result = bytes.TrimSpace(answer)
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the API answered with status %d: %s", res.StatusCode, t.Result)
	}
	t.After = m.Address().String()
	var got []receiver.Received
	err = d.Receiver.WaitFor(ctx, func(all []receiver.Received) bool {
		// The host pushes its status to the same receiver, every minute.
		got = slices.DeleteFunc(all, func(r receiver.Received) bool { return !strings.HasPrefix(r.Path, "/toggle/") })
		return len(got) >= 2
	})
	for _, r := range got {
		t.Callbacks = append(t.Callbacks, DemoCallback{Path: r.Path, Body: r.Body, Headers: r.Headers, Fault: r.Fault})
	}
	return t, err
}

// Err says what is wrong with the outcome: no address, or a callback that is
// not as specified.
func (t *DemoToggle) Err() error {
	var errs []error
	var r tasks.ToggleOutcome
	if err := json.Unmarshal(t.Result, &r); err != nil {
		return fmt.Errorf("reading the result: %w", err)
	}
	if !r.Success {
		errs = append(errs, errors.New("the toggle brought no address"))
	}
	for _, c := range t.Callbacks {
		if c.Fault != "" {
			errs = append(errs, fmt.Errorf("callback %s: %s", c.Path, c.Fault))
		}
	}
	return errors.Join(errs...)
}

// URL is the API's base URL.
func (d *Demo) URL() string { return "http://" + d.App.Addrs()[0] }
