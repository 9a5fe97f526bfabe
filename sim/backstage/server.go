package backstage

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server has the simulated API at an address, and control under /_sim/.
type Server struct {
	l    net.Listener
	srv  *http.Server
	done sync.WaitGroup
}

// Serve listens on addr (host:port, port 0 for a free one) until Close.
func Serve(ctx context.Context, addr string, api http.HandlerFunc, control http.Handler) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/_sim/", control)
	mux.Handle("/", api)
	s := &Server{l: l, srv: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}}
	s.done.Go(func() {
		// It ends when it is closed; there is nobody to tell of anything else.
		_ = s.srv.Serve(l)
	})
	return s, nil
}

// URL is its address, http://host:port.
func (s *Server) URL() string { return "http://" + s.l.Addr().String() }

// Close ends it at once. Clear the faults before: it waits for no request, but
// what they hold should not outlive it.
func (s *Server) Close() error {
	err := s.srv.Close()
	s.done.Wait()
	return err
}

// maxBody is more than an order to a simulator needs.
const maxBody = 64 << 10

// Read reads an order to the simulator, strictly, or refuses it with 400.
func Read(w http.ResponseWriter, r *http.Request, v any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

// Show answers with JSON.
func Show(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}

// Control answers POST /_sim/faults (fail is told the fault) and DELETE
// /_sim/faults (takeBack). Further orders may be added to it.
func Control[F any](fail func(F), takeBack func()) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /_sim/faults", func(w http.ResponseWriter, r *http.Request) {
		var f F
		if Read(w, r, &f) {
			fail(f)
			Show(w, f)
		}
	})
	mux.HandleFunc("DELETE /_sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		takeBack()
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}
