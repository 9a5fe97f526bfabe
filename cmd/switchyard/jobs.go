package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (e *env) jobsCommand() *cobra.Command {
	var server target
	c := &cobra.Command{Use: "jobs", Short: "List, show, cancel or run again jobs", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	serverFlags(c, &server)
	c.AddCommand(
		e.jobsList(&server),
		e.jobsOne(&server, "get", "Print one job", http.MethodGet, ""),
		e.jobsOne(&server, "cancel", "Cancel a job", http.MethodPost, "/cancel"),
		e.jobsOne(&server, "retry", "Run a failed or cancelled job again", http.MethodPost, "/retry"),
	)
	return c
}

// jobsOne makes a command on one job.
func (e *env) jobsOne(server *target, name, short, method, suffix string) *cobra.Command {
	return &cobra.Command{
		Use: name + " ID", Short: short, Args: exactly(1, "the job's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := e.client(*server)
			if err != nil {
				return err
			}
			status, answer, err := cl.call(cmd.Context(), method, "/api/v1/jobs/"+url.PathEscape(args[0])+suffix, nil)
			if err != nil {
				return err
			}
			if status >= http.StatusBadRequest {
				return refusal(status, answer)
			}
			return printJSON(e.stdout, answer)
		},
	}
}

func (e *env) jobsList(server *target) *cobra.Command {
	var chat, typ, state, host string
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List the newest jobs", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := e.client(*server)
			if err != nil {
				return err
			}
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			for k, v := range map[string]string{"chat_id": chat, "type": typ, "state": state, "host": host} {
				if v != "" {
					q.Set(k, v)
				}
			}
			status, answer, err := cl.call(cmd.Context(), http.MethodGet, "/api/v1/jobs?"+q.Encode(), nil)
			switch {
			case err != nil:
				return err
			case status != http.StatusOK:
				return refusal(status, answer)
			case asJSON:
				return printJSON(e.stdout, answer)
			}
			return e.jobTable(answer)
		},
	}
	f := c.Flags()
	f.StringVar(&chat, "chat-id", "", "only jobs of this chat")
	f.StringVar(&typ, "type", "", "only jobs of this type")
	f.StringVar(&state, "state", "", "only jobs in this state")
	f.StringVar(&host, "host", "", "only jobs of this host")
	f.IntVar(&limit, "limit", 20, "at most so many")
	f.BoolVar(&asJSON, "json", false, "print the API's answer")
	return c
}

func (e *env) jobTable(answer []byte) error {
	var list struct {
		Jobs []struct {
			JobID     string  `json:"job_id"`
			Type      string  `json:"type"`
			State     string  `json:"state"`
			Host      *string `json:"host"`
			Subnet    *int    `json:"subnet"`
			CreatedAt string  `json:"created_at"`
			Error     *string `json:"error"`
		} `json:"jobs"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return fmt.Errorf("the server's answer is not JSON: %w", err)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tTYPE\tSTATE\tHOST\tDONGLE\tCREATED\tERROR")
	for _, j := range list.Jobs {
		dongle := "-"
		if j.Subnet != nil {
			dongle = strconv.Itoa(*j.Subnet)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", j.JobID, j.Type, j.State, orDash(j.Host), dongle, j.CreatedAt, orDash(j.Error))
	}
	return w.Flush()
}

func orDash(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}
