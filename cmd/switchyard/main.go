// Command switchyard runs and operates Switchyard: the server's roles (serve),
// a demonstration of all of it on one machine (demo), and what an operator asks
// of a running server (toggle, status, push, jobs, hosts, health) or of a
// machine (doctor, modem).
//
// This package turns flags, environment and signals into options and ends the
// process; everything else is in package app. One file a sub-command. Exit
// status: 0 done, 1 failed (also: a toggle that brought no address), 2 called
// wrongly or configured wrongly.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"switchyard/configs"
)

// version is set when a release is built.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// A second signal ends the process at once, as without any handling.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// errUsage marks what the caller did wrong.
var errUsage = errors.New("usage")

// errSilent fails without a further word: it has been said.
var errSilent = errors.New("failed")

// run executes one command line and returns the exit status.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	e := &env{environ: environ, stdout: stdout, stderr: stderr}
	root := &cobra.Command{
		Use:           "switchyard",
		Short:         "A job queue for proxy hosts, strategies, orders and messages",
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%w: %w", errUsage, fmt.Errorf("there is no command %q", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(args)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	root.PersistentFlags().StringVarP(&e.config, "config", "c", e.get("SWITCHYARD_CONFIG"), "configuration file (or SWITCHYARD_CONFIG); without one, the defaults hold")
	root.AddCommand(e.serveCommand(), e.demoCommand(), e.toggleCommand(), e.statusCommand(), e.pushCommand(), e.jobsCommand(), e.hostsCommand(), e.healthCommand(), e.keyCommand(), e.tradingCommand(), e.configCommand(), e.doctorCommand(), e.modemCommand(), e.redisACLCommand(), e.versionCommand())
	err := root.ExecuteContext(ctx)
	var faults configs.Errors
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSilent):
		return 1
	case errors.As(err, &faults):
		fmt.Fprintln(stderr, "switchyard: the configuration can't be used:")
		for _, f := range faults {
			fmt.Fprintln(stderr, " ", f.Error())
		}
		return 2
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "switchyard: %v\nTry 'switchyard --help'.\n", unwrapUsage(err))
		return 2
	}
	fmt.Fprintf(stderr, "switchyard: %v\n", err)
	return 1
}

func unwrapUsage(err error) error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			if !errors.Is(e, errUsage) {
				return e
			}
		}
	}
	return err
}

// env is what every sub-command may use of the outside.
type env struct {
	environ        []string
	stdout, stderr io.Writer
	config         string
}

func (e *env) get(name string) string {
	for _, kv := range e.environ {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			return v
		}
	}
	return ""
}

// load reads the configuration.
func (e *env) load() (*configs.Config, error) { return configs.Load(e.config, e.environ) }

// logger writes to standard error as configured.
func (e *env) logger(c configs.Log) *slog.Logger {
	var level slog.Level
	// The configuration has been checked.
	_ = level.UnmarshalText([]byte(c.Level))
	opt := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(e.stderr, opt))
	}
	return slog.New(slog.NewTextHandler(e.stderr, opt))
}

// noArgs is cobra.NoArgs with words and an exit status of ours.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: %w", errUsage, fmt.Errorf("'%s' takes no argument, not %q", cmd.CommandPath(), args[0]))
	}
	return nil
}

// exactly is cobra.ExactArgs with words of ours.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("%w: %w", errUsage, fmt.Errorf("give %s", what))
		}
		return nil
	}
}
