package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"switchyard/app"
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

Any number of processes may run each role. Only one worker runs per proxy host;
another one waits until the first has ended.`,
		Example: `  switchyard serve -c switchyard.yaml --role api,scheduler
  switchyard serve -c host.yaml --role worker`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := e.load()
			if err != nil {
				return err
			}
			opt := app.Options{Config: cfg, Log: e.logger(cfg.Log), Version: version, Notify: e.notifier()}
			for _, r := range roles {
				opt.Roles = append(opt.Roles, app.Role(strings.TrimSpace(r)))
			}
			a, err := app.New(opt)
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			return a.Run(cmd.Context())
		},
	}
	c.Flags().StringSliceVar(&roles, "role", []string{"api", "worker", "scheduler"}, "roles to run, with commas between them")
	return c
}
