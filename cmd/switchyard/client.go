package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// client talks to a running server's API.
type client struct {
	base string
	http http.Client
}

// serverFlag adds --server to a command.
func serverFlag(c *cobra.Command, server *string) {
	c.PersistentFlags().StringVar(server, "server", "", "base URL of the API (default: the first of http.listen)")
}

func (e *env) client(server string) (*client, error) {
	if server == "" {
		cfg, err := e.load()
		if err != nil {
			return nil, err
		}
		server = "http://" + dialable(cfg.HTTP.Listen[0])
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%w: %w", errUsage, fmt.Errorf("--server %q is not a base URL such as http://127.0.0.1:8080", server))
	}
	return &client{base: strings.TrimSuffix(server, "/")}, nil
}

// dialable is where a server that listens on addr can be reached on this
// machine.
func dialable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// call returns status and body of an answer; body is the request's JSON, nil
// for none.
func (c *client) call(ctx context.Context, method, path string, body any) (int, []byte, error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, fmt.Errorf("writing the request: %w", err)
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, in)
	if err != nil {
		return 0, nil, fmt.Errorf("writing the request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return 0, nil, fmt.Errorf("no server answers at %s: start one with 'switchyard serve' or 'switchyard demo', or name it with --server: %w", c.base, op.Err)
		}
		return 0, nil, fmt.Errorf("asking the server: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	return res.StatusCode, b, nil
}

// refusal is what the server has against a request, in its own words.
func refusal(status int, body []byte) error {
	var p struct{ Detail, Error string }
	if json.Unmarshal(body, &p) == nil && p.Detail+p.Error != "" {
		return errors.New(p.Detail + p.Error)
	}
	return fmt.Errorf("the server answered with status %d", status)
}

// printJSON writes a document, indented.
func printJSON(w io.Writer, doc []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(doc), "", "  "); err != nil {
		return fmt.Errorf("the server's answer is not JSON: %w", err)
	}
	out.WriteByte('\n')
	_, err := out.WriteTo(w)
	return err
}
