package notices

import (
	"switchyard/jobs"
	"switchyard/tasks"
)

// longestCommit is as much of a commit's hash as people read.
const longestCommit = 12

// deployment is what a chat is told of a deployment.
func deployment(j *jobs.Job) string {
	var p tasks.DeploymentPayload
	var how tasks.DeploymentProgress
	read(j.Payload, &p)
	read(j.Progress, &how)
	what := "Deployment of <b>" + plain(p.Project, longestName) + "</b>"
	if how.Branch != "" {
		what += ", branch " + plain(how.Branch, longestNote)
	}
	if how.Commit != "" {
		what += ", commit " + plain(how.Commit[:min(len(how.Commit), longestCommit)], longestCommit)
	}
	switch {
	case j.State == jobs.Completed:
		return what + ": completed."
	case j.State == jobs.Cancelled && how.Rollback == tasks.RolledBack:
		return what + ": cancelled, and rolled back."
	case j.State == jobs.Cancelled && how.Rollback == tasks.RollbackBroke:
		return what + ": cancelled; the roll-back has failed."
	}
	return what + ": " + failure(j) + "."
}
