package receiver_test

import (
	"encoding/json"
	"strings"
	"testing"

	"switchyard/sim/receiver"
)

// The documents that the receivers' specification shows.
const (
	start   = `{"server_ip":"198.51.100.7","port":10016}`
	success = `{
  "success": true,
  "ip": "175.223.14.190",
  "traffic": {
    "upload": 7408564242,
    "download": 13143734622
  },
  "signal": {
    "rsrp": -105.0,
    "rsrq": -14.0,
    "rssi": -71.0,
    "sinr": -5.0,
    "band": "3",
    "cell_id": "0029435-012",
    "pci": "372",
    "plmn": "45008"
  },
  "step": 0,
  "server_ip": "198.51.100.7",
  "port": 10016
}`
	failure = `{"success":false,"ip":null,"traffic":{"upload":0,"download":0},"signal":null,"step":4,"server_ip":"198.51.100.7","port":10011}`
)

// Ensure the documents of the specification are taken, under any path that ends
// as theirs do, and that others are not looked at.
func TestCheck_takes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ path, body string }{
		{"/toggle/start", start},
		{"/some/where/toggle/start", " " + start + "\n"},
		{"/toggle/start", `{"port":10030,"server_ip":"2001:db8::7"}`},
		{"/toggle/result", success},
		{"/toggle/result", failure},
		{"/toggle/result", change(success, "drop:signal", `"signal": null`)},
		{"/toggle/result", change(success, `"rsrp": -105.0`, `"rsrp": null`, `"band": "3"`, `"band": null`)},
		{"/toggle/result", change(success, `"ip": "175.223.14.190"`, `"ip": "2001:db8::1"`)},
		{"/toggle/result", change(success, `"sinr": -5.0`, `"sinr": -0.5`, `"step": 0`, `"step": 4`)},
		{"/toggle/result", change(failure, `"step":4`, `"step":0`)},
		{"/hook", "anything"},
		{"/toggle/starting", "anything"},
	} {
		if err := receiver.Check(tt.path, []byte(tt.body)); err != nil {
			t.Errorf("%s %s: %v", tt.path, tt.body, err)
		}
	}
}

// change replaces texts in a document, pair by pair. After "drop:x" the object
// under member x goes and what follows stands in its place.
func change(doc string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		if name, ok := strings.CutPrefix(pairs[i], "drop:"); ok {
			from := strings.Index(doc, `"`+name+`": {`)
			doc = doc[:from] + pairs[i+1] + doc[from+strings.Index(doc[from:], "}")+1:]
			continue
		}
		if !strings.Contains(doc, pairs[i]) {
			panic("the document has no " + pairs[i])
		}
		doc = strings.Replace(doc, pairs[i], pairs[i+1], 1)
	}
	return doc
}

