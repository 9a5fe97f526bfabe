package api

import (
	"context"
	"math"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/hosts"
	"switchyard/tasks"
)

// DongleDocument is what is last known of a dongle. Times are RFC 3339 UTC with
// milliseconds, null where there is none.
type DongleDocument struct {
	Host       string        `json:"host" example:"seoul-1"`
	ServerIP   string        `json:"server_ip" example:"198.51.100.7"`
	HostStatus string        `json:"host_status" enum:"online,offline"`
	Subnet     int           `json:"subnet" example:"16"`
	Port       int           `json:"port" example:"10016"`
	ProxyURL   string        `json:"proxy_url" example:"socks5://198.51.100.7:10016"`
	Connected  bool          `json:"connected" doc:"The last look for its address brought one"`
	ExternalIP *string       `json:"external_ip" example:"175.223.26.202"`
	Traffic    tasks.Traffic `json:"traffic" doc:"Bytes since the modem was last reset"`
	// Signal is null where the modem said nothing.
	Signal       *tasks.PlainSignal   `json:"signal"`
	Quality      *tasks.SignalQuality `json:"quality" doc:"How good the signal is, by reading; null where there is none"`
	Rotation     *Rotation            `json:"rotation" doc:"What its toggles brought; null where there was none lately"`
	CollidesWith []int                `json:"collides_with" doc:"Subnets of the host's dongles that show the same public address now"`
	LastToggleAt *string              `json:"last_toggle_at" format:"date-time" doc:"When its last toggle ended"`
	ToggleStatus ToggleStatus         `json:"toggle_status"`
	CollectedAt  *string              `json:"collected_at" format:"date-time" doc:"When this was read; null: never"`
	// USB is null where it isn't known.
	USB *hosts.USBPlace `json:"usb" doc:"Where it hangs on the host's USB; null where that is unknown"`
}

// ToggleStatus is how it stands with a dongle's toggle, as in the status
// document.
type ToggleStatus tasks.ToggleStatus

// Schema implements huma.SchemaProvider: which members there are depends on the
// status.
func (ToggleStatus) Schema(huma.Registry) *huma.Schema {
	of := func(kind, doc string) *huma.Schema { return &huma.Schema{Type: kind, Description: doc} }
	status := of(huma.TypeString, "")
	status.Enum = []any{"idle", "in_progress", "recent", "timeout"}
	last := of(huma.TypeString, "Local time; in idle and recent")
	last.Nullable = true
	return &huma.Schema{
		Type: huma.TypeObject, Required: []string{"status", "message"},
		Properties: map[string]*huma.Schema{
			"status": status, "message": of(huma.TypeString, ""), "last_toggle": last,
			"seconds_ago":     of(huma.TypeInteger, "In recent"),
			"started_at":      of(huma.TypeString, "RFC 3339 UTC; in in_progress and timeout"),
			"elapsed_seconds": of(huma.TypeInteger, "In in_progress and timeout"),
		},
	}
}

// Rotation is how often toggles brought an address that their dongle had not had
// lately.
type Rotation struct {
	Toggles int     `json:"toggles" doc:"Toggles that ended with an address: the last 100 of a dongle, of 14 days" example:"40"`
	Unique  int     `json:"unique" doc:"Those whose address the dongle had not had before among them" example:"37"`
	Ratio   float64 `json:"ratio" minimum:"0" maximum:"1" doc:"unique in toggles" example:"0.925"`
}

func newRotation(r hosts.Rotations) *Rotation {
	share, rotated := r.Ratio()
	if !rotated {
		return nil
	}
	return &Rotation{Toggles: r.Toggles, Unique: r.Unique, Ratio: share}
}

// Collision is a public address that several dongles of a host show.
type Collision struct {
	IP      string `json:"ip" example:"175.223.26.202"`
	Subnets []int  `json:"subnets" doc:"Whose it is, ascending" example:"[16, 17]"`
}

// others are the subnets that collide with this one.
func others(all []Collision, subnet int) []int {
	for _, c := range all {
		if i := slices.Index(c.Subnets, subnet); i >= 0 {
			return slices.Delete(slices.Clone(c.Subnets), i, i+1)
		}
	}
	return []int{}
}

