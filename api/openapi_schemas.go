package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/tasks"
)

// Only answers are touched here: the schemas of request bodies check requests,
// and are told all they need by their types.

// nullable are the members that are a document or null. huma describes members
// that way only where they are scalars.
var nullable = map[string][]string{
	"ToggleResult":   {"signal"},
	"ToggleOutcome":  {"signal"},
	"ProxyStatus":    {"signal"},
	"HostDocument":   {"hub_info", "rotation"},
	"PushList":       {"document"},
	"DongleDocument": {"signal", "quality", "rotation", "usb"},
	"SignalQuality":  {"rsrp", "rsrq", "sinr"},
}

// words are the members with a fixed set of values, in types that know nothing
// of this document.
var words = map[string]map[string][]any{
	"StatusDocument": {"status": {"ready"}},
	"ToggleStatus":   {"status": {"idle", "in_progress", "recent", "timeout"}},
	"JobAccepted":    {"status": {"queued", "scheduled", "running", "retrying", "completed", "failed", "cancelled"}},

	"DeploymentAccepted": {"status": {"queued", "scheduled", "running", "retrying"}},
}

var descriptions = map[string]string{
	"ToggleResult":   "What came of a toggle. Levels always show a decimal (-105.0); they are numbers like any other.",
	"ToggleOutcome":  "What came of a toggle, as the older proxy API answers.",
	"StatusDocument": "A proxy host and its dongles. Times are local, in the configured time zone.",
	"Signal":         "What a modem says of its radio, null where it says nothing. RSRP and RSSI in dBm, RSRQ and SINR in dB.",
	"PlainSignal":    "What a modem says of its radio, null where it says nothing. RSRP and RSSI in dBm, RSRQ and SINR in dB.",
	"ToggleStatus":   "How it stands with a dongle's toggle. idle and recent tell the last one, in_progress and timeout the one under way.",
	"Traffic":        "The modem's count since it was last reset, in bytes.",
	"Problem":        "An error: RFC 9457 with a code for programs.",
	"LegacyError":    "An error of the older proxy API.",
	"JobAccepted":    "A request that became a job, or joined one.",
	"JobDocument":    "A job. Times are null where not yet.",
	"WebhookRequest": "A trading alert. Names and values are taken without regard to case, numbers as strings, too; fields that nobody knows are passed over.",
	"WebhookAnswer":  "What came of a trading alert.",
	"WebhookError":   "Why a trading alert was refused, in the language of its clients.",
	"WebhookLog":     "A page of requests to the trading webhook, newest first; next_cursor is null on the last one.",
	"WebhookEntry":   "A request to the trading webhook.",
	"JobList":        "A page of jobs, newest first; next_cursor is null on the last one.",
	"DeploymentList": "A page of deployments, newest first; next_cursor is null on the last one.",
	"DongleCheck":    "The dongles that should be there, compared with those that are.",
	"Rotation":       "How often toggles brought an address that their dongle had not had lately.",
	"Collision":      "A public address that several dongles of a host show.",
	"HubInfo":        "How the dongles hang on the host's USB hubs.",
	"USBPlace":       "Where a dongle hangs on the host's USB.",
}

// aliases are types that write themselves as another type.
func aliases(r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[tasks.Optional[string]](), reflect.TypeFor[*string]())
}

func finishSchemas(all map[string]*huma.Schema) {
	for name, members := range nullable {
		for _, m := range members {
			if s := all[name]; s != nil && s.Properties[m] != nil {
				s.Properties[m] = &huma.Schema{AnyOf: []*huma.Schema{s.Properties[m], {Type: "null"}}}
			}
		}
	}
	for name, members := range words {
		for m, values := range members {
			if s := all[name]; s != nil && s.Properties[m] != nil {
				s.Properties[m].Enum = values
			}
		}
	}
	for name, text := range descriptions {
		if s := all[name]; s != nil {
			s.Description = text
		}
	}
}
