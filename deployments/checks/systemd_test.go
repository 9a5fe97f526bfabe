package checks

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// units are the services, each with the most that `systemd-analyze security`
// may find exposed, in tenths: what docs/deploy.md says.
var units = map[string]int{
	"switchyard-api.service":       11,
	"switchyard-worker.service":    11,
	"switchyard-scheduler.service": 11,
	"switchyard-host.service":      17,
}

// installed lays the units out as on a machine, with the program, and returns
// the machine's root. The units that ours refer to are this system's.
func installed(t *testing.T) (root string) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
	}
	root = t.TempDir()
	everything := func(string, bool) bool { return true }
	must(t, copyTree(at("deployments/systemd/system"), root+"/etc/systemd/system", everything))
	must(t, copyTree("/lib/systemd/system", root+"/usr/lib/systemd/system", func(_ string, dir bool) bool { return !dir }))
	for _, program := range []string{"usr/local/bin/switchyard", "bin/kill"} {
		write(t, filepath.Join(root, program), "")
		must(t, os.Chmod(filepath.Join(root, program), 0o755))
	}
	return root
}

// Ensure systemd has nothing against the units: no unknown key, no value it
// can't read, no program that isn't there.
func TestUnitsAreVerified(t *testing.T) {
	t.Parallel()
	root := installed(t)
	for unit := range units {
		// An unknown key is only warned of.
		if _, errs, status := run(t, nil, "systemd-analyze", "verify", "--man=no", "--root="+root, unit); status != 0 || errs != "" {
			t.Errorf("%s: exit status %d\n%s", unit, status, errs)
		}
	}
}

// Ensure no unit is more exposed than the docs say.
func TestUnitsAreConfined(t *testing.T) {
	t.Parallel()
	root := installed(t)
	docs := read(t, at("docs/deploy.md"))
	for unit, most := range units {
		out, errs, status := run(t, nil, "systemd-analyze", "security", "--no-pager", "--offline=true", "--root="+root, "--threshold="+strconv.Itoa(most), unit)
		if status != 0 {
			t.Errorf("%s: exit status %d\n%s%s", unit, status, out, errs)
		}
		line := fmt.Sprintf("| `%s` | %d.%d |", unit, most/10, most%10)
		if !strings.Contains(docs, line) {
			t.Errorf("docs/deploy.md lacks the line %s", line)
		}
	}
}

// settings are those of a unit with the drop-in that all have, in order.
func settings(t *testing.T, unit string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, name := range []string{unit, "switchyard-.service.d/10-switchyard.conf"} {
		s := bufio.NewScanner(strings.NewReader(read(t, at("deployments/systemd/system", name))))
		for s.Scan() {
			if key, value, ok := strings.Cut(s.Text(), "="); ok && !strings.HasPrefix(key, "#") {
				out[key] = append(out[key], value)
			}
		}
	}
	return out
}

// Ensure no unit sets what the drop-in of all sets: that is read later and wins.
// Only lists grow.
func TestUnitsAreNotOverruled(t *testing.T) {
	t.Parallel()
	lists := []string{"RestrictAddressFamilies", "Environment"}
	for unit := range units {
		for key, values := range settings(t, unit) {
			if len(values) > 1 && !slices.Contains(lists, key) && key != "SystemCallFilter" {
				t.Errorf("%s: %s is set twice: %q", unit, key, values)
			}
		}
	}
}

// Ensure no unit has a capability but that of a proxy host, which has the one for
// rules and routes, and has it in the host's own network.
func TestUnitsHaveNoCapability(t *testing.T) {
	t.Parallel()
	for unit := range units {
		ambient, bounding, users := []string(nil), []string{""}, []string{"yes"}
		if unit == "switchyard-host.service" {
			ambient, bounding, users = []string{"CAP_NET_ADMIN"}, []string{"CAP_NET_ADMIN"}, []string{"no"}
		}
		s := settings(t, unit)
		if !slices.Equal(s["AmbientCapabilities"], ambient) || !slices.Equal(s["CapabilityBoundingSet"], bounding) || !slices.Equal(s["PrivateUsers"], users) {
			t.Errorf("%s: AmbientCapabilities=%q CapabilityBoundingSet=%q PrivateUsers=%q", unit, s["AmbientCapabilities"], s["CapabilityBoundingSet"], s["PrivateUsers"])
		}
	}
}

// Ensure a proxy host's unit lets through what the repairs of the USB write to, and
// that no other unit sees a device.
func TestHostReachesTheUSB(t *testing.T) {
	t.Parallel()
	for unit := range units {
		private, allow, writes := []string{"yes"}, []string(nil), []string(nil)
		if unit == "switchyard-host.service" {
			private, allow, writes = []string{"no"}, []string{"char-usb_device rw"}, []string{"-/sys/bus/usb/drivers/usb -/sys/devices"}
		}
		s := settings(t, unit)
		if !slices.Equal(s["PrivateDevices"], private) || !slices.Equal(s["DeviceAllow"], allow) || !slices.Equal(s["ReadWritePaths"], writes) || !slices.Equal(s["DevicePolicy"], []string{"closed"}) {
			t.Errorf("%s: PrivateDevices=%q DeviceAllow=%q ReadWritePaths=%q DevicePolicy=%q", unit, s["PrivateDevices"], s["DeviceAllow"], s["ReadWritePaths"], s["DevicePolicy"])
		}
	}
}