// Ensure every kind of fault is found, and named in words.
func TestCheck_refuses(t *testing.T) {
	t.Parallel()
	const begin, result = "/toggle/start", "/toggle/result"
	of := func(doc string, pairs ...string) string { return change(doc, pairs...) }
	for _, tt := range []struct{ path, body, want string }{
		{begin, ``, "not an object"},
		{begin, `null`, "not an object"},
		{begin, `[]`, "not an object"},
		{begin, `"x"`, "not an object"},
		{begin, `{`, "not JSON"},
		{begin, `{"server_ip"`, "not JSON"},
		{begin, `{"server_ip":}`, "not JSON"},
		{begin, `{"server_ip":"198.51.100.7","port":10016,}`, "not JSON"},
		{begin, start[:len(start)-1], "not JSON"},
		{begin, start + "x", "follows"},
		{begin, start + start, "follows"},
		{begin, `{}`, `"server_ip" is missing`},
		{begin, `{"server_ip":"198.51.100.7"}`, `"port" is missing`},
		{begin, of(start, `"port"`, `"Port"`), `no member "Port"`},
		{begin, of(start, `{`, `{"step":0,`), `no member "step"`},
		{begin, of(start, `{`, `{"port":10016,`), `"port" comes twice`},
		{begin, of(start, `"198.51.100.7"`, `null`), "server_ip"},
		{begin, of(start, `"198.51.100.7"`, `7`), "server_ip"},
		{begin, of(start, `"198.51.100.7"`, `"seoul-1"`), "server_ip"},
		{begin, of(start, `10016`, `"10016"`), "port"},
		{begin, of(start, `10016`, `10016.0`), "port"},
		{begin, of(start, `10016`, `1.0016e4`), "port"},
		{begin, of(start, `10016`, `16`), "port"},
		{begin, of(start, `10016`, `10010`), "port"},
		{begin, of(start, `10016`, `10031`), "port"},
		{begin, of(start, `10016`, `null`), "port"},

		{result, start, `"success" is missing`},
		{result, of(success, `true`, `"true"`), "success"},
		{result, of(success, `true`, `1`), "success"},
		{result, of(success, `true`, `null`), "success"},
		{result, of(success, `"175.223.14.190"`, `null`), "ip is null although"},
		{result, of(success, `"175.223.14.190"`, `""`), "ip"},
		{result, of(success, `"175.223.14.190"`, `"unknown"`), "ip"},
		{result, of(success, `"175.223.14.190"`, `5`), "ip"},
		{result, of(failure, `"ip":null`, `"ip":"175.223.14.190"`), "although the toggle failed"},
		{result, of(success, `true`, `false`, `"175.223.14.190"`, `null`), "although the toggle failed"},
		{result, of(success, `"step": 0`, `"step": -1`), "step"},
		{result, of(success, `"step": 0`, `"step": 5`), "step"},
		{result, of(success, `"step": 0`, `"step": "0"`), "step"},
		{result, of(success, `"step": 0`, `"step": 0.0`), "step"},
		{result, of(success, `"step": 0`, `"step": null`), "step"},
		{result, of(success, `"step": 0,`, ``), `"step" is missing`},
		{result, of(failure, `{"upload":0,"download":0}`, `null`), "traffic"},
		{result, of(failure, `{"upload":0,"download":0}`, `{"upload":0}`), "traffic"},
		{result, of(failure, `"upload":0`, `"upload":-1`), "traffic.upload"},
		{result, of(failure, `"download":0`, `"download":1.5`), "traffic.download"},
		{result, of(failure, `"download":0`, `"download":null`), "traffic.download"},
		{result, of(failure, `"upload":0`, `"upload":0,"total":0`), "traffic"},
		{result, of(success, "drop:signal", `"signal": []`), "signal"},
		{result, of(success, `-105.0`, `-105`), "signal.rsrp"},
		{result, of(success, `-14.0`, `"-14.0"`), "signal.rsrq"},
		{result, of(success, `-71.0`, `true`), "signal.rssi"},
		{result, of(success, `-5.0`, `-5e0`), "signal.sinr"},
		{result, of(success, `"band": "3"`, `"band": 3`), "signal.band"},
		{result, of(success, `"0029435-012"`, `29435`), "signal.cell_id"},
		{result, of(success, `"372"`, `372`), "signal.pci"},
		{result, of(success, `"45008"`, `45008`), "signal.plmn"},
		{result, of(success, `"pci": "372",`, ``), `"pci" is missing`},
		{result, of(success, `"pci": "372",`, `"pci": "372", "earfcn": "1",`), `no member "earfcn"`},
		{result, of(success, `10016`, `10031`), "port"},
		{result, of(success, `"198.51.100.7"`, `"?"`), "server_ip"},
	} {
		err := receiver.Check(tt.path, []byte(tt.body))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: %v, want %q", tt.path, tt.body, err, tt.want)
		}
	}
}

// Ensure no bytes at all bring the check down, and that what it takes is JSON
// with the members and kinds of the specification.
func FuzzCheck(f *testing.F) {
	for _, body := range []string{start, success, failure, "", "null", "{", `{"port":1,"port":2}`} {
		f.Add(true, []byte(body))
		f.Add(false, []byte(body))
	}
	f.Fuzz(func(t *testing.T, result bool, body []byte) {
		if !result {
			if receiver.Check("/toggle/start", body) == nil {
				var doc struct {
					ServerIP *string `json:"server_ip"`
					Port     *int    `json:"port"`
				}
				if err := json.Unmarshal(body, &doc); err != nil || doc.ServerIP == nil || doc.Port == nil {
					t.Errorf("%q was taken: %v", body, err)
				}
			}
			return
		}
		if receiver.Check("/toggle/result", body) != nil {
			return
		}
		var doc struct {
			Success *bool             `json:"success"`
			IP      *string           `json:"ip"`
			Traffic map[string]uint64 `json:"traffic"`
			Step    *int              `json:"step"`
			Port    *int              `json:"port"`
		}
		err := json.Unmarshal(body, &doc)
		if err != nil || doc.Success == nil || doc.Step == nil || doc.Port == nil || len(doc.Traffic) != 2 || *doc.Success != (doc.IP != nil) {
			t.Errorf("%q was taken: %v", body, err)
		}
	})
}
