package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"switchyard/app"
	"switchyard/jobs"
)

// noPassword stands for the password where none is given. Redis refuses the
// line as it stands, so it can't come into force unnoticed.
const noPassword = "#SHA-256-OF-THE-PASSWORD"

func (e *env) redisACLCommand() *cobra.Command {
	var roles []string
	var host, user, passwordEnv string
	var setuser, sentinel bool
	c := &cobra.Command{
		Use:   "redis-acl",
		Short: "Print the ACL rules of a Redis user for a role or a host",
		Long: `Print the line that makes a Redis user (Redis 7 or later) with the rights of some
roles, or of a proxy host's worker, and no others. It goes into the file that
Redis' aclfile names, or after 'redis-cli ACL SETUSER' (--setuser).

A process of several roles needs the rights of each: name them all. --host is
what a worker with host.name needs; with --role worker, one that also takes
other queues (worker.queues).`,
		Example: `  switchyard redis-acl --role api,scheduler --password-env API_PASSWORD
  switchyard redis-acl --host seoul-1
  switchyard redis-acl --sentinel`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			rules, name, err := aclRules(roles, host, sentinel)
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			if user != "" {
				name = user
			}
			if strings.ContainsAny(name, " \t\n") {
				return fmt.Errorf("%w: %w", errUsage, fmt.Errorf("a user's name has no spaces: %q", name))
			}
			password := noPassword
			if passwordEnv != "" {
				secret := e.get(passwordEnv)
				if secret == "" {
					return fmt.Errorf("%w: %w", errUsage, fmt.Errorf("the variable %s is not set, or empty", passwordEnv))
				}
				sum := sha256.Sum256([]byte(secret))
				password = "#" + hex.EncodeToString(sum[:])
			}
			words := slices.Concat([]string{"user", name, "reset", "on", password}, rules)
			if setuser {
				words = append([]string{"ACL", "SETUSER"}, words[1:]...)
				for i, w := range words {
					if i > 2 {
						words[i] = "'" + w + "'" // for a shell: rules hold *, ~ and brackets
					}
				}
			}
			_, err = fmt.Fprintln(e.stdout, strings.Join(words, " "))
			return err
		},
	}
	c.Flags().StringSliceVar(&roles, "role", nil, "roles of the process: api, worker, scheduler, with commas between them")
	c.Flags().StringVar(&host, "host", "", "the proxy host whose worker it is (host.name)")
	c.Flags().BoolVar(&sentinel, "sentinel", false, "for the Sentinels, which have users of their own")
	c.Flags().StringVar(&user, "user", "", "the user's name (default: switchyard- and what it is for)")
	c.Flags().StringVar(&passwordEnv, "password-env", "", "environment variable with the password, of which the SHA-256 is printed")
	c.Flags().BoolVar(&setuser, "setuser", false, "print it as arguments of redis-cli")
	return c
}

// hostNames are those that a configuration takes. Whatever else a name held
// would be a pattern in the rules.
var hostNames = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// aclRules are the rules, and the name of the user unless another one is given.
func aclRules(roles []string, host string, sentinel bool) (rules []string, name string, err error) {
	if sentinel {
		if len(roles) > 0 || host != "" {
			return nil, "", fmt.Errorf("--sentinel goes alone: every process needs the same of a Sentinel")
		}
		return jobs.SentinelRules(), "switchyard", nil
	}
	var access jobs.Access
	name = "switchyard"
	for _, r := range roles {
		role := strings.TrimSpace(r)
		switch app.Role(role) {
		case app.API:
			access = append(access, jobs.APIAccess()...)
		case app.Worker:
			access = append(access, jobs.WorkerAccess()...)
		case app.Scheduler:
			access = append(access, jobs.SchedulerAccess()...)
		default:
			return nil, "", fmt.Errorf("unknown role %q: choose from api, worker, scheduler", role)
		}
		name += "-" + role
	}
	if host != "" {
		if !hostNames.MatchString(host) {
			return nil, "", fmt.Errorf("%q is no host's name (host.name): a-z, 0-9 and dashes inside, at most 40 characters", host)
		}
		access = append(access, jobs.HostAccess(host)...)
		name += "-host-" + host
	}
	if len(access) == 0 {
		return nil, "", fmt.Errorf("say whose rights: --role, --host or --sentinel")
	}
	return access.Rules(), name, nil
}
