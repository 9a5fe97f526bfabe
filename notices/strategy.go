package notices

import (
	"strconv"

	"switchyard/jobs"
	"switchyard/tasks"
)

// execution is what a chat is told of a strategy's execution.
func execution(j *jobs.Job) string {
	var p tasks.StrategyPayload
	read(j.Payload, &p)
	what := "Execution " + strconv.FormatInt(p.Execution, 10) + " of <b>" + plain(p.Strategy, longestName) + "</b>: "
	if j.State != jobs.Completed {
		return what + failure(j) + "."
	}
	var r struct {
		FinalValue *float64 `json:"final_value"`
		Return     *float64 `json:"return"`
	}
	read(j.Result, &r)
	switch {
	case r.Return != nil && r.FinalValue != nil:
		return what + "return " + strconv.FormatFloat(*r.Return*100, 'f', 2, 64) + " %, final value " + strconv.FormatFloat(*r.FinalValue, 'f', 2, 64) + "."
	case r.Return != nil:
		return what + "return " + strconv.FormatFloat(*r.Return*100, 'f', 2, 64) + " %."
	}
	return what + "completed."
}

// longestName is that of a strategy.
const longestName = 64
