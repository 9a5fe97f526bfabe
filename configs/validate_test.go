package configs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Ensure that every value which a process could not run with is refused, with
// line, key and what to do.
func TestValidate(t *testing.T) {
	t.Parallel()
	// A host that lacks nothing, one line.
	const host = "host: {name: a, echo_urls: ['http://example.com'], "
	const account = "account_id: 023e105f4ecef8ad9ca31a8372d0c353"
	zones := make([]string, 51)
	for i := range zones {
		zones[i] = fmt.Sprintf("'%032x'", i)
	}
	manyZones := strings.Join(zones, ", ")
	for yaml, want := range map[string]string{
		"timezone: Asia/Soul": `1: timezone: unknown time zone "Asia/Soul": use a name of the IANA list`,
		"timezone: Local":     "1: timezone: must name a zone",
		`timezone: ""`:        "1: timezone: must name a zone",

		"log: {level: trace}": `1: log.level: unknown level "trace"; use debug, info, warn or error`,
		"log: {format: xml}":  `1: log.format: unknown format "xml"; use text or json`,

		"redis: {addr: localhost}":         "1: redis.addr: must be host:port",
		"redis: {addr: ':6379'}":           "1: redis.addr: must be host:port",
		"redis: {addr: 'a b:6379'}":        "1: redis.addr: must be host:port",
		"redis: {addr: '::1:6379'}":        "1: redis.addr: must be host:port",
		"redis: {addr: '127.0.0:6379'}":    "1: redis.addr: must be host:port",
		"redis: {addr: 'redis://a:6379'}":  "1: redis.addr: must be host:port",
		"redis: {addr: 'localhost:redis'}": "1: redis.addr: the port must be a number from 1 to 65535",
		"redis: {addr: 'localhost:0'}":     "1: redis.addr: the port must be a number from 1",
		"redis: {addr: 'localhost:65536'}": "1: redis.addr: the port must be a number from 1",
		"redis: {db: -1}":                  "1: redis.db: is -1: it must be 0 to 15",
		"redis: {db: 16}":                  "1: redis.db: is 16: it must be 0 to 15",
		"redis: {pool_size: -1}":           "1: redis.pool_size: is -1: it must be 0 to 10000",
		"redis: {dial_timeout: 0s}":        "1: redis.dial_timeout: is 0s: it must be at least 1ms",
		"redis: {command_timeout: -1s}":    "1: redis.command_timeout: is -1s: it must be at least 1ms",
		"redis: {username: app}":           "1: redis.username: needs redis.password too",

		"metrics: {listen: '127.0.0.1'}":                                          "1: metrics.listen: must be host:port",
		"metrics: {listen: ':9090'}":                                              "1: metrics.listen: :9090 can be reached from other machines, and nothing there asks who is calling: listen on 127.0.0.1, [::1] or localhost, or let everybody read the figures with metrics.open: true",
		"metrics: {listen: '203.0.113.7:9090', open: false}":                      "1: metrics.listen: 203.0.113.7:9090 can be reached",
		"redis: {sentinel: {master: a}}":                                          "1: redis.sentinel.master: needs redis.sentinel.addrs too",
		"redis: {sentinel: {addrs: ['a:1']}}":                                     "1: redis.sentinel.addrs: needs redis.sentinel.master too",
		"redis: {sentinel: {master: 'a b', addrs: ['a:1']}}":                      "1: redis.sentinel.master: must be letters, digits",
		"redis: {sentinel: {master: a, addrs: ['a']}}":                            "1: redis.sentinel.addrs[0]: must be host:port",
		"redis: {sentinel: {master: a, addrs: ['a:1', 'a:1']}}":                   "1: redis.sentinel.addrs[1]: is the same as redis.sentinel.addrs[0]",
		"redis: {sentinel: {master: a, addrs: ['a:1'], username: u}}":             "1: redis.sentinel.username: needs redis.sentinel.password too",
		"redis: {tls: {enabled: true, ca: ca.pem}}":                               "1: redis.tls.ca: must be a path from the root",
		"redis: {tls: {enabled: true, cert: /c.pem}}":                             "1: redis.tls.cert: redis.tls.cert and redis.tls.key belong together",
		"redis: {tls: {enabled: true, key: /k.pem}}":                              "1: redis.tls.key: redis.tls.cert and redis.tls.key belong together",
		"redis: {tls: {enabled: true, server_name: 'https://redis.example.com'}}": "1: redis.tls.server_name: must be a host name",

		"http: {listen: []}":                                  "1: http.listen: names no address",
		"http: {listen: ['127.0.0.1']}":                       "1: http.listen[0]: must be host:port",
		"http: {listen: ['127.0.0.1:http']}":                  "1: http.listen[0]: the port must be a number from 0 to 65535",
		"http: {listen: ['a b:80']}":                          "1: http.listen[0]: must be host:port",
		"http: {listen: ['127.0.0.1:1', '127.0.0.1:1']}":      "1: http.listen[1]: is the same as http.listen[0]: keep one",
		"http: {listen: [':8080']}":                           "1: http.listen[0]: :8080 can be reached from other machines",
		"http: {listen: ['0.0.0.0:8080']}":                    "1: http.listen[0]: 0.0.0.0:8080 can be reached from other machines, and nothing here asks who is calling: listen on 127.0.0.1, [::1] or localhost, set auth.keys or auth.networks, or allow everybody everything with auth.disabled: true",
		"http: {listen: ['[::]:8080']}":                       "1: http.listen[0]: [::]:8080 can be reached",
		"http: {listen: ['203.0.113.7:8080']}":                "1: http.listen[0]: 203.0.113.7:8080 can be reached",
		"http: {listen: ['[::ffff:203.0.113.7]:8080']}":       "1: http.listen[0]: [::ffff:203.0.113.7]:8080 can be reached",
		"http: {listen: ['localhost.example.com:8080']}":      "1: http.listen[0]: localhost.example.com:8080 can be reached",
		"auth: {disabled: false}\nhttp: {listen: ['a.b:80']}": "2: http.listen[0]: a.b:80 can be reached",
		"http: {max_body: 0}":                                 "1: http.max_body: is 0: it must be 1024 to 1073741824",
		"http: {read_header_timeout: 0s}":                     "1: http.read_header_timeout: is 0s",
		"http: {read_timeout: 0s}":                            "1: http.read_timeout: is 0s",
		"http: {idle_timeout: 0s}":                            "1: http.idle_timeout: is 0s",
		"http: {drain_timeout: -1s}":                          "1: http.drain_timeout: is -1s: it must be at least 0s",

		"http: {max_header: 4095}":                          "1: http.max_header: is 4095: it must be 4096 to 1048576",
		"http: {write_timeout: 0s}":                         "1: http.write_timeout: is 0s",
		"http: {write_timeout: 209s}":                       "1: http.write_timeout: http.write_timeout is 3m29s and toggle.request_wait 3m20s: the first must be at least 10s longer",
		"http: {rate_limit: {per_second: -1}}":              "1: http.rate_limit.per_second: is -1: it must be 0 to 1000000",
		"http: {rate_limit: {burst: 0}}":                    "1: http.rate_limit.burst: is 0: it must be 1 to 1000000",
		"http: {server_names: ['http://a']}":                "1: http.server_names[0]: must be a host name without scheme",
		"http: {server_names: ['a:80']}":                    "1: http.server_names[0]: must be a host name",
		"http: {server_names: [a, a]}":                      "1: http.server_names[1]: is the same as http.server_names[0]",
		"http: {allowed_origins: ['*']}":                    "1: http.allowed_origins[0]: must begin with http:// or https://",
		"http: {allowed_origins: ['https://a/']}":           "1: http.allowed_origins[0]: must be scheme, host and port as browsers send them",
		"http: {allowed_origins: ['https://A']}":            "1: http.allowed_origins[0]: must be scheme, host and port",
		"http: {trusted_proxies: [192.0.2.1]}":              "1: http.trusted_proxies[0]: is not a network",
		"http: {trusted_proxies: ['::ffff:192.0.2.0/120']}": "1: http.trusted_proxies[0]: is an IPv4 network in the form of IPv6",
		"http: {trusted_proxies: [0.0.0.0/0]}":              "1: http.trusted_proxies[0]: trusts everybody",
		"http: {trusted_proxies: ['::/0']}":                 "1: http.trusted_proxies[0]: trusts everybody",

		"http: {tls: {listen: ['127.0.0.1:1'], cert: a}}":                                                                               "1: http.tls.listen: needs http.tls.key too",
		"http: {tls: {listen: ['127.0.0.1:1'], key: a}}":                                                                                "1: http.tls.listen: needs http.tls.cert too",
		"http: {tls: {cert: a}}":                                                                                                        "1: http.tls.cert: needs http.tls.listen too",
		"http: {tls: {listen: [':1'], cert: a, key: a}}":                                                                                "1: http.tls.listen[0]: :1 can be reached from other machines",
		"http: {listen: ['127.0.0.1:1'], tls: {listen: ['127.0.0.1:1'], cert: a, key: a}}":                                              "1: http.tls.listen[0]: is the same as http.listen[0]",
		"auth: {disabled: true, networks: [{cidr: 192.0.2.0/24, scopes: [admin]}]}":                                                     "1: auth.disabled: true lets everybody do everything",
		"auth: {networks: [{cidr: 192.0.2.1/24, scopes: [admin]}]}":                                                                     "1: auth.networks[0].cidr: is an address inside a network: write 192.0.2.0/24 for the network, or the address with /32",
		"auth: {networks: [{scopes: [admin]}]}":                                                                                         "1: auth.networks[0].cidr: is not a network",
		"auth: {networks: [{cidr: '::/0', scopes: [admin]}, {cidr: '::/0', scopes: [admin]}]}":                                          "1: auth.networks[1].cidr: is the same as auth.networks[0].cidr",
		"auth: {networks: [{cidr: '::/0'}]}":                                                                                            "1: auth.networks[0].scopes: names no scope",
		"auth: {networks: [{cidr: '::/0', scopes: [jobs:red]}]}":                                                                        `1: auth.networks[0].scopes[0]: unknown scope "jobs:red"; use proxies:read, proxies:toggle, `,
		"auth: {keys: [{name: a, scopes: [admin], hash: " + password + "}]}":                                                            "1: auth.keys[0].hash: must be sha256: and 64 hexadecimal digits",
		"auth: {keys: [{name: a, scopes: [admin], hash: 'sha256:ABC'}]}":                                                                "1: auth.keys[0].hash: must be sha256:",
		"auth: {keys: [{name: A b, scopes: [admin], hash: " + hashed + "}]}":                                                            "1: auth.keys[0].name: must be a name",
		"auth: {keys: [{name: a, scopes: [admin, admin], hash: " + hashed + "}]}":                                                       "1: auth.keys[0].scopes[1]: is the same as",
		"auth: {keys: [{name: a, scopes: [admin], hash: " + hashed + "}, {name: b, scopes: [admin], hash: " + hashed + "}]}":            "1: auth.keys[1].hash: is the same as auth.keys[0].hash",
		"auth: {keys: [{name: a, scopes: [admin], hash: " + hashed + "}, {name: a, scopes: [admin], hash: '" + HashAPIKey("b") + "'}]}": "1: auth.keys[1].name: is the same as auth.keys[0].name",

		"strategy: {limit: 500ms}":                                                                                                                       "1: strategy.limit: is 500ms",
		"strategy: {first_retry: 100ms}":                                                                                                                 "1: strategy.first_retry: is 100ms: it must be at least 1s",
		"strategy: {first_retry: 3s, max_retry: 2s}":                                                                                                     "1: strategy.max_retry: strategy.max_retry is 2s and strategy.first_retry 3s",
		"strategy: {prices: {folder: prices}}":                                                                                                           "1: strategy.prices.folder: must be a path from the root",
		"strategy: {prices: {cache_dir: ../x}}":                                                                                                          "1: strategy.prices.cache_dir: must be a path from the root",
		"strategy: {prices: {url: 'https://prices.example.com/x.csv'}}":                                                                                  "1: strategy.prices.url: must have {symbol}",
		"strategy: {prices: {url: 'ftp://" + password + "/{symbol}'}}":                                                                                   "1: strategy.prices.url: must be an address that begins with http",
		"strategy: {prices: {timeout: 0s}}":                                                                                                              "1: strategy.prices.timeout: is 0s",
		"strategy: {commands: [{name: 1a, command: [/x]}]}":                                                                                              "1: strategy.commands[0].name: must be a name of letters",
		"strategy: {commands: [{name: BoldAssetAllocation, command: [/x]}]}":                                                                             "1: strategy.commands[0].name: is that of a built-in strategy",
		"strategy: {commands: [{name: a, command: [/x]}, {name: a, command: [/x]}]}":                                                                     "1: strategy.commands[1].name: is the same as strategy.commands[0].name",
		"strategy: {commands: [{name: a}]}":                                                                                                              "1: strategy.commands[0].command: is missing",
		"strategy: {commands: [{name: a, command: [python3]}]}":                                                                                          "1: strategy.commands[0].command[0]: must be a path from the root",
		"strategy: {commands: [{name: a, command: [/x], version: 'a b'}]}":                                                                               "1: strategy.commands[0].version: must be letters",
		"strategy: {commands: [{name: a, command: [/x], dir: x}]}":                                                                                       "1: strategy.commands[0].dir: must be a path",
		"strategy: {commands: [{name: a, command: [/x], environment: [A=b]}]}":                                                                           "1: strategy.commands[0].environment[0]: must be the name of a variable",
		"strategy: {commands: [{name: a, command: [/x], environment: [A, A]}]}":                                                                          "1: strategy.commands[0].environment[1]: is the same as",
		"strategy: {commands: [{name: a, command: [/x], timeout: 11m}]}":                                                                                 "1: strategy.commands[0].timeout: is 11m",
		"strategy: {commands: [{name: a, command: [/x], cpu: 10ms}]}":                                                                                    "1: strategy.commands[0].cpu: is 10ms",
		"strategy: {commands: [{name: a, command: [/x], memory_mib: 1}]}":                                                                                "1: strategy.commands[0].memory_mib: is 1: it must be 16 to 1048576",
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: a, type: float}]}]}":                                                         `1: strategy.commands[0].parameters[0].type: unknown type "float"; use string, integer, number, boolean or date`,
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: '', type: date}]}]}":                                                         "1: strategy.commands[0].parameters[0].name: must be a name",
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: a, type: string, min: 1}]}]}":                                                "1: strategy.commands[0].parameters[0].min: is for integers and numbers",
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: a, type: number, min: 2, max: 1}]}]}":                                        "1: strategy.commands[0].parameters[0].max: must not be less than min",
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: a, type: integer, default: 1.5}]}]}":                                         "1: strategy.commands[0].parameters[0].default: must be a whole number",
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: a, type: integer, default: 007}]}]}":                                         "1: strategy.commands[0].parameters[0].default: must be a number",
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: a, type: number, default: .5}]}]}":                                           "1: strategy.commands[0].parameters[0].default: must be a number",
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: a, type: number, default: 3, max: 2}]}]}":                                    "1: strategy.commands[0].parameters[0].default: is not between min and max",
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: a, type: boolean, default: yes}]}]}":                                         "1: strategy.commands[0].parameters[0].default: must be true or false",
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: a, type: date, default: 2024-02-30}]}]}":                                     "1: strategy.commands[0].parameters[0].default: must be a date",
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: a, type: string, default: c, allowed: [a, b]}]}]}":                           "1: strategy.commands[0].parameters[0].default: is not among those",
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: a, type: string, default: c, required: true}]}]}":                            "1: strategy.commands[0].parameters[0].default: is never used",
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: a, type: integer, allowed: [1, x]}]}]}":                                      "1: strategy.commands[0].parameters[0].allowed[1]: must be a number",
		"strategy: {commands: [{name: a, command: [/x], parameters: [{name: a, type: string}, {name: a, type: string}]}]}":                               "1: strategy.commands[0].parameters[1].name: is the same as",
		"deployments: {max_wait: 0s}":                                                                                                                    "1: deployments.max_wait: is 0s",
		"deployments: {log_kib: 0}":                                                                                                                      "1: deployments.log_kib: is 0: it must be 1 to 1024",
		"deployments: {pipelines: [{project: -a, dir: /a, steps: [{name: a, command: [/x]}]}]}":                                                          "1: deployments.pipelines[0].project: must be a name of letters",
		"deployments: {pipelines: [{project: a, dir: /a, steps: [{name: a, command: [/x]}]}, {project: a, dir: /a, steps: [{name: a, command: [/x]}]}]}": "1: deployments.pipelines[1].project: is the same as deployments.pipelines[0].project",
		"deployments: {pipelines: [{project: a, host: A, dir: /a, steps: [{name: a, command: [/x]}]}]}":                                                  "1: deployments.pipelines[0].host: must be the name of a host",
		"deployments: {pipelines: [{project: a, dir: a, steps: [{name: a, command: [/x]}]}]}":                                                            "1: deployments.pipelines[0].dir: must be a path from the root",
		"deployments: {pipelines: [{project: a, dir: /a, branches: ['release/*'], steps: [{name: a, command: [/x]}]}]}":                                  "1: deployments.pipelines[0].branches[0]: must be the name of a branch",
		"deployments: {pipelines: [{project: a, dir: /a, branches: [main, '-f'], steps: [{name: a, command: [/x]}]}]}":                                   "1: deployments.pipelines[0].branches[1]: must be the name of a branch",
		"deployments: {pipelines: [{project: a, dir: /a, branches: [main, main], steps: [{name: a, command: [/x]}]}]}":                                   "1: deployments.pipelines[0].branches[1]: is the same as",
		"deployments: {pipelines: [{project: a, dir: /a, environment: [A=b], steps: [{name: a, command: [/x]}]}]}":                                       "1: deployments.pipelines[0].environment[0]: must be the name of a variable",
		"deployments: {pipelines: [{project: a, dir: /a, secrets: [A, A], steps: [{name: a, command: [/x]}]}]}":                                          "1: deployments.pipelines[0].secrets[1]: is the same as",
		"deployments: {pipelines: [{project: a, dir: /a, memory_mib: 1, steps: [{name: a, command: [/x]}]}]}":                                            "1: deployments.pipelines[0].memory_mib: is 1",
		"deployments: {pipelines: [{project: a, dir: /a, processes: -1, steps: [{name: a, command: [/x]}]}]}":                                            "1: deployments.pipelines[0].processes: is -1",
		"deployments: {pipelines: [{project: a, dir: /a}]}":                                                                                              "1: deployments.pipelines[0].steps: is missing",
		"deployments: {pipelines: [{project: a, dir: /a, steps: [{command: [/x]}]}]}":                                                                    "1: deployments.pipelines[0].steps[0].name: must be a name of at most 100",
		"deployments: {pipelines: [{project: a, dir: /a, steps: [{name: a, command: [/x]}, {name: a, command: [/x]}]}]}":                                 "1: deployments.pipelines[0].steps[1].name: is the same as deployments.pipelines[0].steps[0].name",
		"deployments: {pipelines: [{project: a, dir: /a, steps: [{name: a}]}]}":                                                                          "1: deployments.pipelines[0].steps[0].command: is missing",
		"deployments: {pipelines: [{project: a, dir: /a, steps: [{name: a, command: [npm]}]}]}":                                                          "1: deployments.pipelines[0].steps[0].command[0]: must be a path from the root",
		"deployments: {pipelines: [{project: a, dir: /a, steps: [{name: a, command: [/x], timeout: 10ms}]}]}":                                            "1: deployments.pipelines[0].steps[0].timeout: is 10ms",
		"deployments: {pipelines: [{project: a, dir: /a, steps: [{name: a, command: [/x]}], rollback: [{name: a, command: [/x], environment: ['']}]}]}":  "1: deployments.pipelines[0].rollback[0].environment[0]: must be the name of a variable",
		"deployments: {pipelines: [{project: a, dir: /a, steps: [{name: a, command: [/x], timeout: 20h}, {name: b, command: [/x], timeout: 5h}]}]}":      "1: deployments.pipelines[0].steps: may take 25h together",
		"callbacks: {strategy_attempts: 0}":                                                                                                              "1: callbacks.strategy_attempts: is 0: it must be 1 to 50",
		"callbacks: {strategy_timeout: 0s}":                                                                                                              "1: callbacks.strategy_timeout: is 0s",

		"ws: {max_connections: 0}":         "1: ws.max_connections: is 0: it must be 1 to 100000",
		"ws: {per_client: 0}":              "1: ws.per_client: is 0",
		"ws: {messages_per_second: 0}":     "1: ws.messages_per_second: is 0",
		"ws: {broadcasts_per_second: 101}": "1: ws.broadcasts_per_second: is 101",
		"ws: {max_message: 1}":             "1: ws.max_message: is 1",
		"ws: {idle_timeout: 0s}":           "1: ws.idle_timeout: is 0s",
		"ws: {ping_interval: 5m}":          "1: ws.ping_interval: ws.ping_interval is 5m and ws.idle_timeout 5m",
		"webhooks: {receivers: [{name: a, type: telegram, url: 'https://example.com'}]}":                                                  "1: webhooks.receivers[0].type: ",
		"webhooks: {receivers: [{name: a, type: slack, url: 'canary:x'}]}":                                                                "1: webhooks.receivers[0].url: is no address",
		"webhooks: {receivers: [{name: a, type: slack}]}":                                                                                 "1: webhooks.receivers[0].url: is missing",
		"webhooks: {receivers: [{name: A b, type: slack, url: 'https://example.com'}]}":                                                   "1: webhooks.receivers[0].name: must be a name",
		"webhooks: {receivers: [{name: a, type: slack, url: 'https://example.com'}, {name: a, type: slack, url: 'https://example.com'}]}": "1: webhooks.receivers[1].name: is the same as",
		"alerts: {interval: 2m}":                                      "1: alerts.interval: is 2m: it must be",
		"alerts: {cpu: {threshold: 101}}":                             "1: alerts.cpu.threshold: is 101: it must be 1 to 100",
		"alerts: {memory: {level: loud}}":                             "1: alerts.memory.level: ",
		"alerts: {disk: {for: -1s}}":                                  "1: alerts.disk.for: ",
		"alerts: {poor_signal: {hysteresis: -1}}":                     "1: alerts.poor_signal.hysteresis: is -1",
		"alerts: {host_offline: {for: 25h}}":                          "1: alerts.host_offline.for: ",
		"alerts: {exchange_ban: {level: x}}":                          "1: alerts.exchange_ban.level: ",
		"alerts: {routes: [{levels: [error]}]}":                       "1: alerts.routes[0]: tells nobody",
		"alerts: {routes: [{levels: [x], telegram: ['@opsteam']}]}":   "1: alerts.routes[0].levels[0]: ",
		"alerts: {routes: [{sources: [x], telegram: ['@opsteam']}]}":  "1: alerts.routes[0].sources[0]: ",
		"alerts: {routes: [{telegram: [ops]}]}":                       "1: alerts.routes[0].telegram[0]: must be a chat's id",
		"alerts: {routes: [{webhooks: [ops]}]}":                       "1: alerts.routes[0].webhooks[0]: is \"ops\", and webhooks.receivers has none",
		"webhooks: {templates: [{id: A, text: x}]}":                   "1: webhooks.templates[0].id: must be a name",
		"webhooks: {templates: [{id: a, text: x}, {id: a, text: x}]}": "1: webhooks.templates[1].id: is the same as webhooks.templates[0].id",
		"webhooks: {templates: [{id: a}]}":                            "1: webhooks.templates[0].text: is missing",
		"webhooks: {templates: [{id: a, text: 'x {'}]}":               "1: webhooks.templates[0].text: can't be read: the template has a { without a }",
		"jobs: {retention: 59m}":                                      "1: jobs.retention: is 59m: it must be at least 1h",
		"jobs: {max_per_type: 0}":                                     "1: jobs.max_per_type: is 0",
		"jobs: {event_stream: 0}":                                     "1: jobs.event_stream: is 0",
		"jobs: {idempotency_window: 10ms}":                            "1: jobs.idempotency_window: is 10ms: it must be at least 1s",
		"jobs: {max_crashes: 0}":                                      "1: jobs.max_crashes: is 0: it must be 1 to 100",

		"worker: {queues: [deliveries]}":          `1: worker.queues[0]: unknown queue "deliveries"; use trading, interactive, delivery, strategy or default`,
		"worker: {queues: ['host:a']}":            "1: worker.queues[0]: the queues of a host are taken by the process with its host.name",
		"worker: {queues: [default, default]}":    "1: worker.queues[1]: is the same as worker.queues[0]",
		"worker: {concurrency: {deliveries: 1}}":  `1: worker.concurrency.deliveries: unknown queue "deliveries"`,
		"worker: {concurrency: {'host:a': 1}}":    `1: worker.concurrency["host:a"]: the queues of a host`,
		"worker: {concurrency: {default: 0}}":     "1: worker.concurrency.default: is 0: it must be 1 to 10000",
		"worker: {concurrency: {default: 10001}}": "1: worker.concurrency.default: is 10001",
		"worker: {heartbeat: 0s}":                 "1: worker.heartbeat: is 0s",
		"worker: {ttl: 0s}":                       "1: worker.ttl: is 0s: it must be at least 1ms",
		"worker: {ttl: 8999ms}":                   "1: worker.ttl: worker.ttl is 8.999s and worker.heartbeat 3s: the first must be at least three times the second",
		"worker:\n  heartbeat: 5s":                "2: worker.heartbeat: worker.ttl is 12s and worker.heartbeat 5s",
		"worker:\n  heartbeat: 5s\n  ttl: 14s":    "3: worker.ttl: worker.ttl is 14s",
		"worker: {heartbeat: 2000000h, ttl: 1h}":  "1: worker.ttl: worker.ttl is 1h",
		"worker: {fetch_hold: 0s}":                "1: worker.fetch_hold: is 0s",
		"worker: {fetch_poll: 0s}":                "1: worker.fetch_poll: is 0s",
		"worker: {delayed_check: 0s}":             "1: worker.delayed_check: is 0s",
		"worker: {shutdown_timeout: 0s}":          "1: worker.shutdown_timeout: is 0s",
		"scheduler: {sweep_interval: 0s}":         "1: scheduler.sweep_interval: is 0s",

		"host: {name: Seoul, echo_urls: ['http://a']}":                           "1: host.name: must be a-z, 0-9 and dashes inside",
		"host: {name: -a, echo_urls: ['http://a']}":                              "1: host.name: must be",
		"host: {name: a-, echo_urls: ['http://a']}":                              "1: host.name: must be",
		"host: {name: a.b, echo_urls: ['http://a']}":                             "1: host.name: must be",
		"host: {name: " + strings.Repeat("a", 41) + ", echo_urls: ['http://a']}": "1: host.name: must be",
		"host: {name: a}":                                       "1: host.name: needs host.echo_urls too",
		"host: {server_ip: example.com}":                        "1: host.server_ip: must be one IP address",
		"host: {server_ip: 203.0.113.0/24}":                     "1: host.server_ip: must be one IP",
		"host: {server_ip: 'fe80::1%eth0'}":                     "1: host.server_ip: must be one IP",
		"host: {server_ip: 0.0.0.0}":                            "1: host.server_ip: must be one IP",
		"host: {uplink: sixteen-letters-}":                      "1: host.uplink: must be the name of a network interface",
		"host: {uplink: a/b}":                                   "1: host.uplink: must be",
		"host: {echo_urls: [example.com]}":                      "1: host.echo_urls[0]: must begin with http://",
		"host: {echo_urls: ['http://a', 'http://a']}":           "1: host.echo_urls[1]: is the same as",
		"host: {probe_timeout: 0s}":                             "1: host.probe_timeout: is 0s",
		"host: {collect_interval: 0s}":                          "1: host.collect_interval: is 0s",
		"host: {modem_timeout: 0s}":                             "1: host.modem_timeout: is 0s",
		"host: {read_limit: 0s}":                                "1: host.read_limit: is 0s",
		"host: {modem_user: ''}":                                "1: host.modem_user: must be a user of the modem",
		"host: {modem_user: a b}":                               "1: host.modem_user: must be a user",
		host + "dongles: [{subnet: 11, user: 'a b'}]}":          "1: host.dongles[0].user: must be a user",
		"host: {state_dir: run}":                                "1: host.state_dir: must be a path from the root",
		"host: {address: {client: dhclient}}":                   `1: host.address.client: unknown word "dhclient"; use auto, none or command`,
		"host: {address: {client: command}}":                    "1: host.address.client: needs host.address.command too",
		"host: {address: {command: [dhclient]}}":                "1: host.address.command: names no interface: write {interface}",
		"host: {address: {command: ['', '{interface}']}}":       "1: host.address.command[0]: names no program",
		"host: {address: {wait: 0s}}":                           "1: host.address.wait: is 0s",
		`host: {state_dir: ""}`:                                 "1: host.state_dir: must be a path from the root",
		"host:\n  dongles:\n  - subnet: 11":                     "2: host.dongles: needs host.name too",
		host + "dongles: [{subnet: 10}]}":                       "1: host.dongles[0].subnet: is 10: it must be 11 to 30",
		host + "dongles: [{subnet: 31}]}":                       "1: host.dongles[0].subnet: is 31",
		host + "dongles: [{modem: 'http://a'}]}":                "1: host.dongles[0].subnet: is 0",
		host + "dongles: [~]}":                                  "1: host.dongles[0].subnet: is 0",
		host + "dongles: [{subnet: 11}, {subnet: 11}]}":         "1: host.dongles[1].subnet: is the same as host.dongles[0].subnet",
		host + "dongles: [{subnet: 11, modem: 192.168.11.1}]}":  "1: host.dongles[0].modem: must begin with http://",
		host + "dongles: [{subnet: 11, modem: 'http://'}]}":     "1: host.dongles[0].modem: names no valid host",
		host + "dongles: [{subnet: 11, gateway: '127.0.0.1'}]}": "1: host.dongles[0].gateway: must be host:port",
		host + "dongles: [{subnet: 11, gateway: 'a:0'}]}":       "1: host.dongles[0].gateway: the port must be",

		"toggle: {concurrency: -1}":                                                 "1: toggle.concurrency: is -1: it must be 0 to 20",
		"toggle: {concurrency: 21}":                                                 "1: toggle.concurrency: is 21",
		"toggle: {timeout: 9s}":                                                     "1: toggle.timeout: is 9s: it must be 10s to 30m",
		"toggle: {timeout: 31m}":                                                    "1: toggle.timeout: is 31m",
		"toggle: {min_interval: -1s}":                                               "1: toggle.min_interval: is -1s",
		"toggle: {max_wait: 0s}":                                                    "1: toggle.max_wait: is 0s",
		"toggle: {request_wait: 201s}":                                              "1: toggle.request_wait: is 3m21s: it must be 0s to 3m20s",
		"toggle: {request_wait: -1s}":                                               "1: toggle.request_wait: is -1s",
		"toggle: {methods: []}":                                                     "1: toggle.methods: names no method: use net_mode, dataswitch or both",
		"toggle: {methods: [reboot]}":                                               `1: toggle.methods[0]: unknown method "reboot"; use net_mode or dataswitch`,
		"toggle: {methods: [net_mode, net_mode]}":                                   "1: toggle.methods[1]: is the same as toggle.methods[0]",
		"toggle: {unchanged: retry}":                                                `1: toggle.unchanged: unknown word "retry"; use escalate or accept`,
		host + "usb: {hubs: [usb1]}}":                                               "1: host.usb.hubs[0]: must be the path of a hub that is no root hub",
		host + "usb: {hubs: ['1-3.']}}":                                             "1: host.usb.hubs[0]: must be the path of a hub",
		host + "usb: {hubs: ['1-3', '1-3']}}":                                       "1: host.usb.hubs[1]: is the same as host.usb.hubs[0]",
		host + "usb: {ids: ['12d1']}}":                                              "1: host.usb.ids[0]: must be vendor:product as lsusb writes it",
		host + "usb: {ids: ['12d1:14dc', '12d1:14dc']}}":                            "1: host.usb.ids[1]: is the same as host.usb.ids[0]",
		host + "usb: {rest: -1s}}":                                                  "1: host.usb.rest: is -1s: it must be at least 0s",
		host + "usb: {call_limit: 100ms}}":                                          "1: host.usb.call_limit: is 100ms: it must be 1s to 30m",
		host + "dongles: [{subnet: 11, usb: '1-3/4'}]}":                             "1: host.dongles[0].usb: must be the path of a USB device",
		host + "dongles: [{subnet: 11, usb: usb1}]}":                                "1: host.dongles[0].usb: must be the path of a USB device",
		host + "dongles: [{subnet: 11, usb: '1-3.1'}, {subnet: 12, usb: '1-3.1'}]}": "1: host.dongles[1].usb: is the same as host.dongles[0].usb: one dongle is plugged in there",
		"toggle: {power: {off_time: 0s}}":                                           "1: toggle.power.off_time: is 0s: it must be 1ms to 1m",
		"toggle: {power: {back_limit: 0s}}":                                         "1: toggle.power.back_limit: is 0s",
		"toggle: {power: {hub_wait: -1s}}":                                          "1: toggle.power.hub_wait: is -1s: it must be at least 0s",
		"toggle: {power: {budget: -1}}":                                             "1: toggle.power.budget: is -1: it must be 0 to 100",
		"toggle: {power: {budget_time: 0s}}":                                        "1: toggle.power.budget_time: is 0s",

		"toggle: {step_limit: 0s}":          "1: toggle.step_limit: is 0s",
		"toggle: {dataswitch_holds: []}":    "1: toggle.dataswitch_holds: is empty, so the method dataswitch has nothing to try",
		"toggle: {dataswitch_holds: [0s]}":  "1: toggle.dataswitch_holds[0]: is 0s",
		"toggle: {dataswitch_holds: [45s]}": "1: toggle.dataswitch_holds[0]: a hold of 45s can't end within toggle.step_limit, 45s",
		"toggle: {step_limit: 10s}":         "1: toggle.step_limit: a hold of 15s can't end",
		"toggle: {poll_interval: 0s}":       "1: toggle.poll_interval: is 0s",

		"callbacks:\n  toggle:\n  - start_url: http://a\n":                                           "3: callbacks.toggle[0].name: must be a name",
		"callbacks:\n  toggle:\n  - name: A\n    start_url: http://a\n":                              "3: callbacks.toggle[0].name: must be a name",
		"callbacks: {toggle: [{name: a, start_url: 'http://a'}, {name: a, result_url: 'http://a'}]}": "1: callbacks.toggle[1].name: is the same as callbacks.toggle[0].name",
		"callbacks: {toggle: [{name: a}]}":                                                           "1: callbacks.toggle[0]: needs start_url, result_url or both",
		"callbacks: {toggle: [{name: a, start_url: 'ftp://a'}]}":                                     "1: callbacks.toggle[0].start_url: must begin with http://",
		"callbacks: {toggle: [{name: a, result_url: 'http://u@example.com'}]}":                       "1: callbacks.toggle[0].result_url: must not hold a user name",
		"push:\n  receivers:\n  - url: http://a\n":                                                   "3: push.receivers[0].name: must be a name",
		"push: {receivers: [{name: a, url: 'http://a'}, {name: a, url: 'http://b'}]}":                "1: push.receivers[1].name: is the same as push.receivers[0].name",
		"push: {receivers: [{name: a}]}":                                                             "1: push.receivers[0].url: must begin with http://",
		"push: {receivers: [{name: a, url: 'http://u@example.com'}]}":                                "1: push.receivers[0].url: must not hold a user name",
		"push: {connect_timeout: 0s}":                                                                "1: push.connect_timeout: is 0s",
		"push: {timeout: 1m}":                                                                        "1: push.timeout: is 1m: it must be 1ms to 59s",
		"push: {timeout: 4s}":                                                                        "1: push.timeout: push.connect_timeout is 5s and push.timeout 4s",
		"push: {max_age: 60s}":                                                                       "1: push.max_age: is 1m: it must be 1s to 59s",
		"push: {max_age: 500ms}":                                                                     "1: push.max_age: is 500ms: it must be 1s to 59s",
		"host: {collect_limit: 0s}":                                                                  "1: host.collect_limit: is 0s",
		"callbacks: {max_attempts: 0}":                                                               "1: callbacks.max_attempts: is 0: it must be 1 to 50",
		"callbacks: {max_attempts: 51}":                                                              "1: callbacks.max_attempts: is 51",
		"callbacks: {first_retry: 0s}":                                                               "1: callbacks.first_retry: is 0s",
		"callbacks: {max_retry: 0s}":                                                                 "1: callbacks.max_retry: is 0s",
		"callbacks: {max_retry: 1s}":                                                                 "1: callbacks.max_retry: callbacks.max_retry is 1s and callbacks.first_retry 2s",
		"callbacks: {first_retry: 1h}":                                                               "1: callbacks.first_retry: callbacks.max_retry is 10m and callbacks.first_retry 1h",
		"callbacks: {timeout: 0s}":                                                                   "1: callbacks.timeout: is 0s",
		"callbacks: {secret: abc}":                                                                   "1: callbacks.secret: must begin with whsec_",
		"callbacks: {secret: whsec_}":                                                                "1: callbacks.secret: holds 0 bytes after whsec_: it must be 24 to 64",
		"callbacks: {secret: whsec_AA==}":                                                            "1: callbacks.secret: holds 1 byte after whsec_",
		"callbacks: {secret: whsec_" + strings.Repeat("A", 88) + "}":                                 "1: callbacks.secret: holds 66 bytes",
		"callbacks: {secret: whsec_AAA}":                                                             "1: callbacks.secret: is not base64",
		"callbacks: {secrets: {example.com: abc}}":                                                   `1: callbacks.secrets["example.com"]: must begin with whsec_`,
		`callbacks: {secrets: {example.com: ""}}`:                                                    `1: callbacks.secrets["example.com"]: must begin with whsec_`,
		"callbacks: {secrets: {Example.com: " + signing + "}}":                                       `1: callbacks.secrets["Example.com"]: must stand under a host name in lower case`,
		"callbacks: {secrets: {'example.com:80': " + signing + "}}":                                  `1: callbacks.secrets["example.com:80"]: must stand under a host name`,

		"delivery: {allow: [192.0.2.0/33]}":          "1: delivery.allow[0]: is not a network",
		"delivery: {allow: [192.0.2.1/24]}":          "1: delivery.allow[0]: is an address inside a network: write 192.0.2.0/24",
		"delivery: {allow: ['http://example.com/']}": "1: delivery.allow[0]: must be a network",
		"delivery: {allow: ['example.com:80']}":      "1: delivery.allow[0]: must be a network",
		"delivery: {allow: ['*.example.com']}":       "1: delivery.allow[0]: must be a network",
		"delivery: {allow: [192.0.2.256]}":           "1: delivery.allow[0]: must be a network",
		`delivery: {allow: [""]}`:                    "1: delivery.allow[0]: must be a network",
		"delivery: {allow: [a, b, a]}":               "1: delivery.allow[2]: is the same as delivery.allow[0]",
		"delivery: {per_destination: 0}":             "1: delivery.per_destination: is 0",
		"delivery: {max_response: 0}":                "1: delivery.max_response: is 0",

		"cloudflare: {token: t}":                                                                "1: cloudflare.token: needs cloudflare.account_id or cloudflare.zone_ids too",
		"cloudflare: {token: 'a b', " + account + "}":                                           "1: cloudflare.token: is no API token",
		"cloudflare: {" + account + "}":                                                         "1: cloudflare.account_id: needs cloudflare.token too",
		"cloudflare: {zone_ids: [9a7806061c88ada191ed06f989cc3dac]}":                            "1: cloudflare.zone_ids: needs cloudflare.token too",
		"cloudflare: {token: t, account_id: example.com}":                                       "1: cloudflare.account_id: must be an id as the dashboard shows it",
		"cloudflare: {token: t, " + account + ", zone_ids: [a]}":                                "1: cloudflare.zone_ids[0]: must be an id",
		"cloudflare: {base_url: 'http://example.com/client/v4'}":                                "1: cloudflare.base_url: must begin with https://: the token goes there",
		"cloudflare: {base_url: 'https://example.com/?a=b'}":                                    "1: cloudflare.base_url: must end with its path",
		"cloudflare: {base_url: example.com}":                                                   "1: cloudflare.base_url: must begin with http",
		"cloudflare: {note: ' '}":                                                               "1: cloudflare.note: must be 1 to 100 characters",
		"cloudflare: {note: " + strings.Repeat("a", 101) + "}":                                  "1: cloudflare.note: must be",
		"cloudflare: {timeout: 0s}":                                                             "1: cloudflare.timeout: is 0s",
		"cloudflare: {requests: 0}":                                                             "1: cloudflare.requests: is 0: it must be 1 to 1200",
		"cloudflare: {requests: 1201}":                                                          "1: cloudflare.requests: is 1201",
		"cloudflare: {max_attempts: 0}":                                                         "1: cloudflare.max_attempts: is 0: it must be 1 to 50",
		"cloudflare: {first_retry: 999ms}":                                                      "1: cloudflare.first_retry: is 999ms: it must be at least 1s",
		"cloudflare: {max_retry: 1s}":                                                           "1: cloudflare.max_retry: cloudflare.max_retry is 1s and cloudflare.first_retry 2s",
		"cloudflare: {proxy_ranges: [203.0.113.1/24]}":                                          "1: cloudflare.proxy_ranges[0]: is an address inside a network",
		"cloudflare: {protected: [example.com]}":                                                "1: cloudflare.protected[0]: is not a network",
		"cloudflare: {protected: [203.0.113.1, 203.0.113.1]}":                                   "1: cloudflare.protected[1]: is the same as cloudflare.protected[0]",
		"telegram: {token: t}":                                                                  "1: telegram.token: is no token of a bot",
		"telegram: {base_url: 'http://example.com'}":                                            "1: telegram.base_url: must begin with https://: the token goes there",
		"telegram: {base_url: 'https://example.com?x=1'}":                                       "1: telegram.base_url: must end with its path",
		"telegram: {timeout: 0s}":                                                               "1: telegram.timeout: is 0s",
		"telegram: {per_second: 0}":                                                             "1: telegram.per_second: is 0",
		"telegram: {chat_pause: 0s}":                                                            "1: telegram.chat_pause: is 0s",
		"telegram: {per_group: 61}":                                                             "1: telegram.per_group: is 61: it must be 1 to 60",
		"telegram: {first_retry: 1ms}":                                                          "1: telegram.first_retry: is 1ms: it must be at least 1s",
		"telegram: {max_retry: 1s}":                                                             "1: telegram.max_retry: telegram.max_retry is 1s and telegram.first_retry 2s",
		"telegram: {chats: ['@operators']}":                                                     "1: telegram.chats[0]: must be the integer id",
		"telegram: {chats: ['1', '1']}":                                                         "1: telegram.chats[1]: is the same as telegram.chats[0]",
		"telegram: {commands: true, chats: ['1']}":                                              "1: telegram.commands: needs telegram.token too",
		"telegram: {commands: true, token: '1:a'}":                                              "1: telegram.commands: needs telegram.chats too",
		"telegram: {poll_timeout: 51s}":                                                         "1: telegram.poll_timeout: is 51s: it must be at most 50s",
		"telegram: {poll_timeout: 10ms}":                                                        "1: telegram.poll_timeout: is 10ms",
		"cloudflare: {token: t, zone_ids: [" + manyZones + "]}":                                 "1: cloudflare.zone_ids: names 51 zones: at most 50",
		"trading: {wait: 11s}":                                                                  "1: trading.wait: is 11s: it must be 0s to 10s",
		"trading: {reserve_percent: 100}":                                                       "1: trading.reserve_percent: is 100: it must be 0 or more, and below 100",
		"trading: {reserve_percent: -1}":                                                        "1: trading.reserve_percent: is -1",
		"trading: {reserve_percent: 1e3}":                                                       `1: trading.reserve_percent: "1e3" is not a number`,
		"trading: {max_age: {market: 0s}}":                                                      "1: trading.max_age.market: is 0s",
		"trading: {max_age: {other: 2h}}":                                                       "1: trading.max_age.other: is 2h",
		"trading: {dedupe_window: 11m}":                                                         "1: trading.dedupe_window: is 11m",
		"trading: {follow_interval: 1ms}":                                                       "1: trading.follow_interval: is 1ms",
		"trading: {address: A b}":                                                               "1: trading.address: must be a name",
		"trading: {accounts: [" + paperAccount("id: 0") + "]}":                                  "1: trading.accounts[0].id: is 0",
		"trading: {accounts: [" + paperAccount("id: 1") + ", " + paperAccount("id: 1") + "]}":   "1: trading.accounts[1].id: is the same as trading.accounts[0].id",
		"trading: {accounts: [{id: 1, name: a, exchange: kraken, mode: paper}]}":                `1: trading.accounts[0].exchange: unknown exchange "kraken"`,
		"trading: {accounts: [{id: 1, name: a, exchange: okx, mode: real}]}":                    `1: trading.accounts[0].mode: unknown mode "real"`,
		"trading: {accounts: [{id: 1, name: ' ', exchange: okx, mode: paper}]}":                 "1: trading.accounts[0].name: must be 1 to 64",
		"trading: {accounts: [{id: 1, name: a, exchange: binance, mode: live, secret: s}]}":     "1: trading.accounts[0]: needs key in mode live",
		"trading: {accounts: [{id: 1, name: a, exchange: okx, mode: live, key: k, secret: s}]}": "1: trading.accounts[0]: needs passphrase too",
		"trading: {accounts: [{id: 1, name: a, exchange: bybit, mode: live, key: k, secret: s}, {id: 2, name: b, exchange: bybit, mode: live, key: k, secret: s}]}": "1: trading.accounts[1].key: is that of trading.accounts[0]",
		"trading: {accounts: [" + liveAccount("passphrase: p") + "]}":                                             "1: trading.accounts[0].passphrase: is OKX's alone",
		"trading: {accounts: [" + liveAccount("futures_url: 'http://example.com'") + "]}":                         "1: trading.accounts[0].futures_url: must begin with https://",
		"trading: {accounts: [{id: 1, name: a, exchange: okx, mode: testnet, key: k, secret: s, passphrase: p}]}": "1: trading.accounts[0].mode: OKX has no testnet: write demo",
		"trading: {accounts: [" + paperAccount("id: 1, key: k") + "]}":                                            "1: trading.accounts[0].key: has no use in mode paper",
		"trading: {accounts: [" + paperAccount("id: 1, leverage: 0") + "]}":                                       "1: trading.accounts[0].leverage: is 0: it must be above 0",
		"trading: {accounts: [" + paperAccount("id: 1, state: off") + "]}":                                        `1: trading.accounts[0].state: unknown state "off"`,
		"trading: {accounts: [" + paperAccount("id: 1, paper: {prices: guessed}") + "]}":                          `1: trading.accounts[0].paper.prices: unknown kind of prices "guessed"`,
		"trading: {accounts: [" + paperAccount("id: 1, paper: {balances: {usdt: 1}}") + "]}":                      `1: trading.accounts[0].paper.balances.usdt: must be an asset in capitals`,
		"trading: {accounts: [" + paperAccount("id: 1, paper: {taker_fee: 11}") + "]}":                            "1: trading.accounts[0].paper.taker_fee: is 11 percent",
		"trading: {groups: [{name: a}, {name: A}]}":                                                               "1: trading.groups[1].name: is the same as trading.groups[0].name, without regard to case",
		"trading: {groups: [{name: ' a'}]}":                                                                       "1: trading.groups[0].name: must be 1 to 64 characters",
		"trading: {groups: [{name: a, tokens: [{hash: your_token}]}]}":                                            "1: trading.groups[0].tokens[0].hash: must be sha256:",
		"trading: {groups: [{name: a, tokens: [{hash: " + hashed + "}, {hash: " + hashed + "}]}]}":                "1: trading.groups[0].tokens[1].hash: is the same as trading.groups[0].tokens[0].hash",
		"trading: {groups: [{name: a, tokens: [{hash: " + hashed + ", expires: tomorrow}]}]}":                     "1: trading.groups[0].tokens[0].expires: must be a time",
		"trading: {groups: [{name: a, tokens: [{hash: " + hashed + ", networks: [192.0.2.1/24]}]}]}":              "1: trading.groups[0].tokens[0].networks[0]: is an address inside a network",
		"trading: {groups: [{name: a, tokens: [{hash: " + hashed + ", rate_limit: {per_second: 1}}]}]}":           "1: trading.groups[0].tokens[0].rate_limit: needs per_second and burst",
		"trading: {groups: [{name: a, accounts: [{id: 7}]}]}":                                                     "1: trading.groups[0].accounts[0].id: 7 is none of trading.accounts",
		"trading: {groups: [{name: a, chat_id: someone}]}":                                                        "1: trading.groups[0].chat_id: must be a chat's number",
	} {
		t.Run(yaml, func(t *testing.T) {
			t.Parallel()
			refused(t, yaml, nil, want)
		})
	}
}

