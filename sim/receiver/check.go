package receiver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Check holds a document against its specification: those of toggles, and the
// status that hosts push. Documents under other paths are not known to it, and
// pass.
func Check(path string, body []byte) error {
	switch {
	case strings.HasSuffix(path, "/toggle/start"):
		return checkStart(body)
	case strings.HasSuffix(path, "/toggle/result"):
		return checkResult(body)
	case strings.HasSuffix(path, "/api/proxy"), strings.HasSuffix(path, "/sync/dongle"):
		return checkStatus(body)
	}
	return nil
}

func checkStart(body []byte) error {
	m, err := object(body, "server_ip", "port")
	if err != nil {
		return err
	}
	return where(m)
}

func checkResult(body []byte) error {
	m, err := object(body, "success", "ip", "traffic", "signal", "step", "server_ip", "port")
	if err != nil {
		return err
	}
	success := string(m["success"]) == "true"
	if !success && string(m["success"]) != "false" {
		return fmt.Errorf("success is %s, not a bool", m["success"])
	}
	step, err := integer(m, "step")
	if err != nil || step < 0 || step > 4 {
		return fmt.Errorf("step is %s, not 0 to 4", m["step"])
	}
	traffic, err := object(m["traffic"], "upload", "download")
	if err != nil {
		return fmt.Errorf("traffic: %w", err)
	}
	for k := range traffic {
		if n, err := integer(traffic, k); err != nil || n < 0 {
			return fmt.Errorf("traffic.%s is %s, not a count", k, traffic[k])
		}
	}
	if err := checkIP(m["ip"], success); err != nil {
		return err
	}
	if string(m["signal"]) != "null" {
		if !success {
			return fmt.Errorf("signal is not null although the toggle failed")
		}
		if err := checkSignal(m["signal"]); err != nil {
			return err
		}
	}
	return where(m)
}

func checkIP(raw json.RawMessage, success bool) error {
	if string(raw) == "null" {
		if success {
			return fmt.Errorf("ip is null although the toggle succeeded")
		}
		return nil
	}
	if !success {
		return fmt.Errorf("ip is %s although the toggle failed", raw)
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("ip is %s, not a string", raw)
	}
	if _, err := netip.ParseAddr(s); err != nil {
		return fmt.Errorf("ip is %q, not an address", s)
	}
	return nil
}

func checkSignal(raw json.RawMessage) error {
	levels, names := []string{"rsrp", "rsrq", "rssi", "sinr"}, []string{"band", "cell_id", "pci", "plmn"}
	m, err := object(raw, append(slices.Clone(levels), names...)...)
	if err != nil {
		return fmt.Errorf("signal: %w", err)
	}
	for _, k := range levels {
		v := string(m[k])
		if v == "null" {
			continue
		}
		if _, err := strconv.ParseFloat(v, 64); err != nil || !strings.Contains(v, ".") {
			return fmt.Errorf("signal.%s is %s, not a number with a decimal", k, v)
		}
	}
	for _, k := range names {
		var s *string
		if err := json.Unmarshal(m[k], &s); err != nil {
			return fmt.Errorf("signal.%s is %s, not a string", k, m[k])
		}
	}
	return nil
}

func where(m map[string]json.RawMessage) error {
	var ip string
	if err := json.Unmarshal(m["server_ip"], &ip); err != nil {
		return fmt.Errorf("server_ip is %s, not a string", m["server_ip"])
	}
	if _, err := netip.ParseAddr(ip); err != nil {
		return fmt.Errorf("server_ip is %q, not an address", ip)
	}
	if port, err := integer(m, "port"); err != nil || port < 10011 || port > 10030 {
		return fmt.Errorf("port is %s, not 10011 to 10030", m["port"])
	}
	return nil
}

func integer(m map[string]json.RawMessage, key string) (int64, error) {
	return strconv.ParseInt(string(m[key]), 10, 64)
}

// object reads an object that has exactly these members, each once.
func object(raw []byte, names ...string) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("not an object: %.40q", raw)
	}
	m := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		key, _ := t.(string)
		if !slices.Contains(names, key) {
			return nil, fmt.Errorf("there is no member %q", key)
		}
		if _, twice := m[key]; twice {
			return nil, fmt.Errorf("member %q comes twice", key)
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		m[key] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the object")
	}
	for _, n := range names {
		if _, ok := m[n]; !ok {
			return nil, fmt.Errorf("member %q is missing", n)
		}
	}
	return m, nil
}
