package main

import (
	"strings"
	"testing"
	"time"

	"switchyard/lab/guest"
	"switchyard/tasks"
)

// Two ports that are off at the same time are found, and fewer cycles than
// there had to be.
func TestOnePortAtATime(t *testing.T) {
	t.Parallel()
	at := func(n int, what string) guest.Event { return guest.Event{Subnet: n, What: what} }
	for name, tt := range map[string]struct {
		events []guest.Event
		want   string
	}{
		"one after the other": {[]guest.Event{at(11, "port off"), at(11, "port on"), at(12, "port off"), at(12, "port on")}, ""},
		"at once":             {[]guest.Event{at(11, "port off"), at(12, "port off"), at(11, "port on"), at(12, "port on")}, "while that of 11"},
		"only one":            {[]guest.Event{at(11, "port off"), at(11, "port on")}, "1 ports"},
	} {
		err := onePortAtATime(tt.events)
		if got := err != nil; got != (tt.want != "") || got && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
}

// Of a step's waits those count that came after the power was switched on the
// last time.
func TestAfterPower(t *testing.T) {
	t.Parallel()
	waits := func(all ...tasks.ToggleWait) tasks.ToggleProgress {
		return tasks.ToggleProgress{Steps: []tasks.ToggleStep{{Step: 3}, {Step: 4, Waits: all}}}
	}
	if got, ok := afterPower(waits(tasks.ToggleWait{Name: "hub", DurationMS: 7})); ok {
		t.Errorf("without a power cycle: %s", got)
	}
	got, ok := afterPower(waits(
		tasks.ToggleWait{Name: "port_off", DurationMS: 1000}, tasks.ToggleWait{Name: "device", DurationMS: 90},
		tasks.ToggleWait{Name: "hub_off", DurationMS: 1000}, tasks.ToggleWait{Name: "device", DurationMS: 5}, tasks.ToggleWait{Name: "modem", DurationMS: 10},
	))
	if want := 15 * time.Millisecond; !ok || got != want {
		t.Errorf("got %s, %v, want %s", got, ok, want)
	}
}
