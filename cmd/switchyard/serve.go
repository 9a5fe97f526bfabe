package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/logs"
)

func (e *env) serveCommand() *cobra.Command {
	var roles []string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run one or more roles of the server",
		Long: `Run one or more roles of the server until SIGINT or SIGTERM.

  api        takes requests and answers them
  worker     executes jobs; with host.name it is the worker of that proxy host
  scheduler  does what happens by the clock

Any number of processes may run each role. Only one worker runs per proxy host:
another one on the same machine waits until the first has ended, and one on
another machine is refused while the first is online.

SIGHUP reads the configuration again. Keys, networks, callbacks, pushes and
certificates change at once; the log names what else differs, which takes a
restart. A configuration with a fault changes nothing. The files in logs.dir are
opened anew.`,
		Example: `  switchyard serve -c switchyard.yaml --role api,scheduler
  switchyard serve -c host.yaml --role worker`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			cfg, err := e.load()
			if err != nil {
				return err
			}
			stderr := e.logger(cfg.Log)
			files, err := logs.Open(cfg, stderr)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, files.Close()) }()
			opt := app.Options{Config: cfg, Log: slog.New(files.App(stderr.Handler())), Files: files, Version: version, Notify: e.notifier()}
			for _, r := range roles {
				opt.Roles = append(opt.Roles, app.Role(strings.TrimSpace(r)))
			}
			a, err := app.New(opt)
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			return e.runReloading(cmd.Context(), a, opt)
		},
	}
	c.Flags().StringSliceVar(&roles, "role", []string{"api", "worker", "scheduler"}, "roles to run, with commas between them")
	return c
}

// runReloading runs an app, and at every SIGHUP has its log files opened anew and
// has it take over a changed configuration.
func (e *env) runReloading(ctx context.Context, a *app.App, opt app.Options) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	ctx, cancel := context.WithCancel(ctx)
	var reloading sync.WaitGroup
	defer reloading.Wait()
	defer cancel()
	reloading.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				if err := opt.Files.Reopen(); err != nil {
					opt.Log.Error("log files are not written to", "err", err)
				}
				e.reload(a, opt.Log)
			}
		}
	})
	return a.Run(ctx)
}

// reload reads the configuration as at the start, what its secrets refer to
// included.
func (e *env) reload(a *app.App, log *slog.Logger) {
	cfg, err := e.load()
	var faults configs.Errors
	switch {
	case err == nil:
		a.Reload(cfg)
	case errors.As(err, &faults):
		for _, f := range faults {
			log.Error("not reloaded: the configuration can't be used", "fault", f.Error())
		}
	default:
		log.Error("not reloaded: the configuration can't be used", "fault", err)
	}
}
