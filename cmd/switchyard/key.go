package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"switchyard/configs"
)

func (e *env) keyCommand() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "Make API keys", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	var name string
	var scopes []string
	add := &cobra.Command{
		Use:   "new",
		Short: "Make an API key, and print it with its lines for the configuration",
		Long: "Make an API key. It is printed this once; the configuration gets only its hash.\n\nThe scopes are " +
			scopeList() + ".",
		Example: "  switchyard key new --name operations --scopes jobs:read,proxies:toggle",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := checkKey(name, scopes); err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			key, hash := configs.NewAPIKey()
			_, err := fmt.Fprintf(e.stdout, `# The key, shown this once. It is sent as "Authorization: Bearer KEY".
%s

# For the configuration, below what stands there already:
auth:
  keys:
    - name: %q
      hash: %s
      scopes: [%s]
`, key.Reveal(), name, hash, strings.Join(scopes, ", "))
			return err
		},
	}
	add.Flags().StringVar(&name, "name", "", "the key's name, which logs show (a-z, 0-9, _ and -)")
	add.Flags().StringSliceVar(&scopes, "scopes", nil, "what it allows, with commas between")
	c.AddCommand(add)
	return c
}

func checkKey(name string, scopes []string) error {
	switch {
	case name == "":
		return errors.New("give the key a name with --name, such as operations")
	case !configs.ValidKeyName(name):
		return fmt.Errorf("--name %q is not of a-z, 0-9, _ and -", name)
	case len(scopes) == 0:
		return errors.New("say what it allows with --scopes: " + scopeList())
	}
	for i, s := range scopes {
		if !configs.Scope(s).Known() {
			return fmt.Errorf("there is no scope %q; there are %s", s, scopeList())
		}
		if slices.Contains(scopes[:i], s) {
			return fmt.Errorf("--scopes names %s twice", s)
		}
	}
	return nil
}

func scopeList() string {
	var out []string
	for _, s := range configs.Scopes() {
		out = append(out, string(s))
	}
	return strings.Join(out, ", ")
}
