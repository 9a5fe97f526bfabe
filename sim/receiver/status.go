package receiver

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The times of a status document are local and name no zone.
const (
	localTime     = "2006-01-02 15:04:05"
	heartbeatTime = "2006-01-02T15:04:05.000000"
)

// checkStatus holds a pushed status document against its specification.
func checkStatus(body []byte) error {
	m, err := object(body, "status", "timestamp", "last_heartbeat_at", "server_ip", "available_proxies", "proxy_count", "dongle_check")
	if err != nil {
		return err
	}
	if string(m["status"]) != `"ready"` {
		return fmt.Errorf("status is %s, not ready", m["status"])
	}
	for name, form := range map[string]string{"timestamp": localTime, "last_heartbeat_at": heartbeatTime} {
		if err := checkTime(m[name], form); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	var ip string
	if err := json.Unmarshal(m["server_ip"], &ip); err != nil || !validIP(ip) {
		return fmt.Errorf("server_ip is %s, not an address", m["server_ip"])
	}
	var proxies []json.RawMessage
	if err := json.Unmarshal(m["available_proxies"], &proxies); err != nil {
		return fmt.Errorf("available_proxies: %w", err)
	}
	if n, err := integer(m, "proxy_count"); err != nil || n != int64(len(proxies)) {
		return fmt.Errorf("proxy_count is %s, and there are %d", m["proxy_count"], len(proxies))
	}
	connected := 0
	for i, p := range proxies {
		up, err := checkProxy(p)
		if err != nil {
			return fmt.Errorf("available_proxies[%d]: %w", i, err)
		}
		if up {
			connected++
		}
	}
	return checkDongles(m["dongle_check"], len(proxies), connected)
}

func checkProxy(raw json.RawMessage) (connected bool, err error) {
	m, err := object(raw, "proxy_url", "subnet", "external_ip", "last_toggle", "traffic", "connected", "toggle_status", "signal")
	if err != nil {
		return false, err
	}
	subnet, err := integer(m, "subnet")
	if err != nil || subnet < 11 || subnet > 30 {
		return false, fmt.Errorf("subnet is %s, not 11 to 30", m["subnet"])
	}
	if end := fmt.Sprintf(`:%d"`, 10000+subnet); !strings.HasPrefix(string(m["proxy_url"]), `"socks5://`) || !strings.HasSuffix(string(m["proxy_url"]), end) {
		return false, fmt.Errorf("proxy_url is %s", m["proxy_url"])
	}
	connected = string(m["connected"]) == "true"
	if err := checkIP(m["external_ip"], connected); err != nil {
		return false, fmt.Errorf("external_ip, connected %v: %w", connected, err)
	}
	if string(m["last_toggle"]) != "null" {
		if err := checkTime(m["last_toggle"], localTime); err != nil {
			return false, fmt.Errorf("last_toggle: %w", err)
		}
	}
	if _, err := object(m["traffic"], "upload", "download"); err != nil {
		return false, fmt.Errorf("traffic: %w", err)
	}
	if err := checkToggleStatus(m["toggle_status"]); err != nil {
		return false, fmt.Errorf("toggle_status: %w", err)
	}
	if string(m["signal"]) == "null" {
		return connected, nil
	}
	signal, err := object(m["signal"], "rsrp", "rsrq", "rssi", "sinr", "band", "cell_id", "pci", "plmn")
	if err != nil {
		return false, fmt.Errorf("signal: %w", err)
	}
	for _, k := range []string{"rsrp", "rsrq", "rssi", "sinr"} {
		if v := string(signal[k]); v != "null" && strings.HasSuffix(v, ".0") {
			return false, fmt.Errorf("signal.%s is %s, which stands plain here", k, v)
		}
	}
	return connected, nil
}

// toggleForms are the members of each form beside status and message.
var toggleForms = map[string][]string{
	"idle": {"last_toggle"}, "recent": {"last_toggle", "seconds_ago"},
	"in_progress": {"started_at", "elapsed_seconds"}, "timeout": {"started_at", "elapsed_seconds"},
}

func checkToggleStatus(raw json.RawMessage) error {
	var form struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal(raw, &form); err != nil {
		return err
	}
	members, known := toggleForms[form.Status]
	if !known {
		return fmt.Errorf("there is no status %q", form.Status)
	}
	_, err := object(raw, append([]string{"status", "message"}, members...)...)
	return err
}

func checkDongles(raw json.RawMessage, proxies, connected int) error {
	members := []string{"expected", "physical", "connected", "disconnected_ports"}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return fmt.Errorf("dongle_check: %w", err)
	}
	if hubs, there := given["hub_info"]; there {
		if _, err := object(hubs, "main_hub", "sub_hubs", "ports_per_hub"); err != nil {
			return fmt.Errorf("dongle_check.hub_info: %w", err)
		}
		members = append(members, "hub_info")
	}
	m, err := object(raw, members...)
	if err != nil {
		return fmt.Errorf("dongle_check: %w", err)
	}
	if string(m["connected"]) != strconv.Itoa(connected) {
		return fmt.Errorf("dongle_check.connected is %s, and %d are", m["connected"], connected)
	}
	var ports []string
	if err := json.Unmarshal(m["disconnected_ports"], &ports); err != nil || ports == nil {
		return fmt.Errorf("dongle_check.disconnected_ports is %s, not a list of strings", m["disconnected_ports"])
	}
	if len(ports) != proxies-connected || !slices.IsSorted(ports) {
		return fmt.Errorf("dongle_check.disconnected_ports is %s, and %d are disconnected", m["disconnected_ports"], proxies-connected)
	}
	return nil
}

func checkTime(raw json.RawMessage, form string) error {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	t, err := time.Parse(form, s)
	if err == nil && t.Format(form) != s {
		err = fmt.Errorf("%q is not written as %q", s, form)
	}
	return err
}

func validIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}
