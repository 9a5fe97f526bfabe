package delivery

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"switchyard/configs"
	"switchyard/executions"
	"switchyard/jobs"
	"switchyard/tasks"
)

// executionKind is the kind of the callback that tells how an execution of a strategy
// ended.
const executionKind = "strategy/result"

// planExecution lists the posts of an execution that has ended: its document, to those
// URLs that asked for it.
func planExecution(j *jobs.Job, phase jobs.Phase, urls []string, c configs.Callbacks) ([]jobs.Request, error) {
	if phase != jobs.PhaseResult || !j.State.Final() || len(urls) == 0 {
		return nil, nil
	}
	d, err := executions.Of(j)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("writing the document of execution %d: %w", d.ID, err)
	}
	var out []jobs.Request
	for _, u := range slices.Sorted(slices.Values(urls)) {
		out = append(out, jobs.Request{
			ID: executions.CallbackID(j, u),
			Draft: tasks.NewCallback(tasks.CallbackPayload{URL: u, Kind: executionKind, Body: string(body)},
				j.ID, "", c.StrategyTimeout.Std()+timeoutSlack, c.StrategyAttempts),
		})
	}
	return out, nil
}

// timeoutFor is how long one try at a callback of a kind may take.
func timeoutFor(c configs.Callbacks, kind string) time.Duration {
	if kind == executionKind {
		return c.StrategyTimeout.Std()
	}
	return c.Timeout.Std()
}
