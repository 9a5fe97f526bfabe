package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/alerts"
	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/tasks"
)

const pathAlerts = "/api/v1/alerts"

// AlertDocument is an alert as clients see it. Times are RFC 3339 UTC with milliseconds,
// null where not yet.
type AlertDocument struct {
	alerts.Alert
	RaisedAt    string  `json:"raised_at" format:"date-time"`
	ResolvedAt  *string `json:"resolved_at" format:"date-time" doc:"When it was over"`
	DismissedAt *string `json:"dismissed_at" format:"date-time"`
}

// AlertList is a page of alerts, newest first.
type AlertList struct {
	Alerts []AlertDocument `json:"alerts"`
	// NextCursor is null on the last page.
	NextCursor *string `json:"next_cursor"`
}

type alertsInput struct {
	State  string `query:"state" maxLength:"16" doc:"open, dismissed or resolved; open and dismissed ones are still so" example:"open"`
	Level  string `query:"level" maxLength:"16" doc:"info, warning, error or critical" example:"critical"`
	Source string `query:"source" maxLength:"32" doc:"Only of this source" example:"proxy_monitor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"At most so many"`
	Cursor string `query:"cursor" maxLength:"64" doc:"next_cursor of the page before"`
}

type alertInput struct {
	ID string `path:"id" maxLength:"64" doc:"The alert's id" example:"a_01k9zd3v5y8m1q2r3s4t5v6w7x"`
}

type (
	alertsOutput struct{ Body AlertList }
	alertOutput  struct{ Body AlertDocument }
)

func (s *Server) alertOperations(api huma.API) {
	read := map[string]any{metaScope: configs.EventsRead}
	huma.Register(api, huma.Operation{
		OperationID: "list-alerts", Method: http.MethodGet, Path: pathAlerts, Tags: []string{tagAlerts},
		Summary: "The newest alerts", Description: "Conditions hold together. Those that are over are kept for a week.",
		Errors: []int{400, 503}, Metadata: read, RejectUnknownQueryParameters: true,
	}, s.listAlerts)
	huma.Register(api, huma.Operation{
		OperationID: "get-alert", Method: http.MethodGet, Path: pathAlerts + "/{id}", Tags: []string{tagAlerts},
		Summary: "One alert", Errors: []int{404, 503}, Metadata: read,
	}, s.getAlert)
	huma.Register(api, huma.Operation{
		OperationID: "dismiss-alert", Method: http.MethodPost, Path: pathAlerts + "/{id}/dismiss", Tags: []string{tagAlerts},
		Summary: "Dismiss an alert", Description: "Nobody is told of it any more until it is over and begins anew. It may be repeated.",
		Errors: []int{404, 409, 503}, Metadata: map[string]any{metaScope: configs.AlertsWrite},
	}, s.dismissAlert)
}

func alertDocument(a *alerts.Alert) AlertDocument {
	return AlertDocument{Alert: *a, RaisedAt: a.Raised.UTC().Format(tasks.MilliTime), ResolvedAt: timeOrNull(a.Ended), DismissedAt: timeOrNull(a.Dismissed)}
}

func (s *Server) listAlerts(ctx context.Context, in *alertsInput) (*alertsOutput, error) {
	if in.State != "" && !slices.Contains(alerts.States(), alerts.State(in.State)) {
		return nil, problem(http.StatusBadRequest, "invalid_state", "state", "state is open, dismissed or resolved.")
	}
	if in.Level != "" && !slices.Contains(configs.AlertLevels, in.Level) {
		return nil, problem(http.StatusBadRequest, "invalid_level", "level", "level is info, warning, error or critical.")
	}
	ctx, cancel := s.quick(ctx)
	defer cancel()
	all, err := s.opt.Alerts.List(ctx)
	if err != nil {
		return nil, s.alertsAway(ctx, err)
	}
	out := &alertsOutput{Body: AlertList{Alerts: []AlertDocument{}}}
	for _, a := range all {
		if in.Cursor != "" && a.ID >= in.Cursor || in.State != "" && string(a.State) != in.State || in.Level != "" && string(a.Level) != in.Level ||
			in.Source != "" && a.Source != in.Source {
			continue
		}
		if len(out.Body.Alerts) == in.Limit {
			last := out.Body.Alerts[in.Limit-1].ID
			out.Body.NextCursor = &last
			break
		}
		out.Body.Alerts = append(out.Body.Alerts, alertDocument(a))
	}
	return out, nil
}

func (s *Server) getAlert(ctx context.Context, in *alertInput) (*alertOutput, error) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	a, err := s.opt.Alerts.Get(ctx, in.ID)
	if err != nil {
		return nil, s.alertsAway(ctx, err)
	}
	return &alertOutput{Body: alertDocument(a)}, nil
}

func (s *Server) dismissAlert(ctx context.Context, in *alertInput) (*alertOutput, error) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	a, err := s.opt.Alerts.Dismiss(ctx, in.ID)
	if err != nil {
		return nil, s.alertsAway(ctx, err)
	}
	s.log(ctx).Info("alert dismissed", "id", a.ID, "kind", a.Kind, "subject", a.Subject)
	return &alertOutput{Body: alertDocument(a)}, nil
}

// alertsAway is the answer to an error of the book.
func (s *Server) alertsAway(ctx context.Context, err error) *Problem {
	switch {
	case errors.Is(err, alerts.ErrUnknown):
		return problem(http.StatusNotFound, "unknown_alert", "", "There is no such alert, or not any more.")
	case errors.Is(err, alerts.ErrOver):
		return problem(http.StatusConflict, "alert_over", "", "The alert is over: there is nothing to dismiss.")
	case errors.Is(err, alerts.ErrUnavailable):
		err = errors.Join(jobs.ErrUnavailable, err)
	}
	return fromJobs(s.log(ctx), err)
}
