package hardware_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/hardware"
	"switchyard/hardware/hilink"
)

// The rules of a toggle as they were promised, written down a second time and
// without the ladder, so that each finds the other's faults:
//
//	The diagnosis decides the first step; the steps follow in their order.
//	A step that can't run is noted and passed over.
//	Steps 1, 3 and 4 end the toggle when there is connectivity, by whatever address.
//	Step 2 goes through its ways until the address differs.
//	Unchanged is told apart from no connectivity: accepted it ends the toggle at
//	step 2, else step 3 follows.
//	Step 4 is never begun while there is connectivity: that is a success, by the
//	old address, at the last step that ran.
//	A healthy dongle that step 2 brings another address is a success at step 0.
//	When all has failed it is a failure at step 4.

// What a modem does beside the behaviours of a place.
const (
	hangs   = "hangs"   // no answer to anything that the way asks
	mute    = "mute"    // takes the first write and then says nothing for a while
	halfway = "halfway" // takes the first write and denies the second
	denies  = "denies"  // with a code behind it
)

// codes are refusals that modems are known for: nobody's to mend (100002,
// 112003), a login that is wanted (100003) or somebody else's (108003), tokens
// and sessions that stay bad, and one that lasts while the modem dials (112001).
var codes = []int{100002, 100003, 108003, 112001, 112003, 125001, 125002, 125003}

// climbed is one toggle: what is found, what is configured, what each way and
// each repair does.
type climbed struct {
	found   hardware.Diagnosis
	accept  bool
	methods []hardware.Method
	ways    map[hardware.Method]string
	repairs map[int]string
}

func (c climbed) String() string {
	var out []string
	if c.accept {
		out = append(out, "accept")
	}
	for _, m := range c.methods {
		out = append(out, fmt.Sprintf("%s %s", m, c.ways[m]))
	}
	for _, step := range []int{1, 3, 4} {
		out = append(out, fmt.Sprintf("%d %s", step, cmpOr(c.repairs[step], "missing")))
	}
	return fmt.Sprintf("%s: %s", c.found, strings.Join(out, ", "))
}

