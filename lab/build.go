package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"switchyard/lab/guest"
	"switchyard/lab/initrd"
)

// Paths in the machine.
const (
	staticProgram = "/usr/bin/switchyard"
	libusbProgram = "/usr/bin/switchyard-libusb"
)

// modules are those that the machine has, with what they need.
var modules = []string{
	"virtio_pci", "virtio_net", "veth", "xhci-pci", "usbnet", "cdc_ether", "rndis_host", "usb-storage", "sd_mod",
}

// build compiles the programs and packs what the machine boots from.
func (o *options) build(ctx context.Context) error {
	o.binary = filepath.Join(o.dir, "switchyard")
	if err := compile(ctx, o.binary, "switchyard/cmd/switchyard", false); err != nil {
		return err
	}
	self := filepath.Join(o.dir, "lab")
	if err := compile(ctx, self, "switchyard/lab", false); err != nil {
		return err
	}
	mods, err := initrd.Modules(o.modules, modules...)
	if err != nil {
		return err
	}
	var a initrd.Archive
	a.Console()
	for _, dir := range []string{"/proc", "/sys", "/dev", "/tmp", "/run", "/var", "/bin", "/etc"} {
		a.Dir(dir)
	}
	for i, m := range mods {
		a.File(fmt.Sprintf("%s/%02d-%s", guest.ModulesDir, i, m.Name), 0o644, m.Image)
	}
	a.File(guest.LeaseScript, 0o755, []byte(guest.LeaseText))
	a.File("/usr/sbin/usb_modeswitch", 0o755, []byte(modeSwitch))
	for name, from := range map[string]string{"/init": self, guest.Busybox: o.busybox, staticProgram: o.binary} {
		if err := a.Copy(name, 0o755, from); err != nil {
			return err
		}
	}
	if err := o.packLibusb(ctx, &a); err != nil {
		return err
	}
	o.initrd = filepath.Join(o.dir, "initrd")
	f, err := os.Create(o.initrd)
	if err != nil {
		return err
	}
	_, err = a.WriteTo(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing what the machine boots from: %w", err)
	}
	return nil
}

// libusbTag is the build tag of the program that switches power by libusb.
const libusbTag = "libusb"

// packLibusb adds the program that is linked with libusb, and the libraries that
// it names, at the same places as here.
func (o *options) packLibusb(ctx context.Context, a *initrd.Archive) error {
	if !o.libusb {
		return nil
	}
	program := filepath.Join(o.dir, "switchyard-libusb")
	if err := compile(ctx, program, "switchyard/cmd/switchyard", true); err != nil {
		return err
	}
	if err := a.Copy(libusbProgram, 0o755, program); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "ldd", program).Output()
	if err != nil {
		return fmt.Errorf("asking which libraries %s needs: %w", program, err)
	}
	for word := range strings.FieldsSeq(string(out)) {
		if filepath.IsAbs(word) {
			if err := a.Copy(word, 0o755, word); err != nil {
				return err
			}
		}
	}
	return nil
}

// compile builds a program for the machine: small, and static but where it needs
// libusb.
func compile(ctx context.Context, to, pkg string, libusb bool) error {
	args := []string{"build", "-buildvcs=false", "-ldflags", "-s -w -X main.version=lab", "-o", to}
	cgo := "CGO_ENABLED=0"
	if libusb {
		cgo, args = "CGO_ENABLED=1", append(args, "-tags", libusbTag)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// modeSwitch stands for the program of this name. It notes what it is asked; the
// lab then exchanges the device, as a stick would.
const modeSwitch = "#!/bin/sh\necho \"$@\" >>" + modeSwitchLog + "\n"

const modeSwitchLog = "/run/usb_modeswitch"
