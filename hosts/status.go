package hosts

import (
	"strconv"
	"time"

	"switchyard/tasks"
)

// Status composes the status document: what was last collected, with times and
// toggle states as of now. started holds when the toggles under way began, by
// subnet.
func Status(now time.Time, loc *time.Location, i *Info, st State, started map[int]time.Time) tasks.StatusDocument {
	doc := tasks.StatusDocument{
		Status:           "ready",
		Timestamp:        *tasks.LocalTime(now, loc),
		ServerIP:         i.ServerIP,
		AvailableProxies: make([]tasks.ProxyStatus, 0, len(i.Dongles)),
		ProxyCount:       len(i.Dongles),
		DongleCheck: tasks.DongleCheck{
			Expected: len(i.Dongles), Physical: i.Physical, DisconnectedPorts: []string{}, HubInfo: i.Hub,
		},
	}
	for _, n := range i.Dongles {
		d, last := st.Dongles[n], st.LastToggle[n]
		if d.Connected {
			doc.DongleCheck.Connected++
		} else {
			doc.DongleCheck.DisconnectedPorts = append(doc.DongleCheck.DisconnectedPorts, strconv.Itoa(tasks.Port(n)))
		}
		doc.AvailableProxies = append(doc.AvailableProxies, tasks.ProxyStatus{
			ProxyURL: tasks.ProxyURL(i.ServerIP, n), Subnet: n, ExternalIP: d.ExternalIP,
			LastToggle: tasks.LocalTime(last, loc), Traffic: d.Traffic, Connected: d.Connected,
			ToggleStatus: tasks.NewToggleStatus(now, started[n], last, loc), Signal: d.Signal.Plain(),
		})
	}
	return doc
}
