package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"switchyard/sim/redisserver"
)

// options of every benchmark.
type options struct {
	rounds int
	hosts  int
	// profile, if set, is where the CPU profile of the process that runs our
	// side is written.
	profile string
	// dir is for whatever files are needed; it goes at the end.
	dir string
}

// benchmark is what one name measures.
type benchmark struct {
	name, about string
	run         func(context.Context, options) ([]row, error)
}

// benchmarks in the order of the help.
var benchmarks = []benchmark{
	{"accept", "jobs accepted over HTTP, against the no-op handler and raw asynq", accept},
	{"start", "from accepted to running, on an idle system, against asynq's poll", start},
	{"idle", "Redis commands and CPU of idle hosts (-hosts, or HOSTS)", idle},
	{"backlog", "working through a backlog, against raw asynq", backlog},
	{"toggle", "what a toggle takes beyond the modem's own time", toggle},
	{"status", "the status of a host whose modems partly hang", status},
	{"webhook", "from a trading alert until the exchange is asked", webhook},
	{"ws", "1000 WebSocket clients, five events a second, one of them stalled", live},
	{"backtest", "20 years of daily prices of 17 assets, monthly", backtest},
	{"worker", "memory and start of a proxy host's idle worker", idleWorker},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run measures what args name and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 1 && args[0] == childArg {
		if err := runChild(ctx, args[1], os.Stdin, stdout); err != nil {
			fmt.Fprintf(stderr, "bench: %s: %v\n", args[1], err)
			return 1
		}
		return 0
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: go run ./bench NAME [flags]\n\nNames:")
		for _, b := range benchmarks {
			fmt.Fprintf(stderr, "  %-9s %s\n", b.name, b.about)
		}
		fmt.Fprintln(stderr, "\nFlags:")
		flags.PrintDefaults()
	}
	var o options
	flags.IntVar(&o.rounds, "rounds", 5, "rounds; the median is shown")
	flags.IntVar(&o.hosts, "hosts", envNumber("HOSTS", 500), "proxy hosts of accept and idle; HOSTS in the environment is its default")
	flags.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile of the process that runs our side, in the last round, to this file")
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		flags.Usage()
		return 2
	}
	if err := flags.Parse(args[1:]); err != nil {
		return 2
	}
	i := slices.IndexFunc(benchmarks, func(b benchmark) bool { return b.name == args[0] })
	if i < 0 || flags.NArg() > 0 || o.rounds < 1 || o.hosts < 1 {
		flags.Usage()
		return 2
	}
	ok, err := benchmarks[i].measure(ctx, o, stdout)
	if err != nil {
		fmt.Fprintf(stderr, "bench %s: %v\n", args[0], err)
		return 1
	}
	if !ok {
		return 1
	}
	return 0
}

// measure runs the benchmark and prints its rows; ok tells that every target was
// met.
func (b benchmark) measure(ctx context.Context, o options, stdout io.Writer) (ok bool, err error) {
	if !redisserver.Available() {
		return false, errors.New("there is no redis-server on the PATH; 'make deps' installs it")
	}
	if o.dir, err = os.MkdirTemp("", "switchyard-bench-"); err != nil {
		return false, fmt.Errorf("making a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	version, err := redisVersion(ctx, o)
	if err != nil {
		return false, err
	}
	fmt.Fprintf(stdout, "# %s: %d rounds, %d cores, %s, Redis %s with appendfsync %s\n",
		b.name, o.rounds, runtime.NumCPU(), runtime.Version(), version, fsync)
	rows, err := b.run(ctx, o)
	if err != nil {
		return false, err
	}
	ok = true
	for _, r := range rows {
		fmt.Fprintln(stdout, r)
		ok = ok && r.verdict != fail
	}
	return ok, nil
}

// envNumber reads a number from the environment.
func envNumber(name string, or int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return or
}
