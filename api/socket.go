package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/api/ws"
	"switchyard/configs"
)

const pathSocket = "/ws"

type socketsOutput struct{ Body SocketList }

// SocketList is the WebSocket connections of a process.
type SocketList struct {
	Clients []ws.Client `json:"clients"`
}

// socketOperations adds the WebSocket. It is open to all as an address: it tells those
// who may not come in by a message, as its clients expect.
func (s *Server) socketOperations(api huma.API) http.HandlerFunc {
	if s.opt.Config.WS.Debug {
		huma.Register(api, huma.Operation{
			OperationID: "list-sockets", Method: http.MethodGet, Path: "/api/v1/ws/clients", Tags: []string{tagLive},
			Summary:     "The WebSocket connections of this process",
			Description: "With their last messages, by type and size. Only where `ws.debug` is set.",
			Errors:      []int{503}, Metadata: map[string]any{metaScope: configs.Admin},
		}, func(context.Context, *struct{}) (*socketsOutput, error) {
			return &socketsOutput{Body: SocketList{Clients: s.opt.Socket.Clients()}}, nil
		})
	}
	return s.opt.Socket.Handler(func(w http.ResponseWriter, r ws.Refusal) {
		p := problem(r.Status, r.Code, "", r.Words)
		p.retryAfter = r.RetryAfter
		writeProblem(w, p)
	})
}
