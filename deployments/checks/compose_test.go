package checks

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/sirupsen/logrus"
	"go.yaml.in/yaml/v3"
)

// ours are the services that run the program.
var ours = []string{"api", "worker", "scheduler"}

// load reads compose files as docker compose does: schema, variables, merges.
// What it warns of is an error here.
func load(t *testing.T, env []string, files ...string) (*types.Project, error) {
	t.Helper()
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = at(f)
	}
	opt, err := cli.NewProjectOptions(paths, cli.WithEnv(env), cli.WithResolvedPaths(true), cli.WithConsistency(true))
	must(t, err)
	return opt.LoadProject(t.Context())
}

func project(t *testing.T) *types.Project {
	t.Helper()
	p, err := load(t, nil, "docker-compose.yml")
	must(t, err)
	return p
}

// warnings are what the library says while it reads: variables that nobody set,
// keys without effect.
type warnings struct{ t *testing.T }

func (w warnings) Write(b []byte) (int, error) {
	w.t.Errorf("docker compose would warn: %s", b)
	return len(b), nil
}

// Ensure docker compose takes the files as they are, without a warning, under
// the name that the docs use; and that an address for Redis has to be chosen.
//
//nolint:paralleltest // the library's log is one for the process
func TestComposeLoads(t *testing.T) {
	logrus.SetOutput(warnings{t})
	defer logrus.SetOutput(io.Discard)
	p := project(t)
	if p.Name != "switchyard" {
		t.Errorf("the project is called %q", p.Name)
	}
	names := p.ServiceNames()
	slices.Sort(names)
	if want := []string{"api", "redis", "scheduler", "worker"}; !slices.Equal(names, want) {
		t.Errorf("services %q, want %q", names, want)
	}
	files := []string{"docker-compose.yml", "deployments/compose/proxy-hosts.yml"}
	if _, err := load(t, nil, files...); err == nil || !strings.Contains(err.Error(), "REDIS_LISTEN") {
		t.Errorf("without REDIS_LISTEN: %v", err)
	}
	p, err := load(t, []string{"REDIS_LISTEN=192.0.2.10"}, files...)
	must(t, err)
	if ports := p.Services["redis"].Ports; len(ports) != 1 || ports[0].HostIP != "192.0.2.10" || ports[0].Published != "6379" {
		t.Errorf("Redis is published as %+v", ports)
	}
}

// Ensure no container can do more than it has to: nothing to write to but
// Redis' volume, no capability, no way to get one, no root, bounded memory,
// processes, logs; and that each comes back and says whether it is well.
func TestServicesAreConfined(t *testing.T) {
	t.Parallel()
	for name, s := range project(t).Services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(s.User) {
				t.Errorf("user %q", s.User)
			}
			if !s.ReadOnly || s.Privileged || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 ||
				!slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) || s.NetworkMode != "" || s.Pid != "" {
				t.Error("it may do more than it has to")
			}
			// The directories of strategies' programs, which go when they end.
			if want := map[string]int{"worker": 1}[name]; len(s.Tmpfs) != want || want > 0 && !strings.HasPrefix(s.Tmpfs[0], "/tmp:") {
				t.Errorf("tmpfs %q", s.Tmpfs)
			}
			if s.PidsLimit <= 0 || s.MemLimit <= 0 {
				t.Errorf("pids_limit %d, mem_limit %d", s.PidsLimit, s.MemLimit)
			}
			if s.Restart != types.RestartPolicyUnlessStopped {
				t.Errorf("restart: %s", s.Restart)
			}
			if s.Logging == nil || s.Logging.Options["max-size"] == "" || s.Logging.Options["max-file"] == "" {
				t.Error("its log grows without end")
			}
			h := s.HealthCheck
			if h == nil || h.Disable || len(h.Test) < 2 || h.Test[0] != "CMD" || h.Interval == nil || h.Timeout == nil || h.Retries == nil || h.StartPeriod == nil {
				t.Errorf("health check %+v", h)
			}
			for _, v := range s.Volumes {
				if v.Type == types.VolumeTypeBind && (!v.ReadOnly || bool(v.Bind.CreateHostPath)) {
					t.Errorf("%s can be written to, or is made where it is missing", v.Source)
				}
			}
			if name != "redis" && s.DependsOn["redis"].Condition != types.ServiceConditionHealthy {
				t.Error("it does not wait for Redis")
			}
		})
	}
}

// Ensure every image is pinned, or built here from the Dockerfile.
func TestImagesArePinned(t *testing.T) {
	t.Parallel()
	p := project(t)
	if image := p.Services["redis"].Image; !regexp.MustCompile(`^redis:7\.\d+\.\d+-\w+$`).MatchString(image) {
		t.Errorf("Redis' image is %q", image)
	}
	root, err := filepath.Abs(top)
	must(t, err)
	for _, name := range ours {
		s := p.Services[name]
		if s.Image != "switchyard:dev" || s.Build == nil || s.Build.Context != root || *s.Build.Args["VERSION"] != "dev" {
			t.Errorf("%s: image %q, built by %+v", name, s.Image, s.Build)
		}
	}
}

