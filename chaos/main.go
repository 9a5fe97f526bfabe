// Command chaos breaks Switchyard on purpose and counts what became of the
// promises: `go run ./chaos toggle`, or `make chaos-toggle`; the suite sentinel
// takes the master away from a Redis with replicas, the suite modem has the modems
// misbehave in the middle of toggles, and the suite message kills the worker that
// sends in the middle of a burst, and counts what Telegram refuses of 500 messages. The
// suite trading has a thousand orders placed while everything breaks, and compares what
// is said of each with the exchange's ledger.
//
// It builds the real program once and runs it as an environment would: the api
// with the scheduler, a host's worker and a worker for deliveries, each a
// process of its own that can be killed, frozen or told to stop, beside a real
// redis-server that writes every change to disk before it answers. What lies
// outside is simulated in this process, so its side of the story is known: the
// modems keep a ledger, the receivers keep every request. All of it listens on
// loopback only.
//
// A suite is a list of scenarios. Each sets up everything anew, does its damage
// and prints one line. The exit status is 0 if all promises held, 1 if not, 2
// if it was called wrongly. Nothing of this is part of the tests.
//
// # The columns
//
//	asked      requests for a toggle
//	taken      those answered 202, or 200 with the result
//	refused    those answered with an error
//	cut        those that got no answer, since the api died
//	jobs       toggles that were promised to somebody by such an answer
//	ended      of them, those that ended
//	success    of those, they that brought an address
//	unknown    toggles promised to nobody that ran all the same, by what
//	           their request got instead: an error + no answer. The first
//	           has to be 0. Withdrawn ones, which never began, don't count.
//	starts     the most starts that a receiver got of one toggle
//	results    distinct webhook-ids of results per toggle at the two configured
//	           receivers, and per request at its own callback URL
//	doubled    webhook-ids that came more than once
//	lost       results that never came
//	mode       modems left in another net mode, or with other bands
//	off        modems left with mobile data off
//	slowest    the longest time a request without wait took
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// suites are what can be run, by name.
var suites = map[string]func() []scenario{"toggle": toggleSuite, "sentinel": sentinelSuite, "modem": modemScenarios, "message": messageSuite}

// suiteTrading has an account of its own: orders, not toggles.
const suiteTrading = "trading"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options of a run, and what all its scenarios share.
type options struct {
	only    *regexp.Regexp
	verbose bool
	short   bool
	keep    bool
	seed    uint64

	dir    string    // holds one directory for each scenario
	binary string    // the program under test
	logs   io.Writer // where -v shows what the processes say
}

// run executes one command line and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opt, scenarios, err := parse(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return 2
	}
	opt.dir, err = os.MkdirTemp("", "switchyard-chaos-")
	if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return 1
	}
	if err := opt.build(ctx); err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return 1
	}
	failed := false
	if scenarios == nil {
		failed = runTrading(ctx, opt, stdout)
	} else {
		failed = runAll(ctx, opt, scenarios, stdout)
	}
	if failed || opt.keep {
		fmt.Fprintln(stdout, "logs and data:", opt.dir)
	} else if err := os.RemoveAll(opt.dir); err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
	}
	if failed {
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (*options, []scenario, error) {
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: chaos toggle|sentinel|modem|message|trading [flags]")
		f.PrintDefaults()
	}
	opt := &options{logs: stderr}
	only := f.String("run", "", "run only the scenarios whose name matches this expression")
	f.BoolVar(&opt.verbose, "v", false, "show what the processes log")
	f.BoolVar(&opt.short, "short", false, "shorter outages and fewer rounds")
	f.BoolVar(&opt.keep, "keep", false, "keep logs and data also when all went well")
	f.Uint64Var(&opt.seed, "seed", 1, "decides everything that is left to chance")
	if len(args) == 0 || suites[args[0]] == nil && args[0] != suiteTrading {
		f.Usage()
		return nil, nil, fmt.Errorf("name a suite: toggle, sentinel, modem, message, trading")
	}
	if err := f.Parse(args[1:]); err != nil {
		return nil, nil, err
	}
	var err error
	if opt.only, err = regexp.Compile(*only); err != nil {
		return nil, nil, fmt.Errorf("-run: %w", err)
	}
	if args[0] == suiteTrading {
		return opt, nil, nil
	}
	var chosen []scenario
	for _, sc := range suites[args[0]]() {
		if opt.only.MatchString(sc.name) {
			chosen = append(chosen, sc)
		}
	}
	if len(chosen) == 0 {
		return nil, nil, fmt.Errorf("no scenario's name matches %q", *only)
	}
	return opt, chosen, nil
}

// buildLimit is what compiling everything may take on a slow machine.
const buildLimit = 10 * time.Minute

// build compiles the program under test.
func (o *options) build(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	o.binary = filepath.Join(o.dir, "switchyard")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", o.binary, "switchyard/cmd/switchyard").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return nil
}
