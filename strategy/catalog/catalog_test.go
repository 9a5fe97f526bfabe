package catalog_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"switchyard/strategy/catalog"
)

func open(t testing.TB, o catalog.Options) *catalog.Catalog {
	t.Helper()
	c, err := catalog.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func find(t testing.TB, c *catalog.Catalog, name string) catalog.Strategy {
	t.Helper()
	s, ok := c.Find(name)
	if !ok {
		t.Fatalf("there is no strategy %s", name)
	}
	return s
}

const (
	baa       = catalog.BoldAssetAllocation
	crossover = catalog.MovingAverageCrossover
)

// Ensure parameters are read with their defaults in the strategy's order, and that a
// value that can't be used is told in words, with the parameters as they were sent.
func TestRead(t *testing.T) {
	t.Parallel()
	const defaults = `{"symbol":"SPY","short_window":20,"long_window":50,"average":"SMA","initial_capital":10000,"commission":0,"allow_short":false,"use_real_data":false,"start_date":null,"end_date":null}`
	for _, tt := range []struct {
		name, strategy, sent string
		real                 bool
		want, fault          string
	}{
		{name: "nothing", strategy: crossover, want: defaults},
		{name: "null", strategy: crossover, sent: ` null `, want: defaults},
		{name: "empty", strategy: crossover, sent: `{}`, want: defaults},
		{name: "nulls", strategy: crossover, sent: `{"short_window":null,"symbol":null}`, real: true, want: defaults},
		{name: "some", strategy: crossover, sent: `{"long_window": 30, "short_window":10.0}`, want: strings.NewReplacer(`"short_window":20`, `"short_window":10`, `:50`, `:30`).Replace(defaults)},
		{name: "a symbol, no real data", strategy: crossover, sent: `{"symbol":"GOOG"}`, want: strings.Replace(defaults, "SPY", "GOOG", 1)},
		{name: "a symbol, real data", strategy: crossover, sent: `{"symbol":"GOOG"}`, real: true, want: strings.NewReplacer("SPY", "GOOG", `"use_real_data":false`, `"use_real_data":true`).Replace(defaults)},
		{name: "a symbol, generated", strategy: crossover, sent: `{"symbol":"GOOG","use_real_data":false}`, real: true, want: strings.Replace(defaults, "SPY", "GOOG", 1)},
		{name: "the document's", strategy: baa, sent: `{"variant": "BAA-G4","initial_capital": 100000}`,
			want: `{"variant":"BAA-G4","initial_capital":100000,"use_real_data":false,"transaction_cost":0.001,"start_date":null,"end_date":null}`},

		{name: "variant", strategy: baa, sent: `{"variant": "INVALID"}`, want: `{"variant":"INVALID"}`, fault: "Unknown variant: INVALID. Available variants: BAA-G12, BAA-G4, BAA-G12/T3, BAA-G4/T2, BAA-SPY"},
		{name: "variant, long", strategy: baa, sent: `{"variant":"` + strings.Repeat("x", 99) + `"}`, want: `{"variant":"` + strings.Repeat("x", 99) + `"}`, fault: "Unknown variant: " + strings.Repeat("x", 60) + "…. Available"},
		{name: "capital", strategy: baa, sent: `{"initial_capital":0}`, want: `{"initial_capital":0}`, fault: "Invalid initial_capital: 0 is less than 1"},
		{name: "too much", strategy: baa, sent: `{"initial_capital":1e400}`, want: `{"initial_capital":1e400}`, fault: "Invalid initial_capital: 1e400 is too large a number"},
		{name: "cost", strategy: baa, sent: `{"transaction_cost":0.2}`, want: `{"transaction_cost":0.2}`, fault: "Invalid transaction_cost: 0.2 is more than 0.1"},
		{name: "date", strategy: baa, sent: `{"start_date":"2024-02-30"}`, want: `{"start_date":"2024-02-30"}`, fault: "Invalid start_date: 2024-02-30 is not a date such as 2024-06-28"},
		{name: "dates", strategy: baa, sent: `{"start_date":"2024-02-20","end_date":"2024-02-20"}`, want: `{"start_date":"2024-02-20","end_date":"2024-02-20"}`, fault: "Invalid end_date: 2024-02-20 is not after start_date"},
		{name: "windows", strategy: crossover, sent: `{"short_window":50}`, want: `{"short_window":50}`, fault: "Invalid short_window: 50 is not less than long_window, which is 50"},
		{name: "symbol", strategy: crossover, sent: `{"symbol":"../etc/passwd"}`, want: `{"symbol":"../etc/passwd"}`, fault: "Invalid symbol: ../etc/passwd"},
		{name: "average", strategy: crossover, sent: `{"average":"sma"}`, want: `{"average":"sma"}`, fault: "Unknown average: sma. Available averages: SMA, EMA"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, catalog.Options{RealData: tt.real})
			got, err := c.Read(find(t, c, tt.strategy), json.RawMessage(tt.sent))
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Parameters) != tt.want || !strings.HasPrefix(got.Fault, tt.fault) || (got.Fault == "") != (tt.fault == "") {
				t.Errorf("got %s, %q\nwant %s, %q", got.Parameters, got.Fault, tt.want, tt.fault)
			}
		})
	}
}

