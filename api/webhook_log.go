package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/configs"
	"switchyard/intake"
	"switchyard/tasks"
)

type webhookLogsInput struct {
	Group  string `query:"group" maxLength:"64" doc:"Only requests of this group" example:"my_strategy"`
	Status int    `query:"status" minimum:"0" maximum:"599" doc:"Only requests that were answered so" example:"200"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"At most so many"`
	Cursor string `query:"cursor" maxLength:"128" doc:"next_cursor of the page before"`
}

// WebhookLog is a page of the requests to the trading webhook, newest first.
type WebhookLog struct {
	Logs []WebhookEntry `json:"logs"`
	// NextCursor is null on the last page.
	NextCursor *string `json:"next_cursor"`
}

// WebhookEntry is one request.
type WebhookEntry struct {
	ID         string   `json:"id" example:"wh_01kb0000000000000000000000"`
	At         string   `json:"at" format:"date-time"`
	Address    string   `json:"address" doc:"Where it came from" example:"192.0.2.10"`
	Group      *string  `json:"group" doc:"null: it named none of ours, or its token was not right"`
	Action     *string  `json:"action" doc:"trading_signal, batch_trading_signal or cancel_all_orders; null where it was refused before that was known"`
	Status     int      `json:"status" doc:"HTTP status of the answer" example:"200"`
	Error      *string  `json:"error" doc:"Why it was refused; null: it wasn't"`
	Duplicate  bool     `json:"duplicate" doc:"It was one sent again"`
	First      *string  `json:"first" doc:"The id of the request that it repeats"`
	Jobs       []string `json:"jobs" doc:"The jobs that were made of it"`
	Successful int      `json:"successful" doc:"Orders, or orders taken back, when it was answered"`
	Failed     int      `json:"failed"`
	Pending    int      `json:"pending" doc:"Orders that were not finished when it was answered; their jobs go on"`
	Ignored    []string `json:"ignored" doc:"Fields that nobody knows"`
	Body       any      `json:"body" doc:"The request without its token; null where it was no JSON object, or long"`
	AcceptedMS float64  `json:"accepted_ms" doc:"Time until its jobs were accepted"`
	TotalMS    float64  `json:"total_ms" doc:"Time until it was answered"`
}

type webhookLogsOutput struct{ Body WebhookLog }

func (s *Server) webhookLogOperations(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-webhook-logs", Method: http.MethodGet, Path: "/api/v1/webhook-logs", Tags: []string{tagTrading},
		Summary: "The newest requests to the trading webhook",
		Description: "Kept for 30 days: 100,000 of groups, 10,000 that were refused before their token was right. Conditions hold together. " +
			"A page may be shorter than limit; next_cursor then leads on.",
		Errors: []int{400, 503}, Metadata: map[string]any{metaScope: configs.TradingRead}, RejectUnknownQueryParameters: true,
	}, s.listWebhooks)
}

func (s *Server) listWebhooks(ctx context.Context, in *webhookLogsInput) (*webhookLogsOutput, error) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	page, next, err := s.intake.List(ctx, intake.Filter{Group: in.Group, Status: in.Status}, in.Limit, in.Cursor)
	switch {
	case errors.Is(err, intake.ErrCursor):
		return nil, problem(http.StatusBadRequest, "invalid_cursor", "cursor", "Use the next_cursor of an earlier answer, as it stands.")
	case err != nil:
		s.log(ctx).Warn("answered 503", "err", err)
		p := problem(http.StatusServiceUnavailable, "redis_unavailable", "", "The job store is out of reach. Nothing was accepted; try again.")
		p.retryAfter = retryAfterOutage
		return nil, p
	}
	out := &webhookLogsOutput{Body: WebhookLog{Logs: make([]WebhookEntry, len(page)), NextCursor: orNull(next)}}
	for i, e := range page {
		x := WebhookEntry{
			ID: e.ID, At: e.At.UTC().Format(tasks.MilliTime), Address: e.Address, Group: orNull(e.Group), Action: orNull(e.Action),
			Status: e.Status, Error: orNull(e.Error), Duplicate: e.Duplicate, First: orNull(e.First), Jobs: e.Jobs,
			Successful: e.Successful, Failed: e.Failed, Pending: e.Pending, Ignored: e.Ignored, AcceptedMS: e.AcceptedMS, TotalMS: e.TotalMS,
		}
		if len(e.Body) > 0 && string(e.Body) != "null" {
			x.Body = e.Body
		}
		if x.Ignored == nil {
			x.Ignored = []string{}
		}
		out.Body.Logs[i] = x
	}
	return out, nil
}
