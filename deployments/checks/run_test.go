package checks

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// stage is the compose project as processes of this machine: the commands,
// configuration and secret are those of the files; addresses and paths are this
// test's.
type stage struct {
	project *types.Project
	dir     string
	redis   string // address of Redis
	api     []string
	// metrics is where a service without the API is asked whether it is well:
	// containers have a loopback each, processes share one.
	metrics map[string]string
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{project: project(t), dir: t.TempDir(), redis: free(t), api: []string{free(t), free(t)},
		metrics: map[string]string{"worker": free(t), "scheduler": free(t)}}
	// As `make secrets` writes it.
	write(t, s.dir+"/secrets/redis-password", "5ad1f8d9c2b04e6f")
	must(t, os.Mkdir(filepath.Join(s.dir, "data"), 0o755))
	_, port, err := net.SplitHostPort(s.redis)
	must(t, err)
	write(t, s.dir+"/redis/redis.conf", strings.NewReplacer(
		"dir /data", "dir "+s.dir+"/data", "port 6379", "port "+port, "bind * -::*", "bind 127.0.0.1",
		"include /etc/redis/", "include "+s.dir+"/redis/",
	).Replace(read(t, at("deployments/compose/redis/redis.conf"))))
	return s
}

// here puts this test's paths in the place of the container's.
func (s *stage) here(words []string) []string {
	r := strings.NewReplacer("/run/secrets", s.dir+"/secrets", "/etc/redis/redis.conf", s.dir+"/redis/redis.conf", "/switchyard", binary)
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = r.Replace(strings.ReplaceAll(w, "$$", "$"))
	}
	return out
}

// hostUser makes Redis' user of the proxy host, as docs/deploy.md does, and
// returns where its password is.
func (s *stage) hostUser(t *testing.T) (credentials string) {
	t.Helper()
	const password = "0b7c94d1e8aa3f52"
	credentials = s.dir + "/credentials"
	write(t, credentials+"/redis-password", password)
	line, errs, status := run(t, []string{"HOST_PASSWORD=" + password}, binary, "redis-acl", "--host", "seoul-1", "--password-env", "HOST_PASSWORD")
	if status != 0 || strings.Contains(line, password) {
		t.Fatalf("redis-acl: %d %s%s", status, line, errs)
	}
	write(t, s.dir+"/redis/users.conf", line)
	return credentials
}

func (s *stage) startRedis(t *testing.T) *process {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is not installed: make deps installs it")
	}
	service := s.project.Services["redis"]
	return launch(t, "redis", nil, s.here(slices.Concat(service.Entrypoint, service.Command))...)
}

// environment is that of a service, for its command as for its health check.
func (s *stage) environment(t *testing.T, service string) (env []string) {
	t.Helper()
	for key, value := range s.project.Services[service].Environment {
		if key != "SWITCHYARD_CONFIG" {
			env = append(env, key+"="+strings.ReplaceAll(*value, "127.0.0.1:9100", s.metrics[service]))
		}
	}
	text := read(t, at(composeConfig))
	path := s.dir + "/config/switchyard.yaml"
	write(t, path, text)
	return append(env, "SWITCHYARD_CONFIG="+path,
		"SWITCHYARD_REDIS_ADDR="+s.redis, "SWITCHYARD_REDIS_PASSWORD=file:"+s.dir+"/secrets/redis-password",
		"SWITCHYARD_HTTP_LISTEN="+strings.Join(s.api, ","), "SWITCHYARD_DELIVERY_ALLOW=127.0.0.1")
}

func (s *stage) start(t *testing.T, service string) *process {
	t.Helper()
	return launch(t, service, s.environment(t, service), append([]string{binary}, s.project.Services[service].Command...)...)
}

// healthy runs the service's health check.
func (s *stage) healthy(t *testing.T, service string) bool {
	t.Helper()
	words := []string(s.project.Services[service].HealthCheck.Test[1:])
	var env []string
	if service == "redis" {
		_, port, _ := net.SplitHostPort(s.redis)
		words = []string{"/bin/sh", "-c", strings.Replace(words[2], "redis-cli", "redis-cli -p "+port, 1)}
	} else {
		env = s.environment(t, service)
		for i, w := range words {
			words[i] = strings.ReplaceAll(w, "127.0.0.1:9100", s.metrics[service])
		}
	}
	words = s.here(words)
	_, _, status := run(t, env, words[0], words[1:]...)
	return status == 0
}