func cmpOr(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

// promised is what the rules say of a toggle.
type promised struct {
	Success bool
	IP      string // old, new; empty: none
	Step    int
	Steps   []string // with their outcomes, in order
}

// promise draws up what the rules say.
func (c climbed) promise() (out promised) {
	ip, blocked := "old", false // the modem's address, and whether probes get through to it
	switch c.found {
	case unreachable:
		ip = ""
	case misrouted:
		blocked = true
	case unplugged:
		ip, blocked = "", true
	}
	works := func() bool { return ip != "" && !blocked }
	differs := func() bool { return works() && (c.found != healthy || ip != "old") }
	note := func(what string, failed bool) {
		switch {
		case differs():
			what += " ok"
		case works() && !failed:
			what += " unchanged"
		default:
			what += " failed"
		}
		out.Steps = append(out.Steps, what)
	}
	end := func(step int) promised {
		out.Success, out.IP, out.Step = true, ip, step
		return out
	}

	ran := map[hardware.Diagnosis]int{healthy: 2, unreachable: 2, misrouted: 1, unplugged: 3}[c.found]
	for step := ran; step <= 4; step++ {
		if step == 2 {
			ran = 2
			for _, m := range c.tries() {
				switch c.ways[m] {
				case changes, mute, halfway:
					ip = "new"
				case keeps:
					ip = "old"
				case loses:
					ip = ""
				}
				note("2 "+string(m), strings.HasPrefix(c.ways[m], denies) || c.ways[m] == hangs)
				if differs() {
					if c.found == healthy {
						return end(0)
					}
					return end(2)
				}
			}
			if works() && c.accept {
				return end(2)
			}
			continue
		}
		if step == 4 && works() {
			return end(ran)
		}
		what := c.repairs[step]
		if what == missing || what == cannot {
			out.Steps = append(out.Steps, fmt.Sprint(step, " skipped"))
			continue
		}
		switch what {
		case breaks:
			ip = ""
		case keeps, recovers:
			ip, blocked = "old", false
		case changes:
			ip, blocked = "new", false
		}
		ran = step
		note(fmt.Sprint(step), false)
		if works() {
			return end(step)
		}
	}
	out.Step = 4
	return out
}

// tries are the ways of step 2: the data switch has one for each hold.
func (c climbed) tries() (out []hardware.Method) {
	for _, m := range c.methods {
		out = append(out, m)
		if m == hardware.MethodDataswitch {
			out = append(out, m) // two holds
		}
	}
	return out
}

// act toggles a place of that kind.
func (c climbed) act(t *testing.T) {
	p := newPlace(t, c.found)
	p.repairs = c.repairs
	for m, what := range c.ways {
		p.ways[m] = what
		if what == mute || what == halfway {
			p.ways[m] = changes
		}
	}
	m := &willful{Modem: p.modem(), ways: c.ways}
	l, j := p.ladder(), &journal{}
	l.Methods, l.AcceptUnchanged = c.methods, c.accept
	l.StepLimit, l.Poll, l.Holds = 12*time.Second, 1500*time.Millisecond, []time.Duration{time.Second, 2 * time.Second}
	l.DropLimit, l.SettleLimit = 2*time.Second, time.Second
	out, err := l.Toggle(t.Context(), p.dongle(t, m), j.hooks())
	if err != nil {
		t.Errorf("%s: %v", c, err)
	}
	got := promised{Success: out.Success, Step: out.Step}
	if out.IP != nil {
		got.IP = map[string]string{oldIP.String(): "old", newIP.String(): "new"}[*out.IP]
	}
	for _, s := range j.steps() {
		s, _, _ = strings.Cut(s, ":")
		got.Steps = append(got.Steps, s)
	}
	if diff := cmp.Diff(c.promise(), got); diff != "" {
		t.Errorf("%s (-promised +got):\n%s\nin full: %q", c, diff, j.steps())
	}
	if slices.Contains(p.cut, "4 while it worked") {
		t.Errorf("%s: its power was cut while it worked", c)
	}
	p.inOrder(t)
}

// willful is a modem that does what the ways say beside a place's behaviours.
type willful struct {
	hardware.Modem
	ways   map[hardware.Method]string
	silent time.Time               // until then it says nothing
	writes map[hardware.Method]int // accepted and refused, of the way under way
}

// answer is how long a caller waits for a modem that says nothing.
const answer = time.Second

func (m *willful) NetMode(ctx context.Context) (hilink.NetMode, error) {
	m.begin(hardware.MethodNetMode)
	if m.ways[hardware.MethodNetMode] == hangs || time.Now().Before(m.silent) {
		<-time.After(answer)
		return hilink.NetMode{}, hilink.ErrTimeout
	}
	return m.Modem.NetMode(ctx)
}

func (m *willful) Status(ctx context.Context) (hilink.Status, error) {
	if time.Now().Before(m.silent) {
		<-time.After(answer)
		return hilink.Status{}, hilink.ErrTimeout
	}
	return m.Modem.Status(ctx)
}

func (m *willful) SetNetMode(ctx context.Context, n hilink.NetMode) error {
	return m.write(hardware.MethodNetMode, func() error { return m.Modem.SetNetMode(ctx, n) })
}

func (m *willful) SetDataSwitch(ctx context.Context, on bool) error {
	if !on {
		m.begin(hardware.MethodDataswitch)
		if m.ways[hardware.MethodDataswitch] == hangs {
			<-time.After(answer)
			return hilink.ErrTimeout
		}
	}
	return m.write(hardware.MethodDataswitch, func() error { return m.Modem.SetDataSwitch(ctx, on) })
}

func (m *willful) begin(method hardware.Method) { m.writes = map[hardware.Method]int{method: 0} }

func (m *willful) write(method hardware.Method, take func() error) error {
	if time.Now().Before(m.silent) {
		<-time.After(answer)
		return hilink.ErrTimeout
	}
	m.writes[method]++
	way, code := m.ways[method], 0
	if _, err := fmt.Sscanf(way, denies+" %d", &code); err == nil {
		return &hilink.Error{Code: code, Op: "write"}
	}
	switch {
	case way == halfway && m.writes[method] == 2:
		return &hilink.Error{Code: 100010, Op: "write"}
	case way == mute && m.writes[method] == 1:
		err := take()
		m.silent = time.Now().Add(3500 * time.Millisecond)
		if err != nil {
			return err
		}
		<-time.After(answer)
		return hilink.ErrTimeout
	}
	return take()
}

// Ensure every toggle ends as the rules say: by each diagnosis, for each outcome
// of each step, with unchanged addresses accepted or not, for each list of
// methods.
func TestLadder_asPromised(t *testing.T) {
	t.Parallel()
	nm, ds := hardware.MethodNetMode, hardware.MethodDataswitch
	single := []string{changes, keeps, loses, ignored, hangs, mute, halfway}
	for _, code := range codes {
		single = append(single, fmt.Sprint(denies, " ", code))
	}
	pairs := []string{changes, keeps, loses, mute, denies + " 112003"}
	var ways []climbed
	for _, one := range single {
		ways = append(ways,
			climbed{methods: []hardware.Method{nm}, ways: map[hardware.Method]string{nm: one}},
			climbed{methods: []hardware.Method{ds}, ways: map[hardware.Method]string{ds: one}})
	}
	for _, one := range pairs {
		for _, two := range pairs {
			for _, order := range [][]hardware.Method{{nm, ds}, {ds, nm}} {
				ways = append(ways, climbed{methods: order, ways: map[hardware.Method]string{order[0]: one, order[1]: two}})
			}
		}
	}
	every := []string{missing, cannot, fails, idle, breaks, keeps, recovers, changes}
	for _, found := range []hardware.Diagnosis{healthy, unreachable, misrouted, unplugged} {
		ways, repairs := ways, every
		switch found {
		case misrouted:
			ways = ways[:2] // nothing gets through, whatever they do
		case unplugged:
			ways = ways[:1] // step 2 isn't reached
		}
		for _, accept := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/accept %v", found, accept), func(t *testing.T) {
				t.Parallel()
				n, repairs := 0, repairs // the other one has its own
				for i, c := range ways {
					if i == 2*len(single) {
						repairs = []string{missing, idle, keeps, changes} // two methods: the others make no difference to them
					}
					c.found, c.accept = found, accept
					for _, c.repairs = range c.branches(repairs) {
						n++
						synctest.Test(t, c.act)
					}
				}
				t.Logf("%d toggles", n)
			})
		}
	}
}

// branches are all repairs that can make a difference to this toggle. One that
// isn't reached is there, and would be seen if it ran.
func (c climbed) branches(every []string) (out []map[int]string) {
	out = []map[int]string{{1: changes, 3: changes, 4: changes}}
	for _, step := range []int{1, 3, 4} {
		var more []map[int]string
		for _, repairs := range out {
			one := c
			one.repairs = repairs
			if !slices.ContainsFunc(one.promise().Steps, func(s string) bool { return strings.HasPrefix(s, fmt.Sprint(step)) }) {
				more = append(more, repairs)
				continue
			}
			for _, what := range every {
				branch := maps.Clone(repairs)
				branch[step] = what
				more = append(more, branch)
			}
		}
		out = more
	}
	return out
}
