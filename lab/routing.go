package main

import (
	"context"
	"fmt"
)

// script makes damage of a shell script that is run in the machine.
func script(text string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		_, err := s.guest.Sh(ctx, text)
		return err
	}
}

// scenarios are all of them, in the order in which they are run.
func scenarios() []scenario {
	return []scenario{
		{name: "healthy", broken: "nothing", diagnosis: "healthy", step: 0},
		{
			name: "rule", broken: "the rule from 192.168.11.100 deleted", diagnosis: "no_routing", step: 1, kept: true,
			breaks: script(fmt.Sprintf("while ip rule del from 192.168.%d.100 2>/dev/null; do :; done", victim)),
		},
		{
			name: "table", broken: "table 11 flushed", diagnosis: "no_routing", step: 1, kept: true,
			breaks: script(fmt.Sprintf("ip route flush table %d", victim)),
		},
		{
			name: "starved", broken: "the modem has lost its network", diagnosis: "no_connectivity", step: 2,
			breaks: func(ctx context.Context, s *stage) error { return s.guest.Starve(ctx, victim) },
		},
	}
}

// routing gives every dongle its rule and its table, as an operator may have
// done.
const routing = `
for n in 11 12 13; do
	dev=$(ip -4 -o addr | grep " 192.168.$n.100/" | { read -r _ dev _; echo "$dev"; })
	ip route replace default via 192.168.$n.1 dev "$dev" table $n onlink
	ip rule | grep -q "from 192.168.$n.100 " || ip rule add from 192.168.$n.100 table $n priority 100$n
done
`

// ready waits until every dongle is well and routed, and the worker is the one
// that the scenario is about.
func (s *stage) ready(ctx context.Context, sc scenario) error {
	if err := s.whole(ctx); err != nil {
		return err
	}
	if _, err := s.guest.Sh(ctx, routing); err != nil {
		return err
	}
	program := staticProgram
	if sc.libusb {
		program = libusbProgram
	}
	if s.program == program {
		return nil
	}
	if s.program != "" {
		if err := s.guest.Signal(ctx, sigterm, true); err != nil {
			return err
		}
	}
	s.program = program
	return s.work(ctx, program)
}

const (
	sigkill = 9
	sigterm = 15
)