// Ensure each unit runs a command and a configuration that the program takes,
// with the credential in its place, and gives it longer to stop than it needs.
func TestProgramTakesTheUnits(t *testing.T) {
	t.Parallel()
	credentials := t.TempDir()
	write(t, filepath.Join(credentials, "redis-password"), "hunter2\n")
	for unit := range units {
		s := settings(t, unit)
		command := strings.Fields(s["ExecStart"][0])
		if command[0] != "/usr/local/bin/switchyard" || command[1] != "serve" {
			t.Fatalf("%s runs %q", unit, command)
		}
		if _, errs, status := run(t, nil, binary, append(slices.Clone(command[1:]), "--help")...); status != 0 {
			t.Errorf("%s: %q: %s", unit, command, errs)
		}
		file, ok := strings.CutPrefix(command[slices.Index(command, "--config")+1], "/etc/switchyard/")
		if !ok {
			t.Errorf("%s is configured by %q", unit, command)
		}
		if !slices.Equal(s["LoadCredential"], []string{"redis-password:/etc/switchyard/credentials/redis-password"}) {
			t.Errorf("%s is given the credentials %q", unit, s["LoadCredential"])
		}
		out, errs, status := run(t, []string{"CREDENTIALS_DIRECTORY=" + credentials}, binary, "config", "check", "--print", "--config", at("deployments/systemd/etc", file))
		if status != 0 {
			t.Errorf("%s: %s", unit, errs)
		}
		if !strings.Contains(out, "password: '[redacted]'") || strings.Contains(out, "hunter2") {
			t.Errorf("%s: the password is printed, or not there", unit)
		}
		times := defaults(t)
		needed := stopTime(t, times, len(times.HTTP.Listen))
		if unit != "switchyard-api.service" {
			needed = stopTime(t, times, 0)
		}
		if got, err := time.ParseDuration(s["TimeoutStopSec"][0]); err != nil || got <= needed {
			t.Errorf("%s is killed after %s, and may need %s (%v)", unit, got, needed, err)
		}
	}
}

// Ensure what a proxy host keeps is kept where the unit lets it be written.
func TestHostKeepsItsState(t *testing.T) {
	t.Parallel()
	if got := settings(t, "switchyard-host.service")["StateDirectory"]; !slices.Equal(got, []string{"switchyard"}) {
		t.Errorf("StateDirectory=%q", got)
	}
	if !strings.Contains(read(t, at("deployments/systemd/etc/host.yaml")), "state_dir: /var/lib/switchyard\n") {
		t.Error("host.state_dir is not the unit's StateDirectory")
	}
}

// Ensure each unit has a folder of its own for log files, the one that the
// configuration and the docs name.
func TestUnitsHaveFoldersForLogs(t *testing.T) {
	t.Parallel()
	for unit := range units {
		if got := settings(t, unit)["LogsDirectory"]; !slices.Equal(got, []string{"%N"}) {
			t.Errorf("%s: LogsDirectory=%q", unit, got)
		}
	}
	if !strings.Contains(read(t, at("deployments/systemd/etc/host.yaml")), "\n  #dir: /var/log/switchyard-host\n") {
		t.Error("logs.dir is not the LogsDirectory of switchyard-host.service")
	}
	if !strings.Contains(read(t, at("docs/deploy.md")), "\n    Environment=SWITCHYARD_LOGS_DIR=%L/%N\n") {
		t.Error("docs/deploy.md doesn't name the LogsDirectory of a unit")
	}
}

// Ensure user and folders are made as the units expect them.
func TestUserAndFolders(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"systemd-sysusers", "systemd-tmpfiles"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed (Debian: apt-get install systemd)")
		}
	}
	root := t.TempDir()
	for _, f := range []string{"sysusers.d/switchyard.conf", "tmpfiles.d/switchyard.conf"} {
		write(t, root+"/usr/lib/"+f, read(t, at("deployments/systemd", f)))
	}
	write(t, root+"/etc/switchyard/credentials/redis-password", "hunter2\n")
	if os.Getuid() != 0 {
		t.Skip("making users, even below another root, takes root")
	}
	if _, errs, status := run(t, nil, "systemd-sysusers", "--root="+root); status != 0 {
		t.Fatalf("systemd-sysusers: %s", errs)
	}
	if !regexp.MustCompile(`(?m)^switchyard:`).MatchString(read(t, root+"/etc/passwd")) {
		t.Error("there is no user switchyard")
	}
	if _, errs, status := run(t, nil, "systemd-tmpfiles", "--root="+root, "--create"); status != 0 {
		t.Fatalf("systemd-tmpfiles: %s", errs)
	}
	for name, want := range map[string]os.FileMode{
		"etc/switchyard": 0o750, "etc/switchyard/credentials": 0o700, "etc/switchyard/credentials/redis-password": 0o600,
	} {
		info, err := os.Stat(filepath.Join(root, name))
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the mode %o, want %o", name, got, want)
		}
	}
}
