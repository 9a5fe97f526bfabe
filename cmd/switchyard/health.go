package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// healthCommand asks a process of this machine whether it is well. A container
// has no other program in it that could.
func (e *env) healthCommand() *cobra.Command {
	var address string
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask a running process whether it is well: exit status 0 if so, 1 if not",
		Long: `Ask a running process whether it is well, for the health check of a container or
a monitor: exit status 0 if so, 1 if not, with the reason.

Without --url the API is asked whether it takes requests (/readyz at the first
of http.listen). With it, any address is well that answers with status 200.`,
		Example: `  switchyard health
  switchyard health --url http://127.0.0.1:8000/healthz`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if timeout <= 0 {
				return fmt.Errorf("%w: %w", errUsage, fmt.Errorf("--timeout %s leaves no time for an answer", timeout))
			}
			base, path := "", "/readyz"
			if cmd.Flags().Changed("url") {
				u, err := url.Parse(address)
				if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
					return fmt.Errorf("%w: %w", errUsage, fmt.Errorf("--url %q is not a URL such as http://127.0.0.1:8080/healthz", address))
				}
				path = u.RequestURI()
				base = u.Scheme + "://" + u.Host
			}
			cl, err := e.client(target{server: base})
			if err != nil {
				return err
			}
			cl.key = "" // everybody may ask this
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			status, answer, err := cl.call(ctx, http.MethodGet, path, nil)
			switch {
			case errors.Is(err, context.DeadlineExceeded):
				return fmt.Errorf("no answer from %s within %s", cl.base+path, timeout)
			case err != nil:
				return err
			case status != http.StatusOK:
				return unwell(status, answer)
			}
			_, err = fmt.Fprintln(e.stdout, "ok")
			return err
		},
	}
	c.Flags().StringVar(&address, "url", "", "what to ask instead of the configured API")
	c.Flags().DurationVar(&timeout, "timeout", 3*time.Second, "the longest to wait for the answer")
	return c
}

// unwell is what a process says of itself, or the server of a request.
func unwell(status int, answer []byte) error {
	var said struct{ Status, Reason string }
	if json.Unmarshal(answer, &said) == nil && said.Status != "" {
		if said.Reason != "" {
			return fmt.Errorf("%s: %s", said.Status, said.Reason)
		}
		return errors.New(said.Status)
	}
	return refusal(status, answer)
}
