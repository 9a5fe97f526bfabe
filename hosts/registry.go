// Package hosts is the registry of proxy hosts in Redis: who they are, whether
// they are alive, the last known state of their dongles, and what became of the
// pushes of it.
//
// A host's worker writes, everybody reads. All of a host lies under its own
// prefix (sw:v1:h:<host>:…) but for its name in the set of hosts. A host is
// online while it has said so within the registry's TTL; what it collected stays
// when it goes, so the state of its dongles survives restarts of every process.
//
// A name is one machine's. Its worker claims it at the start, which is refused
// while another machine that has it is online; a machine that was replaced while
// it was away hears of it by its next heartbeat. A host that is no more is
// removed (Remove, Forget), once it is offline.
//
// A host's process may write whatever it likes under its prefix, also that of a
// stolen machine or of another version. What can't be read there is that host's
// fault (Info.Fault, State.Fault), and keeps nobody from reading the others.
//
// Times are Redis' clock, as the caller passes them. Registry is safe for
// concurrent use.
package hosts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/tasks"
)

var (
	// ErrUnknown: no host of this name or address has ever registered.
	ErrUnknown = errors.New("no such host")
	// ErrUnavailable: Redis could not be asked, or not be told. Every method may
	// end with it.
	ErrUnavailable = errors.New("the registry of hosts is out of reach")
)

// unavailable wraps an error of Redis itself so that callers see both. A key of
// another kind than expected is no outage: no repetition mends it.
func unavailable(doing string, err error) error {
	if wrongKind(err) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}

func wrongKind(err error) bool { return redis.HasErrorPrefix(err, "WRONGTYPE") }

// Info is what a host says of itself.
type Info struct {
	Name     string    `json:"name"`
	ServerIP string    `json:"server_ip"`
	Dongles  []int     `json:"dongles"` // subnets, ascending
	Version  string    `json:"version"`
	Process  string    `json:"process"`
	Started  time.Time `json:"started_at"`
	// Machine tells apart machines that were given the same name.
	Machine string `json:"machine"`
	// Seen is its last heartbeat.
	Seen time.Time `json:"seen_at"`
	// Left: it has said that it goes, so it is offline whenever it was seen.
	Left bool `json:"left,omitempty"`
	// Physical is the number of dongles on the USB, or of those configured
	// where the USB can't be read.
	Physical int            `json:"physical"`
	Hub      *tasks.HubInfo `json:"hub_info,omitempty"`
	// USB is where its dongles hang, by subnet, as far as that is known.
	USB map[int]USBPlace `json:"usb,omitempty"`
	// Vitals are how its machine is; nil: it has not said.
	Vitals *Vitals `json:"vitals,omitempty"`
	// Fault is why nothing but the name could be read.
	Fault error `json:"-"`
}

// Vitals are the figures of a host's machine, in percent of what there is.
type Vitals struct {
	CPU    float64   `json:"cpu_percent"`
	Memory float64   `json:"memory_percent"`
	Disk   float64   `json:"disk_usage"`
	At     time.Time `json:"at"`
}

// Has reports whether the host has the dongle.
func (i *Info) Has(subnet int) bool { return slices.Contains(i.Dongles, subnet) }

// USBPlace is where a dongle hangs on the USB, and what is plugged in there.
type USBPlace struct {
	Path string `json:"path" example:"1-3.4.2" doc:"Of its device, as the kernel names it"`
	Hub  string `json:"hub" example:"1-3.4"`
	Port int    `json:"port" example:"2" doc:"Of the hub"`
	// State is what is there: see the constants.
	State string `json:"state" enum:"modem,storage,other,absent,stuck" doc:"storage: it shows itself as a disk; other: no modem; stuck: the kernel does not come back from a call about it"`
}

// The states of a USBPlace.
const (
	USBModem   = "modem"
	USBStorage = "storage" // it shows itself as a disk
	USBOther   = "other"   // no modem
	USBAbsent  = "absent"  // nothing
	USBStuck   = "stuck"   // the kernel doesn't come back from a call about it
)

// Dongle is what was last collected of one dongle.
type Dongle struct {
	ExternalIP *string       `json:"external_ip"`
	Connected  bool          `json:"connected"`
	Traffic    tasks.Traffic `json:"traffic"`
	Signal     *tasks.Signal `json:"signal"`
	Collected  time.Time     `json:"collected_at"`
}

// Registry reads and writes the hosts.
type Registry struct {
	rdb redis.UniversalClient
	ttl time.Duration
}

// New returns a registry on the client; ttl is how long a host is believed
// online after a heartbeat.
func New(rdb redis.UniversalClient, ttl time.Duration) *Registry {
	return &Registry{rdb: rdb, ttl: ttl}
}

const hostsKey = "sw:v1:hosts"

func infoKey(host string) string    { return "sw:v1:h:" + host + ":info" }
func donglesKey(host string) string { return "sw:v1:h:" + host + ":dongles" }
func togglesKey(host string) string { return "sw:v1:h:" + host + ":toggles" }

// Online reports whether the host is alive at now.
func (r *Registry) Online(i *Info, now time.Time) bool {
	return !i.Left && !i.Seen.IsZero() && now.Sub(i.Seen) < r.ttl
}

// All returns every host, by name. One whose entry can't be read is among them,
// as offline and without dongles.
func (r *Registry) All(ctx context.Context) ([]*Info, error) {
	names, err := r.rdb.SMembers(ctx, hostsKey).Result()
	if err != nil {
		return nil, unavailable("reading hosts", err)
	}
	sort.Strings(names)
	return r.Infos(ctx, names)
}

