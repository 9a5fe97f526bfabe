package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/configs"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/tasks"
)

// HostDocument is a proxy host as clients see it. Times are RFC 3339 UTC with
// milliseconds, null where there is none.
type HostDocument struct {
	Host       string           `json:"host" example:"seoul-1"`
	ServerIP   string           `json:"server_ip" example:"198.51.100.7"`
	Status     string           `json:"status" enum:"online,offline" doc:"offline: it has said that it goes, or nothing for a while"`
	LastSeenAt *string          `json:"last_seen_at" format:"date-time" doc:"Its last heartbeat"`
	StartedAt  *string          `json:"started_at" format:"date-time" doc:"When its worker was started"`
	Version    string           `json:"version" doc:"Of its worker"`
	Expected   int              `json:"expected" doc:"How many dongles it should have"`
	Physical   int              `json:"physical" doc:"How many are on its USB"`
	HubInfo    *tasks.HubInfo   `json:"hub_info" doc:"How they hang on its hubs; null where that is unknown"`
	Rotation   *Rotation        `json:"rotation" doc:"What the toggles of all its dongles brought; null where there was none lately"`
	Collisions []Collision      `json:"collisions" doc:"Public addresses that several of its dongles show now"`
	Dongles    []DongleDocument `json:"dongles" doc:"In the order of their subnets"`
}

// HostList is every host that has registered.
type HostList struct {
	Hosts []HostDocument `json:"hosts" doc:"By name"`
}

// HostRemoved is the answer to the removal of a host.
type HostRemoved struct {
	Host       string `json:"host"`
	FailedJobs int    `json:"failed_jobs" doc:"How many of its jobs were unfinished, and have failed now"`
}

type hostInput struct {
	Host string `path:"host" maxLength:"64" doc:"The host's name" example:"seoul-1"`
}

type hostsOutput struct{ Body HostList }

type hostOutput struct{ Body HostDocument }

type hostRemovedOutput struct{ Body HostRemoved }

func (s *Server) hostOperations(api huma.API) {
	read := map[string]any{metaScope: configs.ProxiesRead}
	huma.Register(api, huma.Operation{
		OperationID: "list-hosts", Method: http.MethodGet, Path: "/api/v1/hosts", Tags: []string{tagHosts},
		Summary: "All proxy hosts", Description: "Each with the last known state of its dongles.",
		Errors: []int{400, 503}, Metadata: read, RejectUnknownQueryParameters: true,
	}, s.listHosts)
	huma.Register(api, huma.Operation{
		OperationID: "get-host", Method: http.MethodGet, Path: "/api/v1/hosts/{host}", Tags: []string{tagHosts},
		Summary: "One proxy host", Description: "With the last known state of its dongles.",
		Errors: []int{400, 404, 503}, Metadata: read,
	}, s.getHost)
	huma.Register(api, huma.Operation{
		OperationID: "remove-host", Method: http.MethodDelete, Path: "/api/v1/hosts/{host}", Tags: []string{tagHosts},
		Summary: "Remove a proxy host that is no more",
		Description: "Only while it is offline. Its unfinished jobs fail, and who waits for them is told; its queues and its state go. " +
			"Its jobs stay readable as long as any. Where it breaks off, ask again.",
		Errors: []int{400, 404, 409, 503}, Metadata: map[string]any{metaScope: configs.HostsWrite},
	}, s.removeHost)
	huma.Register(api, huma.Operation{
		OperationID: "list-proxies", Method: http.MethodGet, Path: "/api/v1/proxies", Tags: []string{tagProxies},
		Summary:     "All dongles",
		Description: "Each as last known, also those of hosts that are offline. Conditions hold together; a dongle that says nothing of its radio meets none about it.",
		Errors:      []int{400, 404, 503}, Metadata: read, RejectUnknownQueryParameters: true,
	}, s.listProxies)
}

func (s *Server) listHosts(ctx context.Context, _ *struct{}) (*hostsOutput, error) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	all, err := s.opt.Registry.All(ctx)
	if err != nil {
		return nil, s.registryAway(ctx, err)
	}
	docs, p := s.hostDocuments(ctx, all)
	if p != nil {
		return nil, p
	}
	return &hostsOutput{Body: HostList{Hosts: docs}}, nil
}

func (s *Server) getHost(ctx context.Context, in *hostInput) (*hostOutput, error) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	h, p := s.registered(ctx, in.Host)
	if p != nil {
		return nil, p
	}
	docs, p := s.hostDocuments(ctx, []*hosts.Info{h})
	if p != nil {
		return nil, p
	}
	return &hostOutput{Body: docs[0]}, nil
}

// registered is the host as it is now.
func (s *Server) registered(ctx context.Context, name string) (*hosts.Info, *Problem) {
	if !tasks.ValidHost(name) {
		return nil, unknownHost()
	}
	h, err := s.opt.Registry.Get(ctx, name)
	switch {
	case errors.Is(err, hosts.ErrUnknown):
		return nil, unknownHost()
	case err != nil:
		return nil, s.registryAway(ctx, err)
	}
	return h, nil
}

func unknownHost() *Problem {
	return problem(http.StatusNotFound, "unknown_host", "host", "No such host has registered.")
}

// registryAway is the answer when the registry can't be read or written.
func (s *Server) registryAway(ctx context.Context, err error) *Problem {
	if errors.Is(err, hosts.ErrUnavailable) {
		err = errors.Join(jobs.ErrUnavailable, err)
	}
	return fromJobs(s.log(ctx), err)
}

