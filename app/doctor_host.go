package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"switchyard/configs"
	"switchyard/hardware/netroute"
	"switchyard/hardware/usb"
)

// USB is what is examined of a host's.
type USB interface {
	Tree() (*usb.Tree, error)
	Switchable(ctx context.Context, hub usb.Path) (bool, error)
}

// machine is a proxy host under examination: its hardware, and what else runs on
// it. It is looked at through files, so that any folder will do for it.
type machine struct {
	root   string
	usb    USB
	who    actor
	config *configs.Config
	routes func() error // whether routing may be changed
}

// hostFindings examines a machine with real dongles for what their repairs need,
// and for who else is after them.
func hostFindings(ctx context.Context, opt DoctorOptions) (all []Finding) {
	c := opt.Config
	if !slices.Contains(opt.Roles, Worker) || c.Host.Name == "" || simulated(c.Host) {
		return nil
	}
	who, err := whose(opt.User)
	if err != nil {
		return []Finding{{Check: "user", Status: Fail, Says: err.Error(), Do: "name the user that the worker runs as (--user), or make it: systemd-sysusers"}}
	}
	m := newMachine(c, opt.Root, opt.USB, who)
	if closer, ok := m.usb.(*usb.Bus); ok {
		defer closer.Close() //nolint:errcheck // what the kernel doesn't come back from has been told
	}
	tree, treeErr := m.usb.Tree()
	if treeErr != nil {
		tree = &usb.Tree{}
	}
	for _, c := range []check{
		{"kernel", func(context.Context) Finding { return m.kernel() }},
		{"routing", func(context.Context) Finding { return routing(m.routes()) }},
		{"udev", func(context.Context) Finding { return m.rules() }},
		{"usb", func(context.Context) Finding { return m.dongles(tree, treeErr) }},
		{"usb.rebind", func(context.Context) Finding { return m.rebind() }},
		{"usb_modeswitch", func(context.Context) Finding { return m.modeSwitch() }},
	} {
		all = append(all, c.run(ctx))
	}
	all = append(all, m.hubs(ctx, tree)...)
	for _, c := range []check{
		{"host.address", func(context.Context) Finding { return m.address() }},
		{"rp_filter", func(context.Context) Finding { return m.reversePath(tree) }},
		{"ModemManager", func(context.Context) Finding { return m.modemManager(tree) }},
		{"NetworkManager", func(context.Context) Finding { return m.networkManager(tree) }},
		{"systemd-networkd", func(context.Context) Finding { return m.networkd() }},
	} {
		all = append(all, c.run(ctx))
	}
	return all
}

func newMachine(c *configs.Config, root string, bus USB, who actor) *machine {
	m := &machine{root: cmp.Or(root, "/"), usb: bus, who: who, config: c, routes: netroute.New().MayChange}
	if m.usb == nil {
		o := usb.Options{Sysfs: m.path("sys"), Dev: m.path("dev"), WriteLimit: c.Host.USB.CallLimit.Std()}
		for _, text := range c.Host.USB.IDs {
			if id, err := usb.ParseID(text); err == nil { // it has been checked
				o.Modems = append(o.Modems, id)
			}
		}
		m.usb = usb.New(o)
	}
	return m
}

// path is one of the machine's.
func (m *machine) path(elem ...string) string {
	return filepath.Join(append([]string{m.root}, elem...)...)
}

// text is what a file holds, without the line's end.
func (m *machine) text(elem ...string) (string, error) {
	b, err := os.ReadFile(m.path(elem...))
	return strings.TrimSpace(string(b)), err
}

// actor is whose rights are examined: this process, or a user.
type actor struct {
	name string // "": this process
	uid  uint32
	gids []uint32
}

// unitUser is whom the units run as.
const unitUser = "switchyard"

// whose are the rights of a user; without a name, those of whom the unit runs as
// where root asks and there is one, else those of this process.
func whose(name string) (actor, error) {
	asked := name != ""
	if !asked && os.Geteuid() == 0 {
		name = unitUser
	}
	if name == "" {
		return actor{}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		if !asked {
			return actor{}, nil
		}
		return actor{}, fmt.Errorf("looking up the user %s: %w", name, err)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return actor{}, fmt.Errorf("looking up the groups of %s: %w", name, err)
	}
	a := actor{name: name}
	for i, text := range append([]string{u.Uid}, groups...) {
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return actor{}, fmt.Errorf("the user %s: %w", name, err)
		}
		if i == 0 {
			a.uid = uint32(id)
		} else {
			a.gids = append(a.gids, uint32(id))
		}
	}
	return a, nil
}

func (a actor) String() string { return cmp.Or(a.name, "this process") }

// mayWrite tells what keeps the actor from writing to a file. For this process
// that is tried: opening a file of sysfs or a device changes nothing. For a user it
// is read from the file's mode.
func (a actor) mayWrite(path string) error {
	if a.name == "" {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return f.Close()
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode().Perm()
	switch {
	case !ok, a.uid == 0:
		return nil
	case owner.Uid == a.uid:
		mode &= 0o200
	case slices.Contains(a.gids, owner.Gid):
		mode &= 0o020
	default:
		mode &= 0o002
	}
	if mode == 0 {
		return &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
	}
	return nil
}

// forbidden tells whether the fault is a missing right, and not that there is no
// such file.
func forbidden(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// installRules is what to do where a right is missing.
const installRules = "install deployments/udev/70-switchyard.rules (docs/deploy.md), have udev trigger it, and run the worker by switchyard-host.service; or run it as root"

// kernel looks how old it is.
func (m *machine) kernel() Finding {
	release, err := m.text("proc/sys/kernel/osrelease")
	if err != nil {
		return warn("its version can't be read: "+err.Error(), "see what uname -r says: 6.0 or later is good")
	}
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return warn("its version "+release+" is not understood", "6.0 or later is good")
	}
	at := func(a, b int) bool { return major > a || major == a && minor >= b }
	const do = "use Linux 6.0 or later"
	switch {
	case !at(5, 7):
		return warn("Linux "+release+" lets only root bind a connection to an interface, so only root's probes go out by their dongle", do)
	case !at(6, 0):
		return warn("Linux "+release+" has no files to switch the power of ports by: step 4 asks the hub, which the kernel doesn't notice", do)
	}
	return ok("Linux " + release)
}

// rules looks for what is installed with the units.
func (m *machine) rules() Finding {
	var missing []string
	for name, dirs := range map[string][]string{
		"udev/70-switchyard.rules":                   {"etc/udev/rules.d", "run/udev/rules.d", "usr/local/lib/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d"},
		"systemd/network/70-switchyard-dongles.link": {"etc/systemd/network", "run/systemd/network", "usr/local/lib/systemd/network", "usr/lib/systemd/network", "lib/systemd/network"},
	} {
		if !slices.ContainsFunc(dirs, func(dir string) bool { return m.exists(dir, filepath.Base(name)) }) {
			missing = append(missing, "deployments/"+name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return warn(strings.Join(missing, " and ")+" not installed: rights may be missing, names of interfaces collide, other managers take dongles",
			"install it as docs/deploy.md says")
	}
	return ok("rules for rights and names are installed")
}

func (m *machine) exists(elem ...string) bool {
	_, err := os.Stat(m.path(elem...))
	return err == nil
}