// Ensure that what stands just inside every bound is taken.
func TestValidate_Accepted(t *testing.T) {
	t.Parallel()
	for _, yaml := range []string{
		"timezone: UTC",
		"redis: {addr: '[::1]:1', db: 15, username: a, password: b}",
		"redis: {addr: 'redis_1.example.com:65535', db: 0}",
		"redis: {sentinel: {master: switchyard-1.a_b, addrs: ['[::1]:1', 'a:26379'], username: u, password: p}}",
		"redis: {sentinel: {master: m, addrs: ['a:1'], password: p}, tls: {enabled: true}}",
		"redis: {tls: {enabled: true, ca: /ca.pem, cert: /c.pem, key: /k.pem, server_name: 192.0.2.1}}",
		"http: {listen: ['127.8.9.10:1', 'LOCALHOST:1', '[::1]:0', '[::1]:0', '[::ffff:127.0.0.1]:1']}",
		"auth: {disabled: true}\nhttp: {listen: [':80', '0.0.0.0:81', '[::]:82', 'example.com:83', '203.0.113.7:84']}",
		"http: {max_body: 1024, drain_timeout: 0, max_header: 4096, rate_limit: {per_second: 0, burst: 1}}",
		"http: {listen: [], tls: {listen: ['127.0.0.1:0', '[::1]:0'], cert: a, key: b}}",
		"http: {server_names: [A.example.com, localhost], allowed_origins: ['http://localhost:3000', 'https://a.example.com'], trusted_proxies: [192.0.2.0/24, '::1/128']}",
		"toggle: {request_wait: 0s}\nhttp: {status_wait: 0s, write_timeout: 10s}",
		"auth: {networks: [{cidr: 0.0.0.0/0, scopes: [jobs:read, admin]}]}\nhttp: {listen: [':80']}",
		"auth: {keys: [{name: a_b-0, hash: " + hashed + ", scopes: [admin]}]}\nhttp: {listen: ['0.0.0.0:0'], tls: {listen: [':443'], cert: a, key: b}}",
		"jobs: {retention: 1h, max_per_type: 1, event_stream: 1, max_crashes: 1}",
		"worker: {queues: [trading, interactive, delivery, strategy, default], concurrency: {strategy: 1, trading: 10000}}",
		"worker: {heartbeat: 4s, ttl: 12s}",
		"strategy: {commands: [{name: Own_1, command: [/x, -v], timeout: 10m, parameters: [{name: a, type: date, default: 2024-01-01}, {name: b, type: boolean, default: true}, {name: c, type: integer, default: 5, allowed: [5, 7], min: 5, max: 7}]}]}",
		"deployments: {max_wait: 10m, pipelines: [{project: a.b_c-1, host: seoul-1, dir: /a, branches: [main, 'release/*'], environment: [PATH], secrets: [A], memory_mib: 16, processes: 1, steps: [{name: 코드 체크아웃, command: [/x, '{branch}'], dir: sub, timeout: 1s, safe: true, environment: [B]}], rollback: [{name: 코드 체크아웃, command: [/x]}]}]}",
		"strategy: {prices: {folder: /p, url: 'http://127.0.0.1:1/{symbol_lower}?key=a'}}",
		"host: {name: a, echo_urls: ['http://a'], dongles: [{subnet: 11}, {subnet: 30, modem: 'https://[2001:db8::1]:8443/x', gateway: 'a:1'}]}",
		"host: {name: " + strings.Repeat("a", 40) + ", echo_urls: ['http://a']}",
		"host: {name: 0-9, echo_urls: ['http://a'], server_ip: '2001:db8::7', uplink: ''}",
		"toggle: {concurrency: 20, timeout: 10s, min_interval: 0s, request_wait: 0s, methods: [dataswitch], unchanged: accept}",
		"toggle: {timeout: 30m, request_wait: 200s, methods: [net_mode], dataswitch_holds: []}",
		"callbacks: {max_attempts: 50, first_retry: 5s, max_retry: 5s, secret: " + secretPrefix + strings.Repeat("A", 32) + "}",
		"callbacks: {max_attempts: 1, secret: " + secretPrefix + strings.Repeat("A", 86) + "==}",
		"callbacks: {secrets: {host.docker.internal: " + signing + ", 192.0.2.1: " + signing + "}}",
		"callbacks: {toggle: [{name: a_b-0, start_url: 'http://203.0.113.37:10002/toggle/start'}, {name: b, result_url: 'HTTPS://example.com?x=1'}]}",
		"cloudflare: {token: t, account_id: 023e105f4ecef8ad9ca31a8372d0c353, zone_ids: [9a7806061c88ada191ed06f989cc3dac], base_url: 'https://example.com:8443/client/v4', requests: 1200}",
		"cloudflare: {base_url: 'http://127.0.0.1:1', first_retry: 1s, max_retry: 1s, max_attempts: 50, proxy_ranges: ['2001:db8::/29', 192.0.2.1], protected: ['::1']}",
		"telegram: {token: '110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw', base_url: 'http://127.0.0.1:1', commands: true, chats: ['1', '-1001234567890'], per_group: 60}",
		"delivery: {allow: [192.0.2.0/24, 192.0.2.1, '2001:db8::/32', '::1', localhost, host.docker.internal], per_destination: 1, max_response: 1048576}",
	} {
		accepted(t, yaml)
	}
}