// hostDocuments composes what is known of hosts with the toggles under way.
func (s *Server) hostDocuments(ctx context.Context, all []*hosts.Info) ([]HostDocument, *Problem) {
	names := make([]string, len(all))
	toggles := map[string][]string{}
	for i, h := range all {
		names[i] = h.Name
		for _, n := range h.Dongles {
			toggles[h.Name] = append(toggles[h.Name], tasks.ToggleKey(n))
		}
	}
	states, err := s.opt.Registry.States(ctx, names)
	if err != nil {
		return nil, s.registryAway(ctx, err)
	}
	underWay, err := s.opt.Store.UnderWayOn(ctx, toggles)
	if err != nil {
		return nil, fromJobs(s.log(ctx), err)
	}
	now := s.opt.Store.Now()
	docs := make([]HostDocument, len(all))
	for i, h := range all {
		if err := errors.Join(h.Fault, states[i].Fault); err != nil {
			s.log(ctx).Warn("what a host wrote of itself can't be read; it is shown without", "host", h.Name, "err", err)
		}
		d := HostDocument{
			Host: h.Name, ServerIP: h.ServerIP, Status: "offline", LastSeenAt: timeOrNull(h.Seen), StartedAt: timeOrNull(h.Started),
			Version: h.Version, Expected: len(h.Dongles), Physical: h.Physical, HubInfo: h.Hub,
			Collisions: []Collision{}, Dongles: make([]DongleDocument, 0, len(h.Dongles)),
		}
		if s.opt.Registry.Online(h, now) {
			d.Status = "online"
		}
		var brought hosts.Rotations
		for _, n := range h.Dongles {
			brought = brought.Add(states[i].Rotated(n, now))
		}
		d.Rotation = newRotation(brought)
		for _, c := range states[i].Collisions(h.Dongles) {
			d.Collisions = append(d.Collisions, Collision{c.IP, c.Subnets})
		}
		for _, n := range h.Dongles {
			var started time.Time
			if j := underWay[h.Name][tasks.ToggleKey(n)]; j != nil && j.State == jobs.Running {
				started = j.Started
			}
			d.Dongles = append(d.Dongles, s.dongleDocument(now, h, &d, n, states[i], started))
		}
		docs[i] = d
	}
	return docs, nil
}

// removeHost ends what a host that is no more was to do, and forgets it. A
// request that raced with it is ended with the others, or, where it was
// accepted by a process that hadn't heard yet, by the scheduler.
func (s *Server) removeHost(ctx context.Context, in *hostInput) (*hostRemovedOutput, error) {
	h, p := s.removing(ctx, in.Host)
	if p != nil {
		return nil, p
	}
	failed := 0
	evict := func() *Problem {
		before := s.opt.Store.Now()
		for more := true; more; {
			var n int
			err := s.quickly(ctx, func(ctx context.Context) (err error) {
				n, more, err = s.opt.Store.Evict(ctx, h.Name, before)
				return err
			})
			failed += n
			if err != nil {
				return fromJobs(s.log(ctx), err)
			}
		}
		return nil
	}
	if p := evict(); p != nil {
		return nil, p
	}
	err := s.quickly(ctx, func(ctx context.Context) error { return s.opt.Registry.Forget(ctx, h.Name) })
	s.directory.Forget()
	switch {
	case errors.Is(err, hosts.ErrOnline):
		return nil, hostOnline(h.Name)
	case err != nil:
		return nil, s.registryAway(ctx, err)
	}
	// Whoever found the host before it was forgotten has been accepted by now, or
	// is the scheduler's.
	if p := evict(); p != nil {
		s.log(ctx).Warn("what was accepted for a removed host meanwhile is left to the scheduler", "host", h.Name)
	}
	s.log(ctx).Info("host removed", "host", h.Name, "server_ip", h.ServerIP, "failed_jobs", failed)
	return &hostRemovedOutput{Body: HostRemoved{Host: h.Name, FailedJobs: failed}}, nil
}

// removing begins the removal of a host.
func (s *Server) removing(ctx context.Context, name string) (*hosts.Info, *Problem) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	if !tasks.ValidHost(name) {
		return nil, unknownHost()
	}
	h, err := s.opt.Registry.Get(ctx, name)
	switch {
	case errors.Is(err, hosts.ErrUnknown):
		return nil, unknownHost()
	case errors.Is(err, hosts.ErrUnavailable):
		return nil, s.registryAway(ctx, err)
	case err != nil:
		s.log(ctx).Warn("a host whose entry can't be read is removed", "host", name, "err", err)
		h = &hosts.Info{Name: name}
	}
	err = s.opt.Registry.Remove(ctx, name, s.opt.Store.Now())
	switch {
	case errors.Is(err, hosts.ErrOnline):
		return nil, hostOnline(name)
	case errors.Is(err, hosts.ErrUnknown):
		return nil, unknownHost()
	case err != nil:
		return nil, s.registryAway(ctx, err)
	}
	return h, nil
}

func hostOnline(name string) *Problem {
	return problem(http.StatusConflict, "host_online", "host", "Host "+name+" is online. Stop its worker first.")
}

// quickly does one step of several, each with the time that a request has for
// Redis.
func (s *Server) quickly(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	return step(ctx)
}