// Ensure the compose project works, as processes: Redis asks for the password of
// the secret, the three roles come up healthy with their own commands, the
// outcome of a toggle, by a proxy host with its own user of Redis, is told though the
// worker and Redis were killed meanwhile, and SIGTERM ends all within its grace.
func TestProjectRuns(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	credentials := s.hostUser(t)
	redis := s.startRedis(t)
	await(t, "Redis is healthy", func() bool { return s.healthy(t, "redis") })
	if out, _, _ := run(t, nil, "redis-cli", "-p", s.redis[strings.LastIndex(s.redis, ":")+1:], "ping"); !strings.Contains(out, "NOAUTH") {
		t.Errorf("Redis answers without the password: %s", out)
	}
	cmdline, err := os.ReadFile("/proc/" + strconv.Itoa(redis.cmd.Process.Pid) + "/cmdline")
	must(t, err)
	if !strings.HasPrefix(string(cmdline), "redis-server") || strings.Contains(string(cmdline), "5ad1f8d9c2b04e6f") {
		t.Errorf("process 1 of Redis' container is %q", cmdline)
	}

	received := make(chan string, 16)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		received <- string(b)
	}))
	t.Cleanup(receiver.Close)

	running := map[string]*process{}
	for _, service := range ours {
		running[service] = s.start(t, service)
	}
	for _, service := range ours {
		await(t, service+" is healthy", func() bool { return s.healthy(t, service) })
	}

	// A proxy host as its unit runs it, whose dongle isn't plugged in: the toggle
	// fails at once, and that has to be told.
	hostFile := filepath.Join(s.dir, "host.yaml")
	write(t, hostFile, strings.NewReplacer("192.0.2.10:6379", s.redis, "/var/lib/switchyard", s.dir+"/state").
		Replace(read(t, at("deployments/systemd/etc/host.yaml")))+
		"  dongles: [{subnet: 11, modem: 'http://"+free(t)+"'}]\n")
	hostEnv := []string{"CREDENTIALS_DIRECTORY=" + credentials}
	running["host"] = launch(t, "host", hostEnv, binary, "serve", "--config", hostFile, "--role", "worker")

	// The worker is dead when the toggle ends, so its end waits to be told, and
	// Redis dies with that.
	_ = running["worker"].cmd.Process.Kill()
	<-running["worker"].done
	var accepted struct {
		ID string `json:"job_id"`
	}
	body := `{"port": 10011, "callback_url": "` + receiver.URL + `/toggled"}`
	await(t, "the toggle is accepted", func() bool {
		res, err := http.Post("http://"+s.api[0]+"/api/v1/proxies/toggle", "application/json", strings.NewReader(body))
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusAccepted && json.NewDecoder(res.Body).Decode(&accepted) == nil
	})
	var job struct {
		State  string
		Result struct{ Success bool }
	}
	await(t, "the toggle has ended", func() bool {
		res, err := http.Get("http://" + s.api[1] + "/api/v1/jobs/" + accepted.ID)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return json.NewDecoder(res.Body).Decode(&job) == nil && job.State == "completed"
	})
	if job.Result.Success {
		t.Error("a modem that isn't there was toggled")
	}
	_ = redis.cmd.Process.Kill()
	<-redis.done
	await(t, "the API is unwell without Redis", func() bool { return !s.healthy(t, "api") })
	redis = s.startRedis(t)
	running["worker"] = s.start(t, "worker")
	await(t, "the API is well again", func() bool { return s.healthy(t, "api") })

	select {
	case got := <-received:
		if !strings.Contains(got, `"success":false`) || !strings.Contains(got, `"port":10011`) {
			t.Errorf("told %s", got)
		}
	case <-time.After(limit):
		t.Error("nobody was told of the toggle's end")
	}

	for name, p := range running {
		grace := time.Minute
		if name != "host" {
			grace = time.Duration(*s.project.Services[name].StopGracePeriod)
		}
		p.stop(t, grace)
	}
	redis.stop(t, time.Duration(*s.project.Services["redis"].StopGracePeriod))
}
