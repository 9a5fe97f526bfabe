package tasks_test

import (
	"math"
	"testing"

	"switchyard/tasks"
)

// Ensure every reading is of the class that the specification names, at each
// bound and next to it.
func TestSignalQuality(t *testing.T) {
	t.Parallel()
	above := func(d tasks.Decibel) tasks.Decibel { return tasks.Decibel(math.Nextafter(float64(d), math.Inf(1))) }
	below := func(d tasks.Decibel) tasks.Decibel { return tasks.Decibel(math.Nextafter(float64(d), math.Inf(-1))) }
	for _, tt := range []struct {
		reading string
		of      tasks.Decibel
		level   int
		word    string
	}{
		{"rsrp", -44, 5, "매우 좋음"},
		{"rsrp", -79, 5, "매우 좋음"},
		{"rsrp", above(-80), 5, "매우 좋음"},
		{"rsrp", -80, 4, "좋음"},
		{"rsrp", below(-80), 4, "좋음"},
		{"rsrp", above(-90), 4, "좋음"},
		{"rsrp", -90, 4, "좋음"},
		{"rsrp", below(-90), 3, "보통"},
		{"rsrp", above(-100), 3, "보통"},
		{"rsrp", -100, 3, "보통"},
		{"rsrp", below(-100), 2, "나쁨"},
		{"rsrp", above(-110), 2, "나쁨"},
		{"rsrp", -110, 2, "나쁨"},
		{"rsrp", below(-110), 1, "매우 나쁨"},
		{"rsrp", -140, 1, "매우 나쁨"},
		{"rsrq", -3, 4, "좋음"},
		{"rsrq", above(-10), 4, "좋음"},
		{"rsrq", -10, 3, "보통"},
		{"rsrq", below(-10), 3, "보통"},
		{"rsrq", above(-15), 3, "보통"},
		{"rsrq", -15, 3, "보통"},
		{"rsrq", below(-15), 2, "나쁨"},
		{"rsrq", -19.5, 2, "나쁨"},
		{"sinr", 30, 5, "매우 좋음"},
		{"sinr", above(20), 5, "매우 좋음"},
		{"sinr", 20, 4, "좋음"},
		{"sinr", below(20), 4, "좋음"},
		{"sinr", above(10), 4, "좋음"},
		{"sinr", 10, 4, "좋음"},
		{"sinr", below(10), 3, "보통"},
		{"sinr", above(0), 3, "보통"},
		{"sinr", 0, 3, "보통"},
		{"sinr", below(0), 2, "나쁨"},
		{"sinr", -20, 2, "나쁨"},
	} {
		s := &tasks.Signal{}
		switch tt.reading {
		case "rsrp":
			s.RSRP = &tt.of
		case "rsrq":
			s.RSRQ = &tt.of
		case "sinr":
			s.SINR = &tt.of
		}
		q := s.Quality()
		for name, got := range map[string]*tasks.Quality{"rsrp": q.RSRP, "rsrq": q.RSRQ, "sinr": q.SINR} {
			switch {
			case name != tt.reading && got != nil:
				t.Errorf("%s was not read and is %+v", name, got)
			case name == tt.reading && (got == nil || *got != tasks.Quality{Level: tt.level, Word: tt.word}):
				t.Errorf("%s of %v is %+v, want %d %s", name, tt.of, got, tt.level, tt.word)
			}
		}
	}
	if q := (*tasks.Signal)(nil).Quality(); q != nil {
		t.Errorf("no signal is %+v", q)
	}
}
