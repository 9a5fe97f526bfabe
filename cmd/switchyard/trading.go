package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"switchyard/app"
	"switchyard/configs"
)

func (e *env) tradingCommand() *cobra.Command {
	c := &cobra.Command{Use: "trading", Short: "Trading accounts, groups and tokens", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	token := &cobra.Command{Use: "token", Short: "Make tokens of the webhook", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	token.AddCommand(e.tradingTokenCommand())
	c.AddCommand(token, e.tradingGroupsCommand(), e.tradingAccountsCommand(), e.tradingCheckCommand())
	return c
}

func (e *env) tradingTokenCommand() *cobra.Command {
	var group, expires string
	c := &cobra.Command{
		Use:   "new",
		Short: "Make a token for a group's webhooks, and print it with its lines for the configuration",
		Long: "Make a token. It is printed this once; the configuration gets only its hash.\n" +
			"Two tokens of a group are valid at a time, so that one can be exchanged for another:\nadd the new one, reload (SIGHUP), change the alerts, take the old one out, reload.",
		Example: "  switchyard trading token new --group my_strategy --expires 90d",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if strings.TrimSpace(group) == "" {
				return fmt.Errorf("%w: %w", errUsage, errors.New("name the group with --group, such as my_strategy"))
			}
			end := ""
			if expires != "" {
				d, err := configs.ParseDays(expires)
				if err != nil {
					return fmt.Errorf("%w: --expires %w", errUsage, err)
				}
				end = fmt.Sprintf("\n          expires: %q", time.Now().UTC().Add(d).Truncate(time.Second).Format(time.RFC3339))
			}
			key, hash := configs.NewTradingToken()
			_, err := fmt.Fprintf(e.stdout, `# The token, shown this once. It is the field "token" of the alerts.
%s

# For the configuration, below the tokens that stand there already (two at most):
trading:
  groups:
    - name: %q
      tokens:
        - hash: %s%s
`, key.Reveal(), group, hash, end)
			return err
		},
	}
	c.Flags().StringVar(&group, "group", "", "the group that it speaks for")
	c.Flags().StringVar(&expires, "expires", "", "how long it is valid, such as 90d or 12h (default: for ever)")
	return c
}

func (e *env) tradingGroupsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "groups", Short: "List the groups of the configuration", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := e.load()
			if err != nil {
				return err
			}
			t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "GROUP\tSTATE\tTOKENS\tACCOUNTS\tCHAT")
			for _, g := range cfg.Trading.Groups {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", g.Name, stateOf(g.State), tokensOf(g), accountsOf(cfg.Trading, g), cell(g.ChatID))
			}
			return t.Flush()
		},
	}
}

func stateOf(s string) string {
	if s == "" {
		return configs.TradingActive
	}
	return s
}

// cell is a cell of a table, which is never empty.
func cell(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// tokensOf are a group's tokens, by what can be told of them.
func tokensOf(g configs.TradingGroup) string {
	var out []string
	for _, t := range g.Tokens {
		short := strings.TrimPrefix(t.Hash, "sha256:")
		s := short[:min(8, len(short))] + "…"
		switch {
		case !t.Valid(time.Now()):
			s += " (expired)"
		case t.Expires != "":
			s += " (until " + t.Expires + ")"
		}
		out = append(out, s)
	}
	return cell(strings.Join(out, ", "))
}

func accountsOf(c configs.Trading, g configs.TradingGroup) string {
	var out []string
	for _, s := range g.Accounts {
		a, _ := c.Account(s.ID)
		word := fmt.Sprintf("%d %s", s.ID, a.Name)
		if !a.Trades() {
			word += " (paused)"
		}
		if s.Capital.Value().IsPositive() {
			word += " up to " + s.Capital.String()
		}
		out = append(out, word)
	}
	return cell(strings.Join(out, ", "))
}

func (e *env) tradingAccountsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "accounts", Short: "List the accounts of the configuration, without their keys", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := e.load()
			if err != nil {
				return err
			}
			t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "ID\tNAME\tEXCHANGE\tMODE\tSTATE\tGROUPS")
			for _, a := range cfg.Trading.Accounts {
				var groups []string
				for _, g := range cfg.Trading.Groups {
					for _, s := range g.Accounts {
						if s.ID == a.ID {
							groups = append(groups, g.Name)
						}
					}
				}
				fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", a.ID, a.Name, a.Exchange, a.Mode, stateOf(a.State), cell(strings.Join(groups, ", ")))
			}
			return t.Flush()
		},
	}
}

func (e *env) tradingCheckCommand() *cobra.Command {
	var account int
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Examine whether the accounts can be traded with, and say what to do",
		Long: `Examine the accounts, one line for each look: is the exchange reached, is this
machine's clock right, is the key accepted, what may it do (it must not be allowed to
withdraw), in which position mode is the account, what is free. Nothing is placed or
changed. Exit status 0, or 1 if anything failed.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := e.load()
			if err != nil {
				return err
			}
			findings := app.CheckTrading(cmd.Context(), cfg, account)
			if err := printFindings(e.stdout, findings, asJSON); err != nil {
				return err
			}
			if app.Failed(findings) {
				return errSilent
			}
			return nil
		},
	}
	c.Flags().IntVar(&account, "account", 0, "the id of one account (default: all)")
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return c
}
