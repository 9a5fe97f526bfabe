package hilink

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// state is what GET /_sim/state answers.
type state struct {
	Family     Family   `json:"family"`
	Mode       string   `json:"net_mode"`
	Data       bool     `json:"data_switch"`
	Attached   bool     `json:"attached"`
	Address    string   `json:"address"` // empty while detached
	Rebooting  bool     `json:"rebooting"`
	Faults     faults   `json:"faults"`
	Happened   []string `json:"ledger"`
	Unanswered int      `json:"unanswered"` // requests that the fault hang holds
}

// faults is Faults in JSON: its times have units.
type faults struct {
	Faults
	Slow string `json:"slow"`
}

// controlAPI is the simulator's own API, which no modem has:
//
//	GET  /_sim/state      what the modem is like and what happened
//	POST /_sim/faults     replace the faults: {"hang": true, "slow": "2s", …}
//	POST /_sim/refuse     {"method": "POST", "path": "net/net-mode", "code": 112003, "times": 1}
//	POST /_sim/family     {"family": "e8372h-153"}: other firmware
//	POST /_sim/lock       {"for": "5m"}: no logins
//	POST /_sim/expire     end all sessions
//	POST /_sim/takeover   log somebody else in
//	POST /_sim/reboot     restart the modem
//
// A POST is answered with the state, what it can't use with 400.
func (m *Modem) controlAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sim/state", func(w http.ResponseWriter, _ *http.Request) { m.tell(w) })
	order(mux, m, "faults", func(f faults) error {
		d, err := duration(f.Slow)
		f.Faults.Slow = d
		if err == nil {
			m.SetFaults(f.Faults)
		}
		return err
	})
	order(mux, m, "refuse", func(r Refusal) error {
		if r.Method != http.MethodGet && r.Method != http.MethodPost || r.Path == "" || r.Times < 0 {
			return fmt.Errorf("a refusal wants method (GET or POST), path, code and perhaps times")
		}
		m.Refuse(r)
		return nil
	})
	order(mux, m, "family", func(r struct {
		Family Family `json:"family"`
	}) error {
		if families[r.Family] == nil {
			return fmt.Errorf("no family %q", r.Family)
		}
		m.SetFamily(r.Family)
		return nil
	})
	order(mux, m, "lock", func(r struct {
		For string `json:"for"`
	}) error {
		d, err := duration(r.For)
		if err == nil {
			m.Lock(d)
		}
		return err
	})
	for name, do := range map[string]func(){"expire": m.ExpireSessions, "takeover": m.TakeOver, "reboot": m.Reboot} {
		mux.HandleFunc("POST /_sim/"+name, func(w http.ResponseWriter, _ *http.Request) {
			do()
			m.tell(w)
		})
	}
	return mux
}

// order takes a POST whose body is a T.
func order[T any](mux *http.ServeMux, m *Modem, name string, do func(T) error) {
	mux.HandleFunc("POST /_sim/"+name, func(w http.ResponseWriter, r *http.Request) {
		var body T
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
		d.DisallowUnknownFields()
		err := d.Decode(&body)
		if err == nil {
			err = do(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		m.tell(w)
	})
}

// duration reads a time with its unit; empty is none.
func duration(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	return time.ParseDuration(s)
}

// tell answers with the state.
func (m *Modem) tell(w http.ResponseWriter) {
	m.mu.Lock()
	s := state{
		Family: m.opt.Family, Mode: m.radio.mode.Mode, Data: m.radio.data, Attached: m.radio.attached,
		Rebooting: m.rebooting(), Faults: faults{m.faults, m.faults.Slow.String()}, Happened: []string{}, Unanswered: m.hanging,
	}
	if m.radio.attached {
		s.Address = m.radio.addr.String()
	}
	for _, e := range m.ledger {
		s.Happened = append(s.Happened, e.What)
	}
	m.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s) // a client that went hears nothing
}
