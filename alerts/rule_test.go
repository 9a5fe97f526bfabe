package alerts_test

import (
	"testing"
	"time"

	"switchyard/alerts"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// Ensure an alert is raised when something has been bad for long enough, without a gap in
// the looking, and is over when it is good again, which "between" is not.
func TestNext(t *testing.T) {
	t.Parallel()
	type step struct {
		at      time.Duration
		verdict alerts.Verdict
		want    alerts.Change
	}
	const (
		good, between, bad             = alerts.Good, alerts.Between, alerts.Bad
		nothing, noted, raised, solved = alerts.Nothing, alerts.Noted, alerts.Raised, alerts.Resolved
		s                              = time.Second
	)
	for name, steps := range map[string][]step{
		"for long enough":           {{0, bad, noted}, {150 * s, bad, noted}, {299 * s, bad, noted}, {300 * s, bad, raised}},
		"never bad":                 {{0, good, nothing}, {15 * s, between, nothing}},
		"good in between":           {{0, bad, noted}, {100 * s, good, noted}, {200 * s, bad, noted}, {310 * s, bad, noted}},
		"between is not bad":        {{0, bad, noted}, {100 * s, between, noted}, {150 * s, bad, noted}, {310 * s, bad, noted}},
		"nobody looked for a while": {{0, bad, noted}, {181 * s, bad, noted}, {310 * s, bad, noted}, {470 * s, bad, noted}},
		"raised":                    {{0, bad, noted}, {150 * s, bad, noted}, {300 * s, bad, raised}, {301 * s, bad, nothing}, {400 * s, between, noted}, {401 * s, good, solved}, {402 * s, good, nothing}},
		"raised and seen again":     {{0, bad, noted}, {150 * s, bad, noted}, {300 * s, bad, raised}, {330 * s, bad, noted}, {345 * s, bad, nothing}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := alerts.Rule{Enabled: true, For: 300 * s}
			var w alerts.Watch
			for i, x := range steps {
				var got alerts.Change
				w, got = w.Next(alerts.Observation{Kind: alerts.CPU, Subject: "a", Verdict: x.verdict}, r, noon.Add(x.at), "a_1")
				if got != x.want {
					t.Fatalf("step %d: %v, want %v; %+v", i, got, x.want, w)
				}
			}
		})
	}
}

// Ensure a rule that is raised at once raises at once, one that is off raises nothing and
// ends what was raised, and that an alert with an end of its own is put off by more.
func TestNextAtOnce(t *testing.T) {
	t.Parallel()
	on, off := alerts.Rule{Enabled: true}, alerts.Rule{}
	o := alerts.Observation{Kind: alerts.ExchangeBan, Subject: "a", Verdict: alerts.Bad, Until: noon.Add(time.Minute)}
	if w, got := (alerts.Watch{}).Next(o, off, noon, "a_1"); got != alerts.Nothing || w != (alerts.Watch{}) {
		t.Errorf("off: %v, %+v", got, w)
	}
	w, got := alerts.Watch{}.Next(o, on, noon, "a_1")
	if got != alerts.Raised || w.ID != "a_1" || !w.Until.Equal(o.Until) {
		t.Errorf("on: %v, %+v", got, w)
	}
	if _, got := w.Next(o, off, noon, "a_2"); got != alerts.Resolved {
		t.Errorf("switched off: %v", got)
	}
	o.Until = noon.Add(time.Hour)
	if w, got = w.Next(o, on, noon.Add(time.Second), "a_2"); got != alerts.Noted || w.ID != "a_1" || !w.Until.Equal(o.Until) {
		t.Errorf("for longer: %v, %+v", got, w)
	}
}

// Ensure a value is bad above the threshold, and good once it has come back far enough.
func TestJudge(t *testing.T) {
	t.Parallel()
	r := alerts.Rule{Threshold: 90, Hysteresis: 5}
	for value, want := range map[float64]alerts.Verdict{0: alerts.Good, 85: alerts.Good, 85.1: alerts.Between, 90: alerts.Between, 90.1: alerts.Bad, 100: alerts.Bad} {
		if got := r.Judge(value); got != want {
			t.Errorf("%v is %v, want %v", value, got, want)
		}
	}
}
