package strategy_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/strategy"
	"switchyard/strategy/catalog"
	"switchyard/strategy/command"
	"switchyard/strategy/prices"
)

// order is an execution with parameters as a request sends them.
func order(t *testing.T, name, sent string) strategy.Order {
	t.Helper()
	c, err := catalog.New(catalog.Options{RealData: true, More: []catalog.Strategy{{Name: "Own", Version: "2"}}})
	if err != nil {
		t.Fatal(err)
	}
	s, ok := c.Find(name)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	r, err := c.Read(s, json.RawMessage(sent))
	if err != nil || r.Fault != "" {
		t.Fatal(err, r.Fault)
	}
	return strategy.Order{Execution: 7, Name: name, Version: s.Version, Parameters: r.Parameters}
}

func run(t *testing.T, r *strategy.Runner, o strategy.Order) (string, []strategy.Progress, error) {
	t.Helper()
	var progress []strategy.Progress
	result, err := r.Run(t.Context(), o, func(p strategy.Progress) { progress = append(progress, p) })
	if err != nil {
		return "", progress, err
	}
	b, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), progress, nil
}

// Ensure each strategy brings its result, says where its prices are from, and tells how
// far it is, never less than before.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var csv strings.Builder
	csv.WriteString("Date,Open,Close\n")
	for i := range 100 {
		d := prices.DayOf(2024, time.January, 1) + prices.Day(i)
		csv.WriteString(d.String() + ",10,1" + string(rune('0'+i%10)) + "\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "GOOG.csv"), []byte(csv.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &strategy.Runner{
		Real: prices.NewFolder(dir),
		Commands: map[string]command.Spec{"Own": {
			Argv: []string{"/bin/sh", "-c", `cat >&2; echo '{"progress":50} {"return":1}'`}, Timeout: time.Minute, CPU: time.Minute, Memory: 128 << 20,
		}},
	}
	for _, tt := range []struct{ name, sent, want string }{
		{catalog.BoldAssetAllocation, `{"variant":"BAA-G4"}`, `{"strategy":"BoldAssetAllocation","variant":"BAA-G4","data_source":"generated","portfolio":{"offensive_assets":[`},
		{catalog.MovingAverageCrossover, ``, `{"strategy":"MovingAverageCrossover","symbol":"SPY","data_source":"generated","final_value":`},
		{catalog.MovingAverageCrossover, `{"symbol":"GOOG","short_window":2.0,"long_window":5e0}`, `{"strategy":"MovingAverageCrossover","symbol":"GOOG","data_source":"folder","final_value":`},
		{"Own", ``, `{"return":1}`},
	} {
		got, progress, err := run(t, r, order(t, tt.name, tt.sent))
		if err != nil || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %v, %.200s", tt.name, err, got)
		}
		if n := len(progress); n < 2 || progress[n-1].Percent != 100 || progress[n-1].Stage != "finished" ||
			!slices.IsSortedFunc(progress, func(a, b strategy.Progress) int { return a.Percent - b.Percent }) {
			t.Errorf("%s: progress %+v", tt.name, progress)
		}
		if last := progress[len(progress)-1]; (tt.name == "Own") != strings.Contains(last.Errors, `"execution_id":7`) {
			t.Errorf("%s: standard error %q", tt.name, last.Errors)
		}
	}
}

// Ensure what goes wrong is told in words, and what may pass is told apart.
func TestRunFails(t *testing.T) {
	t.Parallel()
	away := &prices.UnavailableError{Symbol: "SPY", Err: errors.New("the line is cut")}
	own := map[string]command.Spec{"Own": {Argv: []string{"/bin/sh", "-c", "echo no >&2; exit 1"}, Timeout: time.Minute, CPU: time.Minute, Memory: 128 << 20}}
	for _, tt := range []struct {
		name, sent string
		runner     *strategy.Runner
		want       string
		temporary  bool
	}{
		{catalog.BoldAssetAllocation, `{"use_real_data":true}`, &strategy.Runner{}, "no source of prices is configured (strategy.prices)", false},
		{catalog.BoldAssetAllocation, `{"use_real_data":true}`, &strategy.Runner{Real: fails{away}}, "prices of SPY can't be had: the line is cut", true},
		{catalog.MovingAverageCrossover, `{"use_real_data":true}`, &strategy.Runner{Real: fails{&prices.UnknownError{Symbol: "SPY", Where: "x"}}}, "there are no prices of SPY in x", false},
		{catalog.MovingAverageCrossover, `{"long_window":5000,"start_date":"2024-12-31"}`, &strategy.Runner{}, "too few days after start_date", false},
		{"Own", ``, &strategy.Runner{}, "does not know the strategy", true},
		{"Own", ``, &strategy.Runner{Commands: own}, "exit status 1: no", false},
	} {
		_, _, err := run(t, tt.runner, order(t, tt.name, tt.sent))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strategy.Temporary(err) != tt.temporary {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	_, progress, _ := run(t, &strategy.Runner{Commands: own}, order(t, "Own", ""))
	if last := progress[len(progress)-1]; last.Errors != "no\n" || last.Percent != 0 {
		t.Errorf("progress %+v", progress)
	}
}

// fails is a source that has nothing.
type fails struct{ err error }

func (fails) Name() string                                            { return "fails" }
func (f fails) Daily(context.Context, string) (*prices.Series, error) { return nil, f.err }