// Ensure the API is published on this machine alone, on the two ports that its
// clients know, and nothing else is; and that the address by which the
// configuration knows this machine is the network's gateway.
func TestWhoReachesWhat(t *testing.T) {
	t.Parallel()
	p := project(t)
	var published []string
	for name, s := range p.Services {
		for _, port := range s.Ports {
			published = append(published, fmt.Sprintf("%s %s:%s:%d", name, port.HostIP, port.Published, port.Target))
		}
	}
	if want := []string{"api 127.0.0.1:8080:8080", "api 127.0.0.1:8000:8000"}; !slices.Equal(published, want) {
		t.Errorf("published %q, want %q", published, want)
	}
	if !p.Networks["storage"].Internal {
		t.Error("the network of Redis has a way out")
	}
	for name, want := range map[string][]string{
		"redis": {"storage"}, "scheduler": {"storage"}, "api": {"outside", "storage"}, "worker": {"outside", "storage"},
	} {
		s := p.Services[name]
		got := s.NetworksByPriority()
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s is in %q, want %q", name, got, want)
		}
	}
	ipam := p.Networks["outside"].Ipam.Config[0]
	subnet, gateway := netip.MustParsePrefix(ipam.Subnet), netip.MustParseAddr(ipam.Gateway)
	if !subnet.Contains(gateway) || !subnet.Addr().IsPrivate() {
		t.Errorf("gateway %s of %s", gateway, subnet)
	}
	c := configuration(t)
	var networks []string
	for _, n := range c.Auth.Networks {
		networks = append(networks, n.CIDR)
		if n.CIDR != "127.0.0.1/32" && slices.Contains(n.Scopes, "admin") {
			t.Errorf("%s may do everything", n.CIDR)
		}
	}
	if want := []string{gateway.String() + "/32", "127.0.0.1/32"}; !slices.Equal(networks, want) {
		t.Errorf("the configuration lets in %q, want %q", networks, want)
	}
	if c.Auth.Disabled {
		t.Error("the configuration lets everybody in")
	}
	hosts := p.Services["worker"].ExtraHosts["host.docker.internal"]
	if !slices.Equal(hosts, []string{"host-gateway"}) || !slices.Contains(c.Delivery.Allow, "host.docker.internal") {
		t.Errorf("host.docker.internal is %q, and deliveries may go to %q", hosts, c.Delivery.Allow)
	}
}

// config is what these checks have to know of a configuration file.
type config struct {
	Redis struct{ Addr, Password string }
	HTTP  struct{ Listen []string }
	Auth  struct {
		Disabled bool
		Networks []struct {
			CIDR   string
			Scopes []string
		}
	}
	Delivery struct{ Allow []string }
}

const composeConfig = "deployments/compose/config/switchyard.yaml"

func configuration(t *testing.T) (c config) {
	t.Helper()
	must(t, yaml.Unmarshal([]byte(read(t, at(composeConfig))), &c))
	return c
}

// Ensure every file that is mounted exists, the configuration is found where the
// program looks for it, and Redis where the configuration says.
func TestFilesAreThere(t *testing.T) {
	t.Parallel()
	p := project(t)
	for name, s := range p.Services {
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if info, err := os.Stat(v.Source); err != nil || !info.IsDir() {
				t.Errorf("%s: %s is no folder, which a replaced file needs (%v)", name, v.Source, err)
			}
			for _, e := range s.Environment {
				if file, ok := strings.CutPrefix(*e, v.Target+"/"); ok && !strings.Contains(read(t, filepath.Join(v.Source, file)), "file:/run/secrets/redis-password") {
					t.Errorf("%s: %s takes no password from the secret", name, file)
				}
			}
		}
		if name != "redis" && *s.Environment["SWITCHYARD_CONFIG"] != "/etc/switchyard/switchyard.yaml" {
			t.Errorf("%s: configured by %s", name, *s.Environment["SWITCHYARD_CONFIG"])
		}
	}
	if c := configuration(t); c.Redis.Addr != "redis:6379" || !slices.Equal(c.HTTP.Listen, []string{"0.0.0.0:8080", "0.0.0.0:8000"}) {
		t.Errorf("Redis at %s, listening on %q", c.Redis.Addr, c.HTTP.Listen)
	}
	volume := p.Services["redis"].Volumes[0]
	if volume.Type != types.VolumeTypeVolume || volume.Source != "redis-data" || volume.Target != "/data" {
		t.Errorf("Redis writes to %+v", volume)
	}
}

