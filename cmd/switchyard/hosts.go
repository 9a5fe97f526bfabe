package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (e *env) hostsCommand() *cobra.Command {
	var server target
	c := &cobra.Command{Use: "hosts", Short: "List or remove proxy hosts", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	serverFlags(c, &server)
	c.AddCommand(e.hostsList(&server), e.hostsRemove(&server))
	return c
}

func (e *env) hostsList(server *target) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List the proxy hosts", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := e.hostsCall(cmd, *server, http.MethodGet, "")
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(e.stdout, answer)
			}
			return e.hostTable(answer)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the API's answer")
	return c
}

func (e *env) hostsRemove(server *target) *cobra.Command {
	return &cobra.Command{
		Use: "remove HOST", Short: "Remove a proxy host that is no more",
		Long: `Remove a proxy host that is no more. Its worker must have been stopped. What it
was still to do fails, and who waits for that is told; its jobs stay readable.`,
		Args: exactly(1, "the host's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := e.hostsCall(cmd, *server, http.MethodDelete, "/"+url.PathEscape(args[0]))
			if err != nil {
				return err
			}
			return printJSON(e.stdout, answer)
		},
	}
}

func (e *env) hostsCall(cmd *cobra.Command, server target, method, suffix string) ([]byte, error) {
	cl, err := e.client(server)
	if err != nil {
		return nil, err
	}
	status, answer, err := cl.call(cmd.Context(), method, "/api/v1/hosts"+suffix, nil)
	if err == nil && status != http.StatusOK {
		err = refusal(status, answer)
	}
	return answer, err
}

func (e *env) hostTable(answer []byte) error {
	var list struct {
		Hosts []struct {
			Host       string  `json:"host"`
			ServerIP   string  `json:"server_ip"`
			Status     string  `json:"status"`
			LastSeenAt *string `json:"last_seen_at"`
			Version    string  `json:"version"`
			Dongles    []struct {
				Connected bool `json:"connected"`
			} `json:"dongles"`
		} `json:"hosts"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return fmt.Errorf("the server's answer is not JSON: %w", err)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tSTATUS\tADDRESS\tDONGLES\tCONNECTED\tSEEN\tVERSION")
	for _, h := range list.Hosts {
		connected := 0
		for _, d := range h.Dongles {
			if d.Connected {
				connected++
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", h.Host, h.Status, h.ServerIP, len(h.Dongles), connected, orDash(h.LastSeenAt), h.Version)
	}
	return w.Flush()
}
