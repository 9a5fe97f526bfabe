package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-chi/chi/v5"

	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/orders"
	"switchyard/tasks"
)

// The endpoints of the older proxy API keep its answers: {"error": "…"} where
// something is wrong.

// LegacyError is an error as the older proxy API answers.
type LegacyError struct {
	Error string `json:"error" doc:"What is wrong"`
}

func legacyProblem(w http.ResponseWriter, p *Problem) {
	for k, v := range p.GetHeaders() {
		w.Header()[k] = v
	}
	writeJSON(w, p.Status, LegacyError{p.Detail})
}

// toggleBySubnet toggles and answers with the outcome: GET, POST
// /toggle/{subnet}.
func (s *Server) toggleBySubnet(w http.ResponseWriter, r *http.Request) {
	subnet, err := strconv.Atoi(chi.URLParam(r, "subnet"))
	if err != nil || !tasks.ValidSubnet(subnet) {
		writeJSON(w, http.StatusBadRequest, LegacyError{fmt.Sprintf("Invalid subnet (%d-%d)", tasks.MinSubnet, tasks.MaxSubnet)})
		return
	}
	t := orders.Toggle{ServerIP: r.URL.Query().Get("server_ip"), Subnet: subnet, OnlineOnly: true}
	a, p := s.order(r.Context(), t)
	if p != nil {
		if p.Code == "unknown_dongle" {
			p.Detail = fmt.Sprintf("Unknown dongle %d", subnet)
		}
		legacyProblem(w, p)
		return
	}
	if a.Replayed {
		w.Header().Set(replayedHeader, "true")
	}
	j, p := s.await(r.Context(), a, s.opt.Config.Toggle.RequestWait.Std())
	if p != nil {
		legacyProblem(w, p)
		return
	}
	if !j.State.Final() {
		w.Header().Set("Location", "/api/v1/jobs/"+a.ID)
		writeJSON(w, http.StatusAccepted, JobAccepted{JobID: a.ID, Status: string(j.State), Joined: a.Joined})
		return
	}
	var result tasks.ToggleResult
	if len(j.Result) > 0 {
		if err := json.Unmarshal(j.Result, &result); err != nil {
			s.log(r.Context()).Error("unreadable result", "job", j.ID, "err", err)
		}
	}
	status := http.StatusOK
	if !result.Success {
		status = http.StatusInternalServerError
	}
	writeJSON(w, status, result.ToggleOutcome)
}

// status answers with the status document: GET /status.
func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	ctx, cancel := s.quick(r.Context())
	defer cancel()
	h, p := s.findHost(ctx, "", r.URL.Query().Get("server_ip"), true)
	if p != nil {
		legacyProblem(w, p)
		return
	}
	st, err := s.opt.Registry.State(ctx, h.Name)
	unread := func(subnet int) bool { _, read := st.Dongles[subnet]; return !read }
	if err == nil && slices.ContainsFunc(h.Dongles, unread) && s.opt.Registry.Online(h, s.opt.Store.Now()) {
		s.collect(r.Context(), h)
		ctx, cancel = s.quick(r.Context())
		defer cancel()
		st, err = s.opt.Registry.State(ctx, h.Name)
	}
	if err != nil {
		legacyProblem(w, s.registryAway(ctx, err))
		return
	}
	doc, err := s.compose(ctx, h, st)
	if err != nil {
		legacyProblem(w, fromJobs(s.log(ctx), err))
		return
	}
	writeJSON(w, http.StatusOK, doc)
}

// compose overlays what was collected with the toggles under way.
func (s *Server) compose(ctx context.Context, h *hosts.Info, st hosts.State) (tasks.StatusDocument, error) {
	started, err := s.opt.Store.TogglesSince(ctx, h.Name, h.Dongles)
	if err != nil {
		return tasks.StatusDocument{}, err
	}
	return hosts.Status(s.opt.Store.Now(), s.loc, h, st, started), nil
}

// collect has the host read its dongles, and waits for it. What goes wrong
// shows in the document: it stays empty.
func (s *Server) collect(ctx context.Context, h *hosts.Info) {
	wait := s.opt.Config.HTTP.StatusWait.Std()
	if wait <= 0 {
		return
	}
	a, err := s.opt.Store.Accept(ctx, jobs.Request{Draft: tasks.NewCollect(h.Name, wait, s.opt.Store.Now().Add(wait))})
	if err != nil {
		s.log(ctx).Warn("could not have the dongles read", "host", h.Name, "err", err)
		return
	}
	s.opt.Meter.Accepted(string(tasks.Collect), a.Joined, a.Replayed)
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer s.opt.Meter.Waiting()()
	if _, err := s.opt.Store.Wait(ctx, a.ID, s.stop); err != nil {
		s.log(ctx).Warn("could not have the dongles read", "host", h.Name, "job", a.ID, "err", err)
	}
}
