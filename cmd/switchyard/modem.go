package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"switchyard/app"
)

// modemFlags say which modem is asked, and how the answer is printed.
type modemFlags struct {
	url, user, passwordEnv string
	timeout                time.Duration
	asJSON                 bool
}

func (e *env) modemCommand() *cobra.Command {
	var f modemFlags
	c := &cobra.Command{
		Use: "modem", Short: "Ask a modem's web API itself, from a proxy host's console",
		Long: `Ask a modem's web API itself, past server, worker and Redis. It doesn't wait for
a toggle under way, and a login ends the worker's, which then logs in again.

With --json the answer is one document on standard output, null where the modem
doesn't say; an error is {"error":{"code","message"}} on standard error, its code
the modem's number or one of login_required, wrong_password, locked, not_hilink,
timeout, unreachable, cancelled, failed. Exit status 0 done, 1 failed.`,
		Example: `  switchyard modem signal --url http://192.168.16.1
  MODEM=… switchyard modem mode 03 --url http://192.168.16.1 --password-env MODEM --json`,
		Args: cobra.ArbitraryArgs, RunE: needsSubcommand,
	}
	flags := c.PersistentFlags()
	flags.StringVar(&f.url, "url", "", "the modem's web API, such as http://192.168.16.1")
	flags.StringVar(&f.user, "user", "admin", "who logs in, where the modem wants a login")
	flags.StringVar(&f.passwordEnv, "password-env", "", "the environment variable that holds the login's password")
	flags.DurationVar(&f.timeout, "timeout", 4*time.Second, "the longest that one request may take")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON, errors too")
	c.AddCommand(
		e.modemRead(&f, "info", "Show what the modem says of itself", noArgs, asked((*app.Modem).Info)),
		e.modemRead(&f, "signal", "Show the radio, as toggle results do", noArgs, asked((*app.Modem).Signal)),
		e.modemRead(&f, "status", "Show how the modem stands with its network", noArgs, asked((*app.Modem).Status)),
		e.modemRead(&f, "traffic", "Show the counters, in bytes", noArgs, asked((*app.Modem).Traffic)),
		e.modemRead(&f, "plmn", "Show the operator's network", noArgs, asked((*app.Modem).Network)),
		e.modemRead(&f, "mode [MODE]", "Show the net mode, or set it and keep the bands: 00 any, 01 2G, 02 3G, 03 LTE",
			atMostOneOf("a net mode", "00", "01", "02", "03", "0201", "0301", "0302"), modemMode),
		e.modemRead(&f, "switch [on|off]", "Show whether mobile data is on, or switch it", atMostOneOf("a switch's position", "on", "off"), modemSwitch),
	)
	return c
}

// question asks a modem and returns a document.
type question = func(ctx context.Context, m *app.Modem, args []string) (any, error)

// asked makes a question of a method that takes nothing.
func asked[T any](ask func(*app.Modem, context.Context) (T, error)) question {
	return func(ctx context.Context, m *app.Modem, _ []string) (any, error) { return ask(m, ctx) }
}

func modemMode(ctx context.Context, m *app.Modem, args []string) (any, error) {
	if len(args) == 0 {
		return m.Mode(ctx)
	}
	return m.SetMode(ctx, args[0])
}

func modemSwitch(ctx context.Context, m *app.Modem, args []string) (any, error) {
	if len(args) == 0 {
		return m.Switch(ctx)
	}
	return m.SetSwitch(ctx, args[0] == "on")
}

// modemRead makes a command of a question.
func (e *env) modemRead(f *modemFlags, use, short string, args cobra.PositionalArgs, ask question) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := e.openModem(*f)
			if err != nil {
				return err
			}
			// Also after Ctrl-C the modem shall let a person in.
			last, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), f.timeout)
			defer cancel()
			defer m.Close(last)
			doc, err := ask(cmd.Context(), m, args)
			if err != nil {
				return e.modemFault(*f, err)
			}
			return e.printModem(*f, doc)
		},
	}
}

func (e *env) openModem(f modemFlags) (*app.Modem, error) {
	usage := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w", errUsage, fmt.Errorf(format, args...))
	}
	if u, err := url.Parse(f.url); err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, usage("give the modem's address with --url, such as http://192.168.16.1")
	}
	if f.timeout <= 0 {
		return nil, usage("--timeout %v is no time", f.timeout)
	}
	opt := app.ModemOptions{URL: f.url, User: f.user, Timeout: f.timeout}
	if f.passwordEnv != "" {
		if opt.Password = e.get(f.passwordEnv); opt.Password == "" {
			return nil, usage("the environment variable %s, which --password-env names, is empty", f.passwordEnv)
		}
	}
	m, err := app.OpenModem(opt)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return m, nil
}

// modemFault says why there is no answer.
func (e *env) modemFault(f modemFlags, err error) error {
	if !f.asJSON {
		return err
	}
	enc := json.NewEncoder(e.stderr)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{"error": app.NewModemFault(err)}); err != nil {
		return fmt.Errorf("writing the error: %w", err)
	}
	return errSilent
}

// printModem prints a document: as it is, or a line for each member.
func (e *env) printModem(f modemFlags, doc any) error {
	b, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	if f.asJSON {
		return printJSON(e.stdout, b)
	}
	// The encoder's order is the document's. Each is flat.
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return fmt.Errorf("writing the answer: %w", err)
		}
		value, err := d.Token()
		if err != nil {
			return fmt.Errorf("writing the answer: %w", err)
		}
		if value == nil {
			value = "-"
		}
		fmt.Fprintf(w, "%s\t%v\n", name, value)
	}
	return w.Flush()
}

// atMostOneOf takes no argument, or one of these words.
func atMostOneOf(what string, words ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		for _, word := range words {
			if len(args) == 1 && args[0] == word {
				return nil
			}
		}
		return fmt.Errorf("%w: %w", errUsage, fmt.Errorf("%q is not %s: choose from %s", strings.Join(args, " "), what, strings.Join(words, ", ")))
	}
}
