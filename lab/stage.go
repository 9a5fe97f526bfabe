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
	hubPorts      = 8
	firstDongle   = 11
	dongleCount   = 3
	reattach      = time.Second
	boot          = time.Second
	// What the host waits for a dongle, in place of minutes.
	stepLimit = 6 * time.Second
	backLimit = 10 * time.Second
	// The ids that QEMU gives a dongle, and one in its storage mode.
	stickIDs = "0525:a4a2"
	diskIDs  = "46f4:0001"
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
	booted  time.Duration
	worker  workerKind // the one that runs
	working bool       // one does
	// comebacks are those that were timed so far.
	comebacks []comeback
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
	c.Redis.Username = redisUser // the password comes by the environment
	c.Host.Name = hostName
	c.Host.EchoURLs = []string{"http://" + echoIP + "/"}
	c.Host.CollectInterval = configs.Duration(time.Hour) // nothing but toggles talks to the modems
	c.Worker.Heartbeat = configs.Duration(time.Second)
	c.Worker.TTL = configs.Duration(4 * time.Second)
	c.Host.ProbeTimeout = configs.Duration(1500 * time.Millisecond)
	c.Host.ModemTimeout = configs.Duration(time.Second)
	c.Host.KeepRouted = s.worker.keep
	c.Host.Address.Client = "command"
	c.Host.Address.Command = []string{"udhcpc", "-i", "{interface}", "-n", "-q", "-f", "-t", "20", "-T", "1", "-s", guest.LeaseScript}
	c.Host.USB.Hubs = []string{hubPath}
	c.Host.USB.IDs = []string{stickIDs, diskIDs}
	c.Toggle.Methods = []string{"net_mode"}
	c.Toggle.StepLimit = configs.Duration(stepLimit)
	c.Toggle.DataswitchHolds = []configs.Duration{configs.Duration(time.Second)} // must be below
	c.Toggle.Power.OffTime = configs.Duration(time.Second)
	c.Toggle.Power.BackLimit = configs.Duration(backLimit)
	c.Toggle.Power.Budget = 100
	for _, d := range s.dongles {
		c.Host.Dongles = append(c.Host.Dongles, configs.Dongle{Subnet: d.Subnet})
	}
	return c, nil
}

// workerKind is how a worker differs from others.
type workerKind struct {
	// libusb: it is the program that is linked with libusb.
	libusb bool
	// old: its kernel has no file to switch a port by, so that the hub has to be
	// told directly.
	old bool
	// keep: it keeps the dongles routed also while nobody toggles.
	keep bool
}

// program is what is started for it.
func (k workerKind) program(all []guest.Dongle) (p guest.Program) {
	path := staticProgram
	if k.libusb {
		path = libusbProgram
	}
	p.Env = []string{"SWITCHYARD_REDIS_PASSWORD=" + redisPassword}
	p.Args = []string{path, "serve", "-c", hostFile, "--role", "worker"}
	if k.old {
		for _, d := range all {
			p.Hidden = append(p.Hidden, portFile(d))
		}
	}
	return p
}

// portFile is the kernel's file of the port that a dongle is plugged in at.
func portFile(d guest.Dongle) string {
	return fmt.Sprintf("/sys/bus/usb/devices/%s:1.0/%s-port%d/disable", d.Hub, d.Hub, d.Port)
}

// work starts the worker in the machine and waits until its host is online.
func (s *stage) work(ctx context.Context) error {
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
	if err := s.guest.Start(ctx, s.worker.program(s.dongles)); err != nil {
		return err
	}
	s.working = true
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
// is in the network. It gives addresses where nobody else does.
func (s *stage) whole(ctx context.Context) error {
	return until(ctx, readyLimit, "every dongle is well", func(ctx context.Context) error {
		if _, err := s.guest.Sh(ctx, mending); err != nil {
			return err
		}
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
	if ok, err = s.runAll(ctx, all, out); err != nil {
		return false, err
	}
	return ok, s.central.denied(ctx)
}

// portOf is the port of a listener's address.
func portOf(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String()) // it always has one
	return port
}