// Ensure that the defaults are valid, and that a configuration made by a
// program can be checked as one from a file.
func TestConfig_Validate(t *testing.T) {
	t.Parallel()
	c := Default()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	c.Worker.TTL = Duration(time.Second)
	c.HTTP.Listen = []string{":80"}
	err := c.Validate()
	var faults Errors
	if !errors.As(err, &faults) || len(faults) != 2 {
		t.Fatalf("got %v", err)
	}
	if f := faults[1]; f.Key != "worker.ttl" || f.Origin != (Origin{}) || !strings.HasPrefix(f.Error(), "worker.ttl: worker.ttl is 1s") {
		t.Errorf("got %+v", f)
	}
}

// Ensure that every URL which nobody could call is refused.
func TestWebAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"":                         "must begin with http://",
		"example.com":              "must begin with http://",
		"//example.com":            "must begin with http://",
		"http:example.com":         "names no valid host",
		"http://exa mple.com":      "is not a URL",
		"http://[::1":              "is not a URL",
		"http://example.com:":      "ends its host with a colon",
		"http://example.com:0":     "the port must be a number from 1",
		"http://example.com:99999": "the port must be a number",
		"http://:80":               "names no valid host",
		"http://192.0.2.256/":      "names no valid host",
		"http://-a.example.com/":   "names no valid host",
		"http://u:p@example.com/":  "must not hold a user name",
	} {
		if got := webAddress(address); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}

