package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"switchyard/configs"
)

func (e *env) configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Look at the configuration", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	var show bool
	check := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration: exit status 0 if it can be used, 2 if not",
		Long:  "Check the configuration file and the environment without starting anything.\nEvery fault is told with file, line and key.",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := e.load()
			if err != nil {
				return err
			}
			if !show {
				name := e.config
				if name == "" {
					name = "the defaults"
				}
				_, err := fmt.Fprintf(e.stdout, "%s: ok\n", name)
				return err
			}
			b, err := cfg.YAML()
			if err != nil {
				return err
			}
			_, err = e.stdout.Write(b)
			return err
		},
	}
	check.Flags().BoolVar(&show, "print", false, "print the configuration in force, without secrets")
	example := &cobra.Command{
		Use: "example", Short: "Print a configuration file that explains every key", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(e.stdout, string(configs.Example))
			return err
		},
	}
	c.AddCommand(check, example)
	return c
}

// needsSubcommand is what a command does that only groups others.
func needsSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: %w", errUsage, fmt.Errorf("there is no command %q: '%s --help' lists those there are", args[0], cmd.CommandPath()))
	}
	return fmt.Errorf("%w: %w", errUsage, fmt.Errorf("choose what to do: '%s --help' lists it", cmd.CommandPath()))
}
