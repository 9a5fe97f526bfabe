package hosts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// What the share of new addresses is counted over: a dongle's last toggles, and
// none that is older than a carrier may take to give an address out again.
const (
	RotationToggles = 100
	RotationAge     = 14 * 24 * time.Hour
)

// Rotation is a toggle that left its dongle with an address.
type Rotation struct {
	// ID is the toggle's; noted twice it counts once.
	ID string
	At time.Time
	// Old is the address before, empty where there was none; New the one after,
	// which may be the same.
	Old, New string
}

// Rotations are what a dongle's toggles brought, of those in the window: the last
// RotationToggles within RotationAge. Toggles that brought no address at all are
// not among them.
type Rotations struct {
	Toggles int `json:"toggles"`
	// Unique brought an address that the dongle had not had before in the window.
	Unique int `json:"unique"`
	// Until is when the last of them ended.
	Until time.Time `json:"until"`
}

// Add is those of both, as of several dongles.
func (r Rotations) Add(o Rotations) Rotations {
	r.Toggles, r.Unique = r.Toggles+o.Toggles, r.Unique+o.Unique
	if o.Until.After(r.Until) {
		r.Until = o.Until
	}
	return r
}

// Ratio is the share of unique ones; false: there was no toggle.
func (r Rotations) Ratio() (float64, bool) {
	if r.Toggles == 0 {
		return 0, false
	}
	return float64(r.Unique) / float64(r.Toggles), true
}

// addressesKey holds a dongle's rotations in the window, in full: the worker's
// own. rotationsKey holds what they come to, which everybody reads.
func addressesKey(host string) string { return "sw:v1:h:" + host + ":addresses" }
func rotationsKey(host string) string { return "sw:v1:h:" + host + ":rotations" }

// NoteRotation adds a toggle to those of its dongle. Toggles of one dongle come
// one after the other, from one process.
func (r *Registry) NoteRotation(ctx context.Context, host string, subnet int, last Rotation) error {
	doing := fmt.Sprintf("noting the addresses of dongle %d of host %s", subnet, host)
	field := strconv.Itoa(subnet)
	var all []rotation
	b, err := r.rdb.HGet(ctx, addressesKey(host), field).Bytes()
	if err != nil && !errors.Is(err, redis.Nil) {
		return unavailable(doing, err)
	}
	if json.Unmarshal(b, &all) != nil {
		all = nil // of another version; it begins anew
	}
	all = window(all, rotation{last.ID, last.At.UnixMilli(), last.Old, last.New})
	if b, err = json.Marshal(all); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	sum, err := json.Marshal(count(all))
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	_, err = r.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, addressesKey(host), field, b)
		p.HSet(ctx, rotationsKey(host), field, sum)
		return nil
	})
	if err != nil {
		return unavailable(doing, err)
	}
	return nil
}

// rotation is a Rotation as it is kept: a hundred of them take a few KiB.
type rotation struct {
	ID  string `json:"i"`
	At  int64  `json:"t"`
	Old string `json:"o,omitempty"`
	New string `json:"n"`
}

// window is all with last, without what lies outside of it.
func window(all []rotation, last rotation) []rotation {
	all = slices.DeleteFunc(all, func(o rotation) bool {
		return o.ID == last.ID || last.At-o.At > RotationAge.Milliseconds()
	})
	all = append(all, last)
	return all[max(0, len(all)-RotationToggles):]
}

// count counts the rotations of a window, the oldest first.
func count(all []rotation) Rotations {
	out := Rotations{Toggles: len(all)}
	seen := map[string]bool{}
	for _, o := range all {
		if o.Old != "" {
			seen[o.Old] = true
		}
		if !seen[o.New] {
			out.Unique++
		}
		seen[o.New] = true
		out.Until = time.UnixMilli(o.At).UTC()
	}
	return out
}

// parseRotations reads the rotations of a host's dongles as of now.
func parseRotations(host string, fields map[string]string) (out map[int]Rotations, fault error) {
	for k, v := range fields {
		n, numErr := strconv.Atoi(k)
		var r Rotations
		if err := errors.Join(numErr, json.Unmarshal([]byte(v), &r)); err != nil {
			fault = fmt.Errorf("reading the rotations of dongle %s of host %s: %w", k, host, err)
			continue
		}
		if out == nil {
			out = map[int]Rotations{}
		}
		out[n] = r
	}
	return out, fault
}

// Rotated is what the toggles of a dongle have brought, as of now; none where the
// last one is older than the window.
func (s State) Rotated(subnet int, now time.Time) Rotations {
	r := s.Rotations[subnet]
	if now.Sub(r.Until) > RotationAge {
		return Rotations{}
	}
	return r
}

// Collision is one public address that several dongles of a host show.
type Collision struct {
	IP      string
	Subnets []int // ascending
}

// Collisions are those of the dongles that are connected, by the first of their
// subnets.
func (s State) Collisions(subnets []int) []Collision {
	var out []Collision
	at := map[string]int{}
	for _, n := range slices.Sorted(slices.Values(subnets)) {
		d := s.Dongles[n]
		if !d.Connected || d.ExternalIP == nil {
			continue
		}
		i, known := at[*d.ExternalIP]
		if !known {
			i, at[*d.ExternalIP] = len(out), len(out)
			out = append(out, Collision{IP: *d.ExternalIP})
		}
		out[i].Subnets = append(out[i].Subnets, n)
	}
	return slices.DeleteFunc(out, func(c Collision) bool { return len(c.Subnets) < 2 })
}
