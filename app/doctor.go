package app

import (
	"context"
	"errors"
	"slices"

	"switchyard/configs"
)

// Status is what a finding comes to.
type Status string

// The statuses.
const (
	// OK: nothing to do.
	OK Status = "ok"
	// Warn: it works, and could be better.
	Warn Status = "warn"
	// Fail: switchyard doesn't start like this, or doesn't keep its promises.
	Fail Status = "fail"
)

// Finding is what the doctor found about one thing.
type Finding struct {
	// Check names the thing, as the configuration does where it is one of it.
	Check  string `json:"check"`
	Status Status `json:"status"`
	// Says is what was found.
	Says string `json:"says"`
	// Do is what to do about it, empty where there is nothing to do.
	Do string `json:"do,omitempty"`
}

// check is one look of the doctor.
type check struct {
	name string
	look func(ctx context.Context) Finding
}

// run looks, and names what was found.
func (c check) run(ctx context.Context) Finding {
	f := c.look(ctx)
	f.Check = c.name
	return f
}

// DoctorOptions say what is examined.
type DoctorOptions struct {
	Config *configs.Config
	// Roles that are going to run here.
	Roles []Role
	// User is who a worker's rights are examined for. Empty: the user of the
	// units, switchyard, where root asks and there is one; else who asks.
	User string
	// Root is the folder that holds the machine. Defaults to /.
	Root string
	// USB is the machine's. Defaults to the one below Root.
	USB USB
}

// Doctor examines whether these roles can run here with this configuration, and
// changes nothing. The findings stand in the order of the checks.
func Doctor(ctx context.Context, opt DoctorOptions) []Finding {
	var all []Finding
	for _, part := range []func(context.Context, DoctorOptions) []Finding{redisFindings, localFindings, hostFindings, cloudflareFindings, telegramFindings} {
		all = append(all, part(ctx, opt)...)
	}
	return all
}

// FaultFindings are the faults of a configuration that can't be used: then
// there is nothing else to examine.
func FaultFindings(err error) []Finding {
	var faults configs.Errors
	if !errors.As(err, &faults) {
		return []Finding{{Check: "configuration", Status: Fail, Says: err.Error(), Do: "give a file that can be read (-c)"}}
	}
	var all []Finding
	for _, f := range faults {
		all = append(all, Finding{Check: "configuration", Status: Fail, Says: f.Error(), Do: "correct it"})
	}
	return all
}

// Failed reports whether any of the findings is a failure.
func Failed(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.Status == Fail })
}

func ok(says string) Finding       { return Finding{Status: OK, Says: says} }
func warn(says, do string) Finding { return Finding{Status: Warn, Says: says, Do: do} }
func fail(says, do string) Finding { return Finding{Status: Fail, Says: says, Do: do} }
