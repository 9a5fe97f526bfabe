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
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// client talks to a running server's API.
type client struct {
	base string
	key  string // an API key; empty: none
	host string // the proxy host that this machine is, if its configuration says so
	http http.Client
}

// target is which server a command talks to, and how.
type target struct{ server, keyFile string }

// serverFlags adds what says where the API is, and who asks.
func serverFlags(c *cobra.Command, t *target) {
	f := c.PersistentFlags()
	f.StringVar(&t.server, "server", "", "base URL of the API (or SWITCHYARD_SERVER; default: the first of http.listen)")
	f.StringVar(&t.keyFile, "key-file", "", "file with the API key (or SWITCHYARD_API_KEY with the key itself)")
}

func (e *env) client(t target) (*client, error) {
	cl := &client{}
	name := "--server"
	if t.server == "" {
		t.server, name = e.get("SWITCHYARD_SERVER"), "SWITCHYARD_SERVER"
	}
	cfg, err := e.load()
	if err == nil {
		cl.host = cfg.Host.Name
	}
	if t.server == "" {
		// Where the server is named, a configuration that can't be read here, since
		// its secrets are the service's, is not needed.
		if err != nil {
			return nil, err
		}
		if len(cfg.HTTP.Listen) == 0 {
			return nil, fmt.Errorf("%w: %w", errUsage, errors.New("the server is only there with TLS: name it with --server or SWITCHYARD_SERVER, such as https://switchyard.example.com:8443"))
		}
		t.server = "http://" + dialable(cfg.HTTP.Listen[0])
	}
	u, err := url.Parse(t.server)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%w: %w", errUsage, fmt.Errorf("%s %q is not a base URL such as http://127.0.0.1:8080", name, t.server))
	}
	cl.base = strings.TrimSuffix(t.server, "/")
	cl.key, err = e.apiKey(t.keyFile)
	return cl, err
}

// apiKey is the key of a file, else of the environment. There is no flag for
// the key itself: a command line is shown to everybody on the machine.
func (e *env) apiKey(file string) (string, error) {
	if file == "" {
		return e.get("SWITCHYARD_API_KEY"), nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the API key (--key-file): %w", err)
	}
	key := strings.TrimSpace(string(b))
	if key == "" || strings.ContainsAny(key, "\r\n") {
		return "", fmt.Errorf("the file %s holds no API key: it is one line (--key-file)", file)
	}
	return key, nil
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
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			if c.host != "" {
				return 0, nil, fmt.Errorf("no server answers at %s, and this is proxy host %s: name the server that it belongs to with --server or SWITCHYARD_SERVER: %w", c.base, c.host, op.Err)
			}
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

// goesOn is the error of a call that waited for what it asked for: where the
// caller ended the waiting, that isn't ended by it.
func goesOn(ctx context.Context, what string, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("no longer waiting: the %[1]s goes on where the server has taken it; 'switchyard jobs list --type %[1]s' shows it", what)
}

// refusal is what the server has against a request, in its own words.
func refusal(status int, body []byte) error {
	var p struct{ Detail, Error string }
	if json.Unmarshal(body, &p) == nil && p.Detail+p.Error != "" {
		if status == http.StatusUnauthorized {
			p.Detail += " Here: set SWITCHYARD_API_KEY, or --key-file."
		}
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
