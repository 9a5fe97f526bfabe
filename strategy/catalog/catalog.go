package catalog

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Type of a parameter, as JSON has it; a date is text as 2006-01-02.
type Type string

// The types.
const (
	Text    Type = "string"
	Integer Type = "integer"
	Number  Type = "number"
	Boolean Type = "boolean"
	Date    Type = "date"
)

// Known reports whether it is one of the types.
func (t Type) Known() bool {
	return slices.Contains([]Type{Text, Integer, Number, Boolean, Date}, t)
}

// Parameter of a strategy.
type Parameter struct {
	Name string
	Type Type
	// Description says what it does, in a sentence.
	Description string
	// Default is the JSON value that stands for one that isn't given; "null": there
	// is none, and the strategy does without.
	Default json.RawMessage
	// Allowed are the only values; empty: all that the type and the bounds allow.
	Allowed []json.RawMessage
	// Min and Max are the bounds of an integer or a number; nil: there is none.
	Min, Max *float64
	// Required: one must be given, since there is no default.
	Required bool
	// form is what text must look like; nil: anything up to maxText.
	form func(string) bool
}

// Strategy is one that can be executed.
type Strategy struct {
	Name, Version string
	// Description says what it does, in a sentence or two.
	Description string
	Parameters  []Parameter
	// check looks at what concerns several parameters. Optional.
	check func(values) string
	// fill changes defaults by what was given. Optional.
	fill func(given values, realData bool) values
}

// Options of a Catalog.
type Options struct {
	// RealData: there is a source of prices for use_real_data.
	RealData bool
	// More strategies beside those that are built in.
	More []Strategy
}

// Catalog is the strategies of an installation. It is safe for concurrent use.
type Catalog struct {
	all  []Strategy
	real bool
}

// New returns the built-in strategies, then the others. Error: two have one name, or a
// default isn't of its type.
func New(o Options) (*Catalog, error) {
	c := &Catalog{all: append(builtIn(), o.More...), real: o.RealData}
	seen := map[string]bool{}
	for _, s := range c.all {
		if seen[s.Name] {
			return nil, fmt.Errorf("there are two strategies %s: give each its own name", s.Name)
		}
		seen[s.Name] = true
		for _, p := range s.Parameters {
			if err := p.sound(); err != nil {
				return nil, fmt.Errorf("strategy %s: parameter %s %w", s.Name, p.Name, err)
			}
		}
	}
	return c, nil
}

// All are the strategies, the built-in ones first.
func (c *Catalog) All() []Strategy { return slices.Clone(c.all) }

// Find is the strategy with a name.
func (c *Catalog) Find(name string) (Strategy, bool) {
	i := slices.IndexFunc(c.all, func(s Strategy) bool { return s.Name == name })
	if i < 0 {
		return Strategy{}, false
	}
	return c.all[i], true
}

// Names are those of all strategies, for those who asked for another.
func (c *Catalog) Names() string {
	out := make([]string, len(c.all))
	for i, s := range c.all {
		out[i] = s.Name
	}
	return strings.Join(out, ", ")
}

// sound reports what is wrong with the description of a parameter.
func (p Parameter) sound() error {
	if !p.Type.Known() {
		return fmt.Errorf("has the type %q: use string, integer, number, boolean or date", p.Type)
	}
	for _, v := range append(slices.Clone(p.Allowed), p.Default) {
		if len(v) == 0 || string(v) == null {
			continue
		}
		if !p.Type.takes(v) {
			return fmt.Errorf("is of type %s, which %s is not", p.Type, v)
		}
		if string(v) == string(p.Default) {
			if fault := p.fault(v); fault != "" {
				return fmt.Errorf("has a default that it doesn't take: %s", fault)
			}
		}
	}
	return nil
}

// bound is one in a literal.
func bound(x float64) *float64 { return &x }

// maxNumber is the largest amount that makes sense, far from where a float loses
// whole units.
const maxNumber = 1e12

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
