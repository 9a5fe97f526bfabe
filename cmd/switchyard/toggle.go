package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"switchyard/tasks"
)

func (e *env) toggleCommand() *cobra.Command {
	var server target
	var host string
	var wait float64
	c := &cobra.Command{
		Use:   "toggle SUBNET",
		Short: "Change a dongle's IP and print the result",
		Long:  "Change the IP of the dongle with this subnet (11 to 30) and print the result document.\nExit status 0 if it has an address, 1 if not.",
		Example: `  switchyard toggle 16
  switchyard toggle 16 --host seoul-1`,
		Args: exactly(1, "the dongle's subnet, 11 to 30"),
		RunE: func(cmd *cobra.Command, args []string) error {
			subnet, err := strconv.Atoi(args[0])
			if err != nil || !tasks.ValidSubnet(subnet) {
				return fmt.Errorf("%w: %w", errUsage, fmt.Errorf("%q is not a dongle's subnet, %d to %d", args[0], tasks.MinSubnet, tasks.MaxSubnet))
			}
			cl, err := e.client(server)
			if err != nil {
				return err
			}
			body := map[string]any{"subnet": subnet, "wait": wait}
			if host = cmp.Or(host, cl.host); host != "" {
				body["host"] = host
			}
			status, answer, err := cl.call(cmd.Context(), http.MethodPost, "/api/v1/proxies/toggle", body)
			switch {
			case err != nil:
				return goesOn(cmd.Context(), "toggle", err)
			case status == http.StatusAccepted:
				var a struct {
					JobID string `json:"job_id"`
				}
				if err := json.Unmarshal(answer, &a); err != nil {
					return fmt.Errorf("the server's answer is not JSON: %w", err)
				}
				return fmt.Errorf("the toggle is still under way; 'switchyard jobs get %s' shows it", a.JobID)
			case status != http.StatusOK:
				return refusal(status, answer)
			}
			if err := printJSON(e.stdout, answer); err != nil {
				return err
			}
			var r struct {
				Success bool `json:"success"`
			}
			if err := json.Unmarshal(answer, &r); err != nil {
				return fmt.Errorf("the server's answer is not JSON: %w", err)
			}
			if !r.Success {
				return errSilent
			}
			return nil
		},
	}
	c.Flags().StringVar(&host, "host", "", "the proxy host, by name; needed where there are several and this is none of them")
	c.Flags().Float64Var(&wait, "wait", 200, "seconds to wait for the result")
	serverFlags(c, &server)
	return c
}