func (s *Server) dongleDocument(now time.Time, i *hosts.Info, h *HostDocument, subnet int, st hosts.State, started time.Time) DongleDocument {
	d, last := st.Dongles[subnet], st.LastToggle[subnet]
	var place *hosts.USBPlace
	if p, known := i.USB[subnet]; known {
		place = &p
	}
	return DongleDocument{
		Host: h.Host, ServerIP: h.ServerIP, HostStatus: h.Status, Subnet: subnet, Port: tasks.Port(subnet), ProxyURL: tasks.ProxyURL(h.ServerIP, subnet),
		Connected: d.Connected, ExternalIP: d.ExternalIP, Traffic: d.Traffic, Signal: d.Signal.Plain(), Quality: d.Signal.Quality(),
		Rotation: newRotation(st.Rotated(subnet, now)), CollidesWith: others(h.Collisions, subnet),
		LastToggleAt: timeOrNull(last), ToggleStatus: ToggleStatus(tasks.NewToggleStatus(now, started, last, s.loc)), CollectedAt: timeOrNull(d.Collected),
		USB: place,
	}
}

// DongleList is dongles of all hosts.
type DongleList struct {
	Proxies []DongleDocument `json:"proxies" doc:"By host and subnet"`
}

// maybe is a parameter that may be left out.
type maybe[T any] struct {
	value T
	given bool
}

// Schema implements huma.SchemaProvider.
func (maybe[T]) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[T]())
}

// Receiver implements huma.ParamWrapper.
func (m *maybe[T]) Receiver() reflect.Value { return reflect.ValueOf(&m.value).Elem() }

// OnParamSet implements huma.ParamReactor.
func (m *maybe[T]) OnParamSet(isSet bool, _ any) { m.given = isSet }

type proxiesInput struct {
	Host      string         `query:"host" maxLength:"64" doc:"Only dongles of this host" example:"seoul-1"`
	Connected maybe[bool]    `query:"connected" doc:"Only those that are connected, or only those that are not" example:"true"`
	PLMN      string         `query:"plmn" pattern:"^[0-9]{5,6}$" doc:"Only those in this mobile network, by its number of 5 or 6 digits" example:"45008"`
	MinRSRP   maybe[float64] `query:"min_rsrp" minimum:"-200" maximum:"0" doc:"Only those with at least this RSRP, in dBm" example:"-100"`
}

type proxiesOutput struct{ Body DongleList }

func (s *Server) listProxies(ctx context.Context, in *proxiesInput) (*proxiesOutput, error) {
	if r := in.MinRSRP.value; math.IsNaN(r) || r < -200 || r > 0 {
		return nil, problem(http.StatusBadRequest, "invalid_min_rsrp", "min_rsrp", "min_rsrp is a level in dBm, -200 to 0.")
	}
	ctx, cancel := s.quick(ctx)
	defer cancel()
	var of []*hosts.Info
	if in.Host != "" {
		h, p := s.registered(ctx, in.Host)
		if p != nil {
			return nil, p
		}
		of = []*hosts.Info{h}
	} else {
		var err error
		if of, err = s.opt.Registry.All(ctx); err != nil {
			return nil, s.registryAway(ctx, err)
		}
	}
	docs, p := s.hostDocuments(ctx, of)
	if p != nil {
		return nil, p
	}
	out := &proxiesOutput{Body: DongleList{Proxies: []DongleDocument{}}}
	for _, h := range docs {
		for _, d := range h.Dongles {
			if in.wants(d) {
				out.Body.Proxies = append(out.Body.Proxies, d)
			}
		}
	}
	return out, nil
}

func (in *proxiesInput) wants(d DongleDocument) bool {
	radio := tasks.PlainSignal{}
	if d.Signal != nil {
		radio = *d.Signal
	}
	switch {
	case in.Connected.given && d.Connected != in.Connected.value,
		in.PLMN != "" && (radio.PLMN == nil || *radio.PLMN != in.PLMN),
		in.MinRSRP.given && (radio.RSRP == nil || *radio.RSRP < in.MinRSRP.value):
		return false
	}
	return true
}
