package hardware_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"switchyard/configs"
	"switchyard/hardware"
)

// machine is a host whose state is kept in dir.
func machine(t *testing.T, dir string) *hardware.Host {
	t.Helper()
	c := configs.Default()
	c.Host.Name, c.Host.ServerIP, c.Host.StateDir = "seoul-1", "198.51.100.7", dir
	c.Host.EchoURLs = []string{"http://ip.example.com/"}
	h, err := hardware.NewHost(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// Ensure a machine has one id, however many processes ask for it at once and
// whenever they start, and that another state directory is another machine.
func TestMachineID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var ids sync.Map
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			id, err := machine(t, dir).MachineID()
			if err != nil {
				t.Error(err)
			}
			ids.Store(id, true)
		})
	}
	asking.Wait()
	n := 0
	var id string
	ids.Range(func(k, _ any) bool {
		n++
		id, _ = k.(string)
		return true
	})
	if n != 1 || len(id) < 32 {
		t.Errorf("%d ids, one is %q", n, id)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("it left %v (%v)", left, err)
	}
	other, err := machine(t, t.TempDir()).MachineID()
	if err != nil || other == id {
		t.Errorf("another machine has id %q (%v)", other, err)
	}
}

// Ensure what can't be an id, and a directory that can't hold one, are told by
// path and key.
func TestMachineIDThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "machine-id")
	for _, text := range []string{"", "x\n", strings.Repeat("0", 31)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if id, err := machine(t, dir).MachineID(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: id %q, error %v", text, id, err)
		}
	}
	if id, err := machine(t, filepath.Join(dir, "nowhere")).MachineID(); err == nil || !strings.Contains(err.Error(), "host.state_dir") {
		t.Errorf("id %q, error %v", id, err)
	}
}