// Infos returns those of the hosts named that there are, as All does.
func (r *Registry) Infos(ctx context.Context, names []string) ([]*Info, error) {
	if len(names) == 0 {
		return nil, nil
	}
	keys := make([]string, len(names))
	for i, n := range names {
		keys[i] = infoKey(n)
	}
	vals, err := r.rdb.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, unavailable("reading hosts", err)
	}
	var out []*Info
	for i, v := range vals {
		s, ok := v.(string)
		if !ok || !tasks.ValidHost(names[i]) {
			continue
		}
		info, err := parseInfo(names[i], s)
		if err != nil {
			info = &Info{Name: names[i], Fault: err}
		}
		out = append(out, info)
	}
	return out, nil
}

// parseInfo reads what a host says of itself. Its name is the one it is found
// by, whatever it says: it may not pass itself off as another.
func parseInfo(name, entry string) (*Info, error) {
	var i Info
	if err := json.Unmarshal([]byte(entry), &i); err != nil {
		return nil, fmt.Errorf("reading host %s: %w", name, err)
	}
	i.Name = name
	return &i, nil
}

// Names returns the name of every host.
func (r *Registry) Names(ctx context.Context) ([]string, error) {
	names, err := r.rdb.SMembers(ctx, hostsKey).Result()
	if err != nil {
		return nil, unavailable("reading hosts", err)
	}
	return slices.DeleteFunc(names, func(n string) bool { return !tasks.ValidHost(n) }), nil
}

// Get returns one host. Error: ErrUnknown.
func (r *Registry) Get(ctx context.Context, name string) (*Info, error) {
	s, err := r.rdb.Get(ctx, infoKey(name)).Result()
	if errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	if err != nil {
		return nil, unavailable(fmt.Sprintf("reading host %s", name), err)
	}
	return parseInfo(name, s)
}

// SetDongle writes what was collected of one dongle.
func (r *Registry) SetDongle(ctx context.Context, host string, subnet int, d Dongle) error {
	b, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("marshalling dongle %d of host %s: %w", subnet, host, err)
	}
	if err := r.rdb.HSet(ctx, donglesKey(host), strconv.Itoa(subnet), b).Err(); err != nil {
		return unavailable(fmt.Sprintf("writing dongle %d of host %s", subnet, host), err)
	}
	return nil
}

// SetLastToggle writes when a dongle's last toggle ended.
func (r *Registry) SetLastToggle(ctx context.Context, host string, subnet int, at time.Time) error {
	if err := r.rdb.HSet(ctx, togglesKey(host), strconv.Itoa(subnet), at.UnixMilli()).Err(); err != nil {
		return unavailable(fmt.Sprintf("writing the last toggle of dongle %d of host %s", subnet, host), err)
	}
	return nil
}

// State is the last known state of a host's dongles, by subnet.
type State struct {
	Dongles    map[int]Dongle
	LastToggle map[int]time.Time
	Rotations  map[int]Rotations
	// Fault is why some of it is missing.
	Fault error
}

// State reads the last known state of a host's dongles.
func (r *Registry) State(ctx context.Context, host string) (State, error) {
	all, err := r.States(ctx, []string{host})
	if err != nil {
		return State{}, err
	}
	return all[0], all[0].Fault
}

// States reads the last known state of the dongles of some hosts. What can't be
// read of one is left out, and its State says so.
func (r *Registry) States(ctx context.Context, hosts []string) ([]State, error) {
	if len(hosts) == 0 {
		return nil, nil
	}
	dongles := make([]*redis.MapStringStringCmd, len(hosts))
	toggles := make([]*redis.MapStringStringCmd, len(hosts))
	rotations := make([]*redis.MapStringStringCmd, len(hosts))
	_, err := r.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, h := range hosts {
			dongles[i] = p.HGetAll(ctx, donglesKey(h))
			toggles[i] = p.HGetAll(ctx, togglesKey(h))
			rotations[i] = p.HGetAll(ctx, rotationsKey(h))
		}
		return nil
	})
	if err != nil && !wrongKind(err) {
		return nil, unavailable(fmt.Sprintf("reading the dongles of host %s", strings.Join(hosts, ", ")), err)
	}
	out := make([]State, len(hosts))
	for i, h := range hosts {
		for _, err := range []error{dongles[i].Err(), toggles[i].Err(), rotations[i].Err()} {
			if err != nil && !wrongKind(err) {
				return nil, unavailable("reading the dongles of host "+h, err)
			}
		}
		out[i] = parseState(h, dongles[i].Val(), toggles[i].Val())
		var fault error
		out[i].Rotations, fault = parseRotations(h, rotations[i].Val())
		out[i].Fault = errors.Join(out[i].Fault, fault, dongles[i].Err(), toggles[i].Err(), rotations[i].Err())
	}
	return out, nil
}

func parseState(host string, dongles, toggles map[string]string) State {
	st := State{Dongles: map[int]Dongle{}, LastToggle: map[int]time.Time{}}
	for k, v := range dongles {
		n, numErr := strconv.Atoi(k)
		var d Dongle
		if err := errors.Join(numErr, json.Unmarshal([]byte(v), &d)); err != nil {
			st.Fault = fmt.Errorf("reading dongle %s of host %s: %w", k, host, err)
			continue
		}
		st.Dongles[n] = d
	}
	for k, v := range toggles {
		n, numErr := strconv.Atoi(k)
		ms, msErr := strconv.ParseInt(v, 10, 64)
		if err := errors.Join(numErr, msErr); err != nil {
			st.Fault = fmt.Errorf("reading the last toggle of dongle %s of host %s: %w", k, host, err)
			continue
		}
		st.LastToggle[n] = time.UnixMilli(ms).UTC()
	}
	return st
}
