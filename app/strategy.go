package app

import (
	"encoding/json"
	"fmt"
	"time"

	"switchyard/configs"
	"switchyard/strategy"
	"switchyard/strategy/catalog"
	"switchyard/strategy/command"
	"switchyard/strategy/prices"
)

// What a strategy's program gets where nothing is configured.
const (
	commandVersion   = "1.0.0"
	commandTimeout   = 5 * time.Minute
	commandMemoryMiB = 512
)

// strategyCatalog is the strategies that are built in, and those that are configured.
func strategyCatalog(c configs.Strategy) (*catalog.Catalog, error) {
	o := catalog.Options{RealData: c.Prices.Any()}
	for _, x := range c.Commands {
		s := catalog.Strategy{Name: x.Name, Version: x.Version, Description: x.Description}
		if s.Version == "" {
			s.Version = commandVersion
		}
		for _, p := range x.Parameters {
			out := catalog.Parameter{
				Name: p.Name, Type: catalog.Type(p.Type), Description: p.Description, Required: p.Required,
				Default: literal(p.Type, p.Default), Min: decimalBound(p.Min), Max: decimalBound(p.Max),
			}
			for _, v := range p.Allowed {
				out.Allowed = append(out.Allowed, literal(p.Type, v))
			}
			s.Parameters = append(s.Parameters, out)
		}
		o.More = append(o.More, s)
	}
	out, err := catalog.New(o)
	if err != nil {
		return nil, fmt.Errorf("the strategies of the configuration: %w", err)
	}
	return out, nil
}

// literal is a configured value as JSON.
func literal(typ string, v configs.Literal) json.RawMessage {
	switch {
	case v == "":
		return json.RawMessage("null")
	case typ == string(catalog.Text) || typ == string(catalog.Date):
		b, err := json.Marshal(string(v))
		if err != nil {
			return json.RawMessage("null") // text always can be written
		}
		return b
	}
	return json.RawMessage(v)
}

func decimalBound(d configs.Decimal) *float64 {
	if !d.Given() {
		return nil
	}
	f := d.Value().InexactFloat64()
	return &f
}

// newRunner opens what executes strategies.
func (a *App) newRunner() *strategy.Runner {
	c := a.cfg.Strategy
	r := &strategy.Runner{Commands: map[string]command.Spec{}}
	var sources prices.First
	if c.Prices.Folder != "" {
		sources = append(sources, prices.NewFolder(c.Prices.Folder))
	}
	if !c.Prices.URL.IsZero() {
		a.prices = prices.NewHTTP(prices.HTTPOptions{
			URL: c.Prices.URL.Reveal(), Timeout: c.Prices.Timeout.Std(), Keep: c.Prices.CacheTime.Std(), Dir: c.Prices.CacheDir,
			UserAgent: "switchyard/" + a.opt.Version,
			Warn: func(err error) {
				a.log.Warn("prices could not be kept; the next process fetches them again", "err", err)
			},
		})
		sources = append(sources, a.prices)
	}
	if len(sources) > 0 {
		r.Real = sources
	}
	for _, x := range c.Commands {
		spec := command.Spec{
			Argv: x.Command, Dir: x.Dir, Environment: x.Variables(),
			Timeout: x.Timeout.Std(), CPU: x.CPU.Std(), Memory: int64(x.MemoryMiB) << 20,
		}
		if spec.Timeout == 0 {
			spec.Timeout = min(commandTimeout, c.Limit.Std())
		}
		if spec.CPU == 0 {
			spec.CPU = spec.Timeout
		}
		if spec.Memory == 0 {
			spec.Memory = commandMemoryMiB << 20
		}
		r.Commands[x.Name] = spec
	}
	return r
}
