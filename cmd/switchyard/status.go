package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func (e *env) statusCommand() *cobra.Command {
	var server target
	var ip string
	c := &cobra.Command{
		Use:   "status",
		Short: "Print the status document of a proxy host",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := e.client(server)
			if err != nil {
				return err
			}
			path := "/status"
			if ip != "" {
				path += "?server_ip=" + url.QueryEscape(ip)
			}
			status, answer, err := cl.call(cmd.Context(), http.MethodGet, path, nil)
			if err != nil {
				return err
			}
			if status != http.StatusOK {
				return refusal(status, answer)
			}
			return printJSON(e.stdout, answer)
		},
	}
	c.Flags().StringVar(&ip, "server-ip", "", "the host, by its public address; needed where there are several")
	serverFlags(c, &server)
	return c
}
