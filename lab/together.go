package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"switchyard/lab/guest"
)

// twoAtOnce has two dongles of the hub need their power switched, and the third
// one toggled, all at once. Each of the two comes back when its own port was off
// and on; no two ports may be off at a time.
func twoAtOnce(ctx context.Context, s *stage) (string, error) {
	from, err := s.lastEvent(ctx)
	if err != nil {
		return "", err
	}
	pair := s.dongles[:2]
	for _, d := range pair {
		if err := s.pull(ctx, d); err != nil {
			return "", err
		}
	}
	beside, halt := context.WithCancelCause(ctx)
	plugged := make(chan error, len(pair))
	for _, d := range pair {
		go func() {
			if _, err := s.await(beside, from, d.Subnet, "port on"); err != nil {
				plugged <- err
				return
			}
			plugged <- s.plug(beside, d)
		}()
	}
	outcomes, err := s.toggleAll(ctx)
	halt(errors.New("the toggles have ended"))
	for range pair {
		err = errors.Join(err, <-plugged)
	}
	if err != nil {
		return outcomes, err
	}
	events, err := s.guest.Events(ctx, from, 0)
	if err != nil {
		return outcomes, err
	}
	return outcomes, onePortAtATime(events)
}

// toggleAll toggles every dongle at once, and tells how that went.
func (s *stage) toggleAll(ctx context.Context) (string, error) {
	var ids, words []string
	for _, d := range s.dongles {
		id, err := s.central.toggle(ctx, d.Subnet)
		if err != nil {
			return "", err
		}
		ids = append(ids, id)
	}
	var errs []error
	for i, id := range ids {
		j, err := s.central.ended(ctx, id)
		if err != nil {
			return "", err
		}
		result, progress, err := read(j)
		errs = append(errs, err)
		if !result.Success {
			errs = append(errs, fmt.Errorf("the toggle of dongle %d brought no address: %s", s.dongles[i].Subnet, j.Progress))
		}
		words = append(words, fmt.Sprintf("dongle %d: step %d; %s", s.dongles[i].Subnet, result.Step, strings.Join(steps(progress), "; ")))
	}
	return strings.Join(words, "\n"), errors.Join(errs...)
}

// onePortAtATime checks that no port was off while another was.
func onePortAtATime(events []guest.Event) error {
	off, cycles := 0, 0
	for _, e := range events {
		switch e.What {
		case "port off":
			if off != 0 {
				return fmt.Errorf("the port of dongle %d was switched off while that of %d was off", e.Subnet, off)
			}
			off = e.Subnet
			cycles++
		case "port on":
			off = 0
		}
	}
	if cycles < 2 {
		return fmt.Errorf("%d ports were switched off, not two", cycles)
	}
	return nil
}

// keptLimit is what the worker may take to have a dongle routed again by itself.
const keptLimit = 20 * time.Second

// keptRule deletes the victim's rule and waits for it to be back.
func keptRule(ctx context.Context, s *stage) (string, error) {
	if err := s.kept(ctx); err != nil { // its own, not ours
		return "", err
	}
	if _, err := s.guest.Sh(ctx, deleteRule); err != nil {
		return "", err
	}
	began := time.Now()
	err := s.kept(ctx)
	return fmt.Sprintf("repaired after %.1fs", time.Since(began).Seconds()), err
}

// keptPlugged takes the victim off the bus for a moment, and waits until its new
// interface has address and routes.
func keptPlugged(ctx context.Context, s *stage) (string, error) {
	from, err := s.lastEvent(ctx)
	if err != nil {
		return "", err
	}
	if err := errors.Join(s.pull(ctx, s.dongles[0]), s.plug(ctx, s.dongles[0])); err != nil {
		return "", err
	}
	link, err := s.await(ctx, from, victim, "link eth")
	if err != nil {
		return "", err
	}
	address, err := s.await(ctx, link.N, victim, "address")
	if err != nil {
		return "", err
	}
	err = s.kept(ctx)
	now, clockErr := s.guest.Clock(ctx)
	return fmt.Sprintf("after its interface came: address %.1fs, routed %.1fs", address.At.Sub(link.At).Seconds(), now.Sub(link.At).Seconds()), errors.Join(err, clockErr)
}

// kept waits until the victim is routed. Nobody toggles.
func (s *stage) kept(ctx context.Context) error {
	return until(ctx, keptLimit, "the dongle is routed", func(ctx context.Context) error {
		_, err := s.guest.Sh(ctx, fmt.Sprintf(`ip rule | grep "from 192.168.%[1]d.100 " && ip route show table %[1]d | grep "default via 192.168.%[1]d.1 "`, victim))
		return err
	})
}
