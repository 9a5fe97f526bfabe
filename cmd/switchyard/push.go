package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (e *env) pushCommand() *cobra.Command {
	var server target
	var host string
	var wait float64
	var asJSON bool
	c := &cobra.Command{
		Use:   "push",
		Short: "Have a proxy host push its status now, and print what the receivers answer",
		Long: `Have a proxy host post its status document to its receivers now, as it does every
minute by itself. Prints the document and each receiver's answer.
Exit status 0 if every receiver took it, 1 if not.`,
		Example: `  switchyard push
  switchyard push --host seoul-1 --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := e.client(server)
			if err != nil {
				return err
			}
			if host == "" {
				if host, err = cl.pushingHost(cmd.Context()); err != nil {
					return err
				}
			}
			status, answer, err := cl.call(cmd.Context(), http.MethodPost, "/api/v1/hosts/"+url.PathEscape(host)+"/push", map[string]any{"wait": wait})
			switch {
			case err != nil:
				return goesOn(cmd.Context(), "push", err)
			case status == http.StatusAccepted:
				var a struct {
					JobID string `json:"job_id"`
				}
				if err := json.Unmarshal(answer, &a); err != nil {
					return fmt.Errorf("the server's answer is not JSON: %w", err)
				}
				return fmt.Errorf("the push is still under way; 'switchyard jobs get %s' shows it", a.JobID)
			case status != http.StatusOK:
				return refusal(status, answer)
			}
			return e.printPush(host, answer, asJSON)
		},
	}
	f := c.Flags()
	f.StringVar(&host, "host", "", "the proxy host, by name; needed where there are several and this is none of them")
	f.Float64Var(&wait, "wait", 90, "seconds to wait for the result")
	f.BoolVar(&asJSON, "json", false, "print the API's answer")
	serverFlags(c, &server)
	return c
}

// pushingHost is the host of a command that names none: this machine, or the only
// one.
func (c *client) pushingHost(ctx context.Context) (string, error) {
	if c.host != "" {
		return c.host, nil
	}
	status, answer, err := c.call(ctx, http.MethodGet, "/api/v1/hosts", nil)
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", refusal(status, answer)
	}
	var list struct {
		Hosts []struct {
			Host string `json:"host"`
		} `json:"hosts"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return "", fmt.Errorf("the server's answer is not JSON: %w", err)
	}
	switch len(list.Hosts) {
	case 0:
		return "", errors.New("no proxy host has registered yet: start a worker on one")
	case 1:
		return list.Hosts[0].Host, nil
	}
	names := make([]string, len(list.Hosts))
	for i, h := range list.Hosts {
		names[i] = h.Host
	}
	return "", fmt.Errorf("%w: %w", errUsage, errors.New("there are several hosts; name one with --host: "+strings.Join(names, ", ")))
}

// printPush prints what was pushed and what became of it; its error is that not
// everybody took it.
func (e *env) printPush(host string, answer []byte, asJSON bool) error {
	var r struct {
		Document  json.RawMessage `json:"document"`
		Receivers []struct {
			Receiver   string  `json:"receiver"`
			URLHost    string  `json:"url_host"`
			OK         bool    `json:"ok"`
			Status     int     `json:"status"`
			DurationMS int64   `json:"duration_ms"`
			Response   string  `json:"response"`
			Error      *string `json:"error"`
		} `json:"receivers"`
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return fmt.Errorf("the server's answer is not JSON: %w", err)
	}
	if asJSON {
		if err := printJSON(e.stdout, answer); err != nil {
			return err
		}
	} else if err := printJSON(e.stdout, r.Document); err != nil {
		return err
	}
	if len(r.Receivers) == 0 {
		return fmt.Errorf("nobody was to get it: host %s has no receivers in its configuration (push.receivers)", host)
	}
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nRECEIVER\tADDRESS\tSTATUS\tTIME\tANSWER")
	failed := false
	for _, o := range r.Receivers {
		status, said := "-", strings.Join(strings.Fields(o.Response), " ")
		if o.Status != 0 {
			status = fmt.Sprint(o.Status)
		}
		if !o.OK {
			failed = true
			said = strings.TrimSpace(orDash(o.Error) + "  " + said)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d ms\t%s\n", o.Receiver, o.URLHost, status, o.DurationMS, said)
	}
	if !asJSON {
		if err := w.Flush(); err != nil {
			return err
		}
		if _, err := table.WriteTo(e.stdout); err != nil {
			return err
		}
	}
	if failed {
		return errSilent
	}
	return nil
}
