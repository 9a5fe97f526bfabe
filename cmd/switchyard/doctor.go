package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"switchyard/app"
)

func (e *env) doctorCommand() *cobra.Command {
	var roles []string
	var user string
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Examine whether switchyard can run here, and say what to do",
		Long: `Examine the configuration, Redis and this machine for what some roles need, one
line for each look: ok, warn or fail, what was found and what to do. Nothing is
changed. For a worker with host.name that is the hardware, too: kernel, rights,
hubs, dongles, and who else is after them; run it as root to have all of it seen.
Exit status 0, or 1 if anything failed.`,
		Example: `  switchyard doctor -c switchyard.yaml --role api,scheduler
  switchyard doctor -c host.yaml --role worker --user switchyard`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen, err := chosenRoles(roles)
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			var findings []app.Finding
			if cfg, err := e.load(); err != nil {
				findings = app.FaultFindings(err)
			} else {
				findings = append([]app.Finding{{Check: "configuration", Status: app.OK, Says: "can be used"}},
					app.Doctor(cmd.Context(), app.DoctorOptions{Config: cfg, Roles: chosen, User: user})...)
			}
			if err := printFindings(e.stdout, findings, asJSON); err != nil {
				return err
			}
			if app.Failed(findings) {
				return errSilent
			}
			return nil
		},
	}
	c.Flags().StringSliceVar(&roles, "role", []string{"api", "worker", "scheduler"}, "roles that are going to run here, with commas between them")
	c.Flags().StringVar(&user, "user", "", "whose rights on a proxy host are examined (default: the units' user, switchyard, where root asks and there is one; else who asks)")
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return c
}

func chosenRoles(names []string) ([]app.Role, error) {
	var out []app.Role
	for _, n := range names {
		out = append(out, app.Role(strings.TrimSpace(n)))
	}
	return out, app.CheckRoles(out)
}

func printFindings(w io.Writer, findings []app.Finding, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(findings)
	}
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Check))
	}
	for _, f := range findings {
		line := fmt.Sprintf("%-4s  %-*s  %s", f.Status, width, f.Check, oneLine(f.Says))
		if f.Do != "" {
			line += ": " + oneLine(f.Do)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// oneLine keeps a finding on its line: errors of several causes have several.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
