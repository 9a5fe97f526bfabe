package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"switchyard/configs"
	"switchyard/lab/guest"
)

// The proxy host in the machine.
const (
	hostName      = "lab"
	uplinkIP      = "198.51.100.7"
	uplinkGateway = "198.51.100.1"
	echoIP        = "203.0.113.250"
	hubPath       = "1-1"
	firstDongle   = 11
	dongleCount   = 3
	reattach      = time.Second
	boot          = time.Second
)

// hostFile is where the worker's configuration is in the machine.
const hostFile = "/etc/switchyard/host.yaml"

// stage is all that is running: the central machine and the proxy host.
type stage struct {
	opt     *options
	central *central
	machine *machine
	guest   *guest.Client
	dongles []guest.Dongle
	// booted is how long the machine took until it was ready.
	booted time.Duration
	// program is the worker that runs; empty: none does.
	program string
}

// bootLimit is what the machine may take until it calls. Emulated on a busy
// computer it is slow.
const bootLimit = 2 * time.Minute

// set starts a stage. The caller strikes what it returns, also when it failed.
// life is when the machine ends at the latest.
func set(ctx context.Context, opt *options) (*stage, error) {
	s := &stage{opt: opt}
	for i := range dongleCount {
		s.dongles = append(s.dongles, guest.Dongle{Subnet: firstDongle + i, Hub: hubPath, Port: i + 1})
	}
	began := time.Now()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return s, err
	}
	defer func() { _ = l.Close() }() // the machine calls once
	s.machine, err = startMachine(ctx, context.WithoutCancel(ctx), machineOptions{
		dir: opt.dir, kernel: opt.kernel, initrd: opt.initrd, accel: opt.accel, dongles: s.dongles,
		runner: portOf(l.Addr()),
	})
	if err != nil {
		return s, err
	}
	if s.central, err = startCentral(ctx, opt); err != nil {
		return s, err
	}
	if err := s.answer(ctx, l); err != nil {
		return s, err
	}
	err = s.guest.Setup(ctx, guest.Setup{
		Uplink: uplinkIP, UplinkGateway: uplinkGateway, Echo: echoIP, Dongles: s.dongles, Reattach: reattach, Boot: boot,
	})
	s.booted = time.Since(began)
	return s, err
}

// answer waits for the machine's call.
func (s *stage) answer(ctx context.Context, l *net.TCPListener) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = l.SetDeadline(time.Unix(1, 0)) })()
	called := make(chan struct{})
	defer close(called)
	go func() {
		select {
		case <-s.machine.done:
			_ = l.SetDeadline(time.Unix(1, 0))
		case <-called:
		}
	}()
	conn, err := l.Accept()
	if err != nil {
		return fmt.Errorf("the machine has not called; see console.log and qemu.log: %w", errors.Join(err, context.Cause(ctx)))
	}
	s.guest = guest.NewClient(conn)
	return nil
}

// strike ends everything.
func (s *stage) strike() error {
	var errs []error
	if s.guest != nil {
		errs = append(errs, s.guest.Close())
	}
	if s.machine != nil {
		errs = append(errs, s.machine.stop())
	}
	if s.central != nil {
		errs = append(errs, s.central.stop())
	}
	return errors.Join(errs...)
}

// hostConfig is the worker's configuration.
func (s *stage) hostConfig() (*configs.Config, error) {
	_, port, err := net.SplitHostPort(s.central.redis.Addr())
	if err != nil {
		return nil, err
	}
	c := configs.Default()
	c.Redis.Addr = net.JoinHostPort(guest.OutsideHost, port)
	c.Host.Name = hostName
	c.Host.EchoURLs = []string{"http://" + echoIP + "/"}
	c.Host.CollectInterval = configs.Duration(time.Hour) // nothing but toggles talks to the modems
	c.Worker.Heartbeat = configs.Duration(time.Second)
	c.Worker.TTL = configs.Duration(4 * time.Second)
	for _, d := range s.dongles {
		c.Host.Dongles = append(c.Host.Dongles, configs.Dongle{Subnet: d.Subnet})
	}
	return c, nil
}

// work starts the worker in the machine and waits until its host is online.
func (s *stage) work(ctx context.Context, program string) error {
	c, err := s.hostConfig()
	if err != nil {
		return err
	}
	text, err := c.YAML()
	if err != nil {
		return err
	}
	if err := s.guest.Put(ctx, guest.File{Path: hostFile, Perm: 0o600, Contents: text}); err != nil {
		return err
	}
	if _, err := s.guest.Sh(ctx, "mkdir -p "+c.Host.StateDir); err != nil {
		return err
	}
	if err := s.guest.Start(ctx, guest.Program{Args: []string{program, "serve", "-c", hostFile, "--role", "worker"}}); err != nil {
		return err
	}
	return until(ctx, readyLimit, "the host is online", func(ctx context.Context) error {
		var h struct {
			Status string `json:"status"`
		}
		if err := s.central.get(ctx, "/api/v1/hosts/"+hostName, &h); err != nil {
			return err
		}
		if h.Status != "online" {
			return errors.New("it is " + h.Status)
		}
		return nil
	})
}

// whole waits until every dongle is on the bus, has its address, and its modem
// is in the network.
func (s *stage) whole(ctx context.Context) error {
	return until(ctx, readyLimit, "every dongle is well", func(ctx context.Context) error {
		addrs, err := s.guest.Sh(ctx, "ip -4 -o addr")
		if err != nil {
			return err
		}
		for _, d := range s.dongles {
			if !strings.Contains(addrs, fmt.Sprintf(" 192.168.%d.100/", d.Subnet)) {
				return fmt.Errorf("dongle %d has no address: %s", d.Subnet, addrs)
			}
			m, err := s.guest.Modem(ctx, d.Subnet)
			if err != nil {
				return err
			}
			if !m.Attached {
				return fmt.Errorf("modem %d is in no network", d.Subnet)
			}
		}
		return nil
	})
}

// play sets the stage, runs the scenarios and prints the table.
func (o *options) play(ctx context.Context, all []scenario, out io.Writer) (ok bool, err error) {
	began := time.Now()
	if err := o.build(ctx); err != nil {
		return false, err
	}
	built := time.Since(began)
	s, err := set(ctx, o)
	defer func() { err = errors.Join(err, s.strike()) }()
	if err != nil {
		return false, err
	}
	if err := s.whole(ctx); err != nil {
		return false, err
	}
	fmt.Fprintf(out, "built in %.1f s, booted in %.1f s\n", built.Seconds(), s.booted.Seconds())
	return s.runAll(ctx, all, out)
}

// portOf is the port of a listener's address.
func portOf(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String()) // it always has one
	return port
}