// Ensure no secret stands in the files, in the environment or in a command: each
// service that needs one has it as a file, which git doesn't know.
func TestSecretsAreFiles(t *testing.T) {
	t.Parallel()
	p := project(t)
	file := p.Secrets["redis-password"].File
	if want, err := filepath.Abs(at("deployments/compose/secrets/redis-password")); err != nil || file != want {
		t.Errorf("the secret is in %s, want %s (%v)", file, want, err)
	}
	for name, s := range p.Services {
		if len(s.Secrets) != 1 || s.Secrets[0].Source != "redis-password" {
			t.Errorf("%s has the secrets %+v", name, s.Secrets)
		}
		for key, value := range s.Environment {
			if regexp.MustCompile(`(?i)pass|secret|token|key|auth`).MatchString(key) {
				t.Errorf("%s has %s=%s in its environment", name, key, *value)
			}
		}
	}
	if got := configuration(t).Redis.Password; got != "file:/run/secrets/redis-password" {
		t.Error("the configuration holds a password")
	}
	if strings.Contains(read(t, at("deployments/compose/redis/redis.conf")), "requirepass") {
		t.Error("redis.conf holds a password")
	}
	for _, argument := range []string{"--requirepass", " -a "} {
		if strings.Contains(strings.Join(p.Services["redis"].Command, " "), argument) {
			t.Errorf("the password is an argument (%s)", argument)
		}
	}
	_, _, status := run(t, nil, "git", "-C", top, "check-ignore", "--quiet", file)
	if status == 1 {
		t.Error("git would take the secret in")
	}
}

// Ensure a container is given longer to stop than its process takes at most, by
// the configuration in force.
func TestStoppingInTime(t *testing.T) {
	t.Parallel()
	needed := stopTime(t, defaults(t), len(configuration(t).HTTP.Listen))
	for _, name := range ours {
		if got := time.Duration(*project(t).Services[name].StopGracePeriod); got <= needed {
			t.Errorf("%s is killed after %s, and may need %s", name, got, needed)
		}
	}
}

// stopTimes is what a stop takes, by the configuration.
type stopTimes struct {
	HTTP struct {
		Listen []string
		Drain  string `yaml:"drain_timeout"`
	}
	Worker struct {
		Shutdown string `yaml:"shutdown_timeout"`
	}
}

// defaults are the times of a stop that the program has by itself.
func defaults(t *testing.T) (times stopTimes) {
	t.Helper()
	out, errs, status := run(t, nil, binary, "config", "check", "--print")
	if status != 0 {
		t.Fatalf("config check: %s", errs)
	}
	must(t, yaml.Unmarshal([]byte(out), &times))
	return times
}

// farewell is what the program takes besides: it says to Redis that the worker
// and the host are gone, each within 3 seconds.
const farewell = 6 * time.Second

func stopTime(t *testing.T, times stopTimes, listeners int) time.Duration {
	t.Helper()
	drain, err := time.ParseDuration(times.HTTP.Drain)
	must(t, err)
	shutdown, err := time.ParseDuration(times.Worker.Shutdown)
	must(t, err)
	return time.Duration(listeners)*drain + shutdown + farewell
}

// Ensure the program takes every service's command and the mounted
// configuration.
func TestProgramTakesTheConfiguration(t *testing.T) {
	t.Parallel()
	p := project(t)
	secret := filepath.Join(t.TempDir(), "redis-password")
	write(t, secret, "hunter2\n")
	for _, name := range ours {
		s := p.Services[name]
		if want := []string{"serve", "--role", name}; !slices.Equal(s.Command, want) {
			t.Errorf("%s runs %q, want %q", name, s.Command, want)
		}
		if !slices.Equal(s.HealthCheck.Test[1:3], []string{"/switchyard", "health"}) {
			t.Errorf("%s is asked by %q", name, s.HealthCheck.Test)
		}
		for _, args := range [][]string{s.Command, s.HealthCheck.Test[2:]} {
			if _, errs, status := run(t, nil, binary, append(slices.Clone(args), "--help")...); status != 0 {
				t.Errorf("%s: %q: %s", name, args, errs)
			}
		}
		// The secret is elsewhere on this machine; everything else is as mounted.
		env := []string{"SWITCHYARD_REDIS_PASSWORD=file:" + secret}
		for key, value := range s.Environment {
			env = append(env, key+"="+*value)
		}
		env = append(env, "SWITCHYARD_CONFIG="+at(composeConfig))
		out, errs, status := run(t, env, binary, "config", "check", "--print")
		if status != 0 {
			t.Errorf("%s: %s", name, errs)
		}
		if strings.Contains(out, "hunter2") {
			t.Error("the password is printed")
		}
	}
}

// Ensure Redis keeps what was accepted.
func TestRedisIsDurable(t *testing.T) {
	t.Parallel()
	settings := map[string]string{}
	for line := range strings.Lines(read(t, at("deployments/compose/redis/redis.conf"))) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && key != "#" {
			settings[key] = value
		}
	}
	for key, want := range map[string]string{"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "dir": "/data"} {
		if settings[key] != want {
			t.Errorf("redis.conf: %s %q, want %q", key, settings[key], want)
		}
	}
}