// Ensure what can't be an execution at all is refused, by code and name.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	c := open(t, catalog.Options{More: []catalog.Strategy{{Name: "Own", Parameters: []catalog.Parameter{
		{Name: "a", Type: catalog.Text, Required: true}, {Name: "b", Type: catalog.Number}, {Name: "c", Type: catalog.Date}, {Name: "d", Type: catalog.Boolean},
	}}}})
	for _, tt := range []struct{ sent, code, name string }{
		{``, "missing_parameter", "a"},
		{`{}`, "missing_parameter", "a"},
		{`{"a":null}`, "missing_parameter", "a"},
		{`{"a":"x","e":1}`, "unknown_parameter", "e"},
		{`{"a":"x","A":"x"}`, "unknown_parameter", "A"},
		{`{"a":7}`, "invalid_parameter", "a"},
		{`{"a":["x"]}`, "invalid_parameter", "a"},
		{`{"a":"x","a":"x"}`, "invalid_parameter", "a"},
		{`{"a":"x","b":"1"}`, "invalid_parameter", "b"},
		{`{"a":"x","b":true}`, "invalid_parameter", "b"},
		{`{"a":"x","c":20240628}`, "invalid_parameter", "c"},
		{`{"a":"x","d":1}`, "invalid_parameter", "d"},
		{`{"a":"x","d":"true"}`, "invalid_parameter", "d"},
		{`[]`, "invalid_parameter", ""},
		{`7`, "invalid_parameter", ""},
		{`{"a":"x"`, "invalid_parameter", ""},
		{`{"a":"x"}{}`, "invalid_parameter", ""},
		{`{"a":"x",}`, "invalid_parameter", ""},
	} {
		_, err := c.Read(find(t, c, "Own"), json.RawMessage(tt.sent))
		var wrong *catalog.ParameterError
		if !errors.As(err, &wrong) || wrong.Code != tt.code || wrong.Name != tt.name || !strings.HasSuffix(wrong.Words, ".") {
			t.Errorf("%s: %v, want %s of %q", tt.sent, err, tt.code, tt.name)
		}
	}
	if _, err := c.Read(find(t, c, crossover), json.RawMessage(`{"short_window":1.5}`)); err == nil {
		t.Error("a part of a day was taken for an integer")
	}
}

// Ensure the catalog finds what it has, and refuses what can't be meant.
func TestNew(t *testing.T) {
	t.Parallel()
	c := open(t, catalog.Options{More: []catalog.Strategy{{Name: "Own"}}})
	if c.Names() != "BoldAssetAllocation, MovingAverageCrossover, Own" || len(c.All()) != 3 {
		t.Errorf("there are %s", c.Names())
	}
	if _, ok := c.Find("own"); ok {
		t.Error("names are taken without regard to case")
	}
	of := func(p catalog.Parameter) []catalog.Strategy {
		p.Name = "p"
		return []catalog.Strategy{{Name: "Own", Parameters: []catalog.Parameter{p}}}
	}
	for _, more := range [][]catalog.Strategy{
		{{Name: baa}},
		{{Name: "Own"}, {Name: "Own"}},
		of(catalog.Parameter{Type: "float"}),
		of(catalog.Parameter{Type: catalog.Integer, Default: json.RawMessage(`"7"`)}),
		of(catalog.Parameter{Type: catalog.Text, Allowed: []json.RawMessage{json.RawMessage(`7`)}}),
		of(catalog.Parameter{Type: catalog.Text, Default: json.RawMessage(`"a"`), Allowed: []json.RawMessage{json.RawMessage(`"b"`)}}),
	} {
		if _, err := catalog.New(catalog.Options{More: more}); err == nil {
			t.Errorf("%+v was taken", more)
		}
	}
}

// Ensure symbols are never paths.
func TestValidSymbol(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"SPY": true, "BRK.B": true, "^GSPC": true, "EURUSD=X": true, "BTC-USD": true, "005930.KS": true, "a_b": true,
		"": false, ".": false, "..": false, ".csv": false, "a/b": false, `a\b`: false, "a b": false, "ä": false, "-a": false, strings.Repeat("A", 21): false,
	} {
		if got := catalog.ValidSymbol(s); got != want {
			t.Errorf("%q is valid: %v", s, got)
		}
	}
}

// Ensure nothing that is sent breaks the reader, and that what it returns is JSON: what
// it takes it takes again, to the same.
func FuzzRead(f *testing.F) {
	for _, s := range []string{`{}`, `null`, `{"variant":"BAA-G4"}`, `{"short_window":10,"long_window":30}`, `{"symbol":"\ud800"}`, `{"initial_capital":1e999}`, `{"a":{"b":[1,2]}}`, `{"start_date":"2024-01-01"}`, "{\"symbol\":\"\xff\"}"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	c := open(f, catalog.Options{RealData: true})
	f.Fuzz(func(t *testing.T, sent string, first bool) {
		s := find(t, c, crossover)
		if first {
			s = find(t, c, baa)
		}
		got, err := c.Read(s, json.RawMessage(sent))
		if err != nil {
			var wrong *catalog.ParameterError
			if !errors.As(err, &wrong) {
				t.Fatalf("%v", err)
			}
			return
		}
		if !json.Valid(got.Parameters) {
			t.Fatalf("%q became %s", sent, got.Parameters)
		}
		again, err := c.Read(s, got.Parameters)
		if err != nil || string(again.Parameters) != string(got.Parameters) || again.Fault != got.Fault {
			t.Fatalf("%q became %s, %q, and that %s, %q, %v", sent, got.Parameters, got.Fault, again.Parameters, again.Fault, err)
		}
	})
}
