package hosts

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrTaken: another machine has the host's name. See TakenError.
var ErrTaken = errors.New("another machine has this host's name")

// TakenError says who has a host's name; it is an ErrTaken.
type TakenError struct {
	Host, ServerIP string
	Since          time.Time
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("the machine at %s has been host %s since %s: give this one another name (host.name), or stop the worker there; "+
		"the name of a machine that is gone is free when that is shown offline", e.ServerIP, e.Host, e.Since.UTC().Format(time.RFC3339))
}

// Is makes it an ErrTaken.
func (*TakenError) Is(target error) bool { return target == ErrTaken }

//go:embed scripts/*.lua
var scriptFiles embed.FS

func script(name string) *redis.Script {
	b, err := scriptFiles.ReadFile("scripts/" + name + ".lua")
	if err != nil {
		panic("hosts: " + err.Error()) // embedded at build time
	}
	return redis.NewScript(string(b))
}

var (
	registerScript = script("register")
	leaveScript    = script("leave")
	removeScript   = script("remove")
	forgetScript   = script("forget")
)

// registrationKey is who has the host's name: its machine and process, until
// when it is believed alive, since when it has it.
func registrationKey(host string) string { return "sw:v1:h:" + host + ":registration" }

// Claim takes the host's name for i's machine as of i.Seen, as its process
// starts. inherits is false where another machine had it before: what that one
// left may be under way there yet, as far as this one can know. Error:
// ErrTaken, while the other is online.
func (r *Registry) Claim(ctx context.Context, i Info) (inherits bool, err error) {
	before, err := r.register(ctx, i, "claim")
	return before == "" || before == i.Machine, err
}

// Register writes what the host says of itself; it is also its heartbeat. Error:
// ErrTaken, for good, once another process has claimed the name.
func (r *Registry) Register(ctx context.Context, i Info) error {
	_, err := r.register(ctx, i, "beat")
	return err
}

func (r *Registry) register(ctx context.Context, i Info, how string) (before string, err error) {
	b, err := json.Marshal(i)
	if err != nil {
		return "", fmt.Errorf("marshalling host %s: %w", i.Name, err)
	}
	res, err := registerScript.Run(ctx, r.rdb, []string{registrationKey(i.Name), infoKey(i.Name), hostsKey},
		i.Machine, i.Process, how, i.Seen.UnixMilli(), i.Seen.Add(r.ttl).UnixMilli(), i.ServerIP, b, i.Name).StringSlice()
	if err != nil {
		return "", unavailable(fmt.Sprintf("registering host %s", i.Name), err)
	}
	if res[0] != "taken" {
		return res[1], nil
	}
	since, err := strconv.ParseInt(res[2], 10, 64)
	if err != nil {
		return "", unavailable(fmt.Sprintf("reading who has the name of host %s", i.Name), err)
	}
	return "", &TakenError{Host: i.Name, ServerIP: res[1], Since: time.UnixMilli(since)}
}

// Leave marks the host offline at once, as of i.Seen, unless another process has
// the name.
func (r *Registry) Leave(ctx context.Context, i Info) error {
	i.Left = true
	b, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("marshalling host %s: %w", i.Name, err)
	}
	if err := leaveScript.Run(ctx, r.rdb, []string{registrationKey(i.Name), infoKey(i.Name)}, i.Machine, i.Process, b).Err(); err != nil {
		return unavailable(fmt.Sprintf("saying that host %s is gone", i.Name), err)
	}
	return nil
}
