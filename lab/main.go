// Command lab proves the repairs of a proxy host on a real USB: `go run ./lab`,
// or `make lab`.
//
// It builds the real program, boots a machine in QEMU with one hub and three
// dongles on it, and toggles dongles as a user does: by the HTTP API, through the
// queue, on the worker that runs in the machine. Before each toggle something is
// broken there, by the kernel's own means or by pulling devices.
//
// The central machine is this one: Redis, and one process for api, scheduler and
// deliveries. The worker in QEMU reaches that Redis and nothing else outside its
// machine. Package guest tells what is in there.
//
// Each scenario prints a line: what was broken, the step that it takes, the one
// that was seen, and the times. Exit status: 0 all as expected, 1 not, 2 called
// wrongly. It needs no root, only QEMU, busybox and a kernel's files.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"switchyard/lab/guest"
)

func main() {
	if os.Getpid() == 1 {
		fmt.Fprintln(os.Stderr, "lab: the machine ends:", guest.Main())
		return // and the kernel stops
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options of a run.
type options struct {
	only    *regexp.Regexp
	keep    bool
	accel   string
	libusb  bool
	kernel  string // file
	modules string // folder of that kernel below /lib/modules
	busybox string

	dir    string // of this run
	binary string // the program under test
	initrd string
}

// run executes one command line and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opt, chosen, err := parse(args, stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, "lab:", err)
		}
		return 2
	}
	if opt.dir, err = os.MkdirTemp("", "switchyard-lab-"); err != nil {
		fmt.Fprintln(stderr, "lab:", err)
		return 1
	}
	ok, err := opt.play(ctx, chosen, stdout)
	if err != nil {
		fmt.Fprintln(stderr, "lab:", err)
		ok = false
	}
	if !ok || opt.keep {
		fmt.Fprintln(stdout, "logs:", opt.dir)
	} else if err := os.RemoveAll(opt.dir); err != nil {
		fmt.Fprintln(stderr, "lab:", err)
	}
	if !ok {
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (*options, []scenario, error) {
	f := flag.NewFlagSet("lab", flag.ContinueOnError)
	f.SetOutput(stderr)
	opt := &options{}
	only := f.String("run", "", "run only the scenarios whose name matches this expression")
	f.BoolVar(&opt.keep, "keep", false, "keep the logs also when all went well")
	f.StringVar(&opt.accel, "accel", "tcg,thread=multi", "QEMU's accelerator; kvm is faster where it works")
	f.BoolVar(&opt.libusb, "libusb", true, "also build the program with libusb, and run its scenarios")
	f.StringVar(&opt.kernel, "kernel", "", "the machine's kernel (vmlinuz)")
	f.StringVar(&opt.modules, "modules", "", "the folder of its modules (/lib/modules/VERSION)")
	f.StringVar(&opt.busybox, "busybox", "/bin/busybox", "a static busybox")
	if err := f.Parse(args); err != nil {
		return nil, nil, err
	}
	if opt.kernel == "" || opt.modules == "" || f.NArg() > 0 {
		return nil, nil, errors.New("usage: lab -kernel FILE -modules FOLDER [flags]; 'make lab' fetches both")
	}
	var err error
	if opt.only, err = regexp.Compile(*only); err != nil {
		return nil, nil, fmt.Errorf("-run: %w", err)
	}
	var chosen []scenario
	for _, sc := range scenarios() {
		if opt.only.MatchString(sc.name) && (opt.libusb || !sc.worker.libusb) {
			chosen = append(chosen, sc)
		}
	}
	if len(chosen) == 0 {
		return nil, nil, fmt.Errorf("no scenario's name matches %q", *only)
	}
	return opt, chosen, nil
}
