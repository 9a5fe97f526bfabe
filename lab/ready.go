package main

import (
	"context"
	"fmt"

	"switchyard/lab/guest"
)

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
	if s.working && s.worker == sc.worker {
		return nil
	}
	if s.working {
		if err := s.guest.Signal(ctx, sigterm, true); err != nil {
			return err
		}
	}
	s.worker = sc.worker
	return s.work(ctx)
}

// tidy puts the dongles back as they were after a scenario that failed, wherever
// it broke off. What can't be done shows when the next one waits for them.
func (s *stage) tidy(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for _, d := range s.dongles {
		_ = s.machine.monitor.pull(ctx, diskID(d)) // mostly there is none
		_ = s.plug(ctx, d)                         // mostly it is plugged in
		// A modem without power forgets what was wrong with it.
		_, _ = s.guest.Sh(ctx, fmt.Sprintf("echo 1 >%[1]s; sleep 1; echo 0 >%[1]s", portFile(d)))
	}
}

// mending gives an address to interfaces that a scenario has left without one.
const mending = `
for dev in /sys/class/net/eth*; do
	dev=${dev##*/}
	ip -4 -o addr show dev $dev | grep -q 192.168. || udhcpc -i $dev -n -q -f -t 5 -T 1 -s ` + guest.LeaseScript + `
done
`

const (
	sigkill = 9
	sigterm = 15
)