// Ensure that two calls of Default share nothing.
func TestDefault_Own(t *testing.T) {
	t.Parallel()
	c := Default()
	c.HTTP.Listen[0] = "x"
	c.Worker.Concurrency["default"] = 1
	if d := Default(); d.HTTP.Listen[0] == "x" || d.Worker.Concurrency["default"] == 1 {
		t.Error("a change of one shows in the other")
	}
}

// Ensure that Location is the zone of the file, and UTC where a program made
// one up.
func TestConfig_Location(t *testing.T) {
	t.Parallel()
	c := Default()
	if got := time.Date(2025, 12, 13, 13, 49, 25, 0, time.UTC).In(c.Location()).Format(time.DateTime); got != "2025-12-13 22:49:25" {
		t.Errorf("got %s", got)
	}
	c.Timezone = "Nowhere"
	if c.Location() != time.UTC {
		t.Errorf("got %v", c.Location())
	}
}

// paperAccount is an account of mode paper with these members, among them its id.
func paperAccount(members string) string {
	return "{name: a, exchange: binance, mode: paper, " + members + "}"
}

// liveAccount is a live account at Binance with these members.
func liveAccount(members string) string {
	return "{id: 1, name: a, exchange: binance, mode: live, key: k, secret: s, " + members + "}"
}
