package configs

import (
	"reflect"

	"go.yaml.in/yaml/v3"
)

const noAliases = "aliases and anchors are not supported: write the value out, or put text that begins with * or & in quotes"

// node reads a YAML node into v. It never goes deeper than Config does, so the
// depth of a file costs nothing.
func (l *loader) node(n *yaml.Node, v reflect.Value, path string) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		l.faultAt(l.line(n.Line), path, noAliases)
		return false
	case n.Style&yaml.TaggedStyle != 0:
		l.faultAt(l.line(n.Line), path, "tags are not supported: put text that begins with ! in quotes")
		return false
	case isSection(v.Type()):
		return l.section(n, v, path)
	case v.Kind() == reflect.Slice:
		return l.list(n, v, path)
	case v.Kind() == reflect.Map:
		return l.table(n, v, path)
	default:
		return l.leaf(n, v, path)
	}
}

// section reads a mapping into a struct. One without keys is left as it is:
// that is what remains when all its keys are commented out.
func (l *loader) section(n *yaml.Node, v reflect.Value, path string) bool {
	known := fieldsOf(v.Type())
	return l.pairs(n, path, func(name string, at Origin, value *yaml.Node) {
		for _, k := range known {
			if k.name == name {
				l.origins.at[child(path, name)] = at
				l.node(value, v.FieldByIndex(k.index), child(path, name))
				return
			}
		}
		l.faultAt(at, child(path, name), "%s", unknownKey(name, known))
	}, "must be a section with keys, such as "+known[0].name)
}

// table reads a mapping into a map, over what the map holds already.
func (l *loader) table(n *yaml.Node, v reflect.Value, path string) bool {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	return l.pairs(n, path, func(name string, at Origin, value *yaml.Node) {
		l.origins.at[child(path, name)] = at
		element := reflect.New(v.Type().Elem()).Elem()
		if l.node(value, element, child(path, name)) {
			v.SetMapIndex(reflect.ValueOf(name), element)
		}
	}, "must be a map of names to values")
}

// pairs goes through the keys of a mapping.
func (l *loader) pairs(n *yaml.Node, path string, each func(string, Origin, *yaml.Node), otherwise string) bool {
	if isNull(n) {
		return true
	}
	if n.Kind != yaml.MappingNode {
		l.faultAt(l.line(n.Line), path, "%s", otherwise)
		return false
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		at := l.line(name.Line)
		switch first, twice := seen[name.Value]; {
		case name.Kind == yaml.AliasNode || name.Anchor != "" || name.Tag == "!!merge":
			l.faultAt(at, path, noAliases)
		case name.Kind != yaml.ScalarNode || name.Style&yaml.TaggedStyle != 0:
			l.faultAt(at, path, "a key must be plain text")
		case twice:
			l.faultAt(at, child(path, name.Value), "is given twice, first in line %d: keep one", first)
		default:
			seen[name.Value] = name.Line
			each(name.Value, at, value)
		}
	}
	return true
}

// list reads a sequence in place of what v holds. An element that is at fault
// keeps its place, so that the indexes in messages stay those of the file.
func (l *loader) list(n *yaml.Node, v reflect.Value, path string) bool {
	if isNull(n) {
		l.faultAt(l.line(n.Line), path, "has no value: list its elements, write [] for an empty list, or take the key out")
		return false
	}
	if n.Kind != yaml.SequenceNode {
		l.faultAt(l.line(n.Line), path, "must be a list: write [a, b], or one element a line with a dash")
		return false
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, element := range n.Content {
		l.origins.at[item(path, i)] = l.line(element.Line)
		l.node(element, out.Index(i), item(path, i))
	}
	v.Set(out)
	return true
}

// leaf reads one value.
func (l *loader) leaf(n *yaml.Node, v reflect.Value, path string) bool {
	problem := ""
	switch k := kindOf(v.Type()); {
	case n.Kind != yaml.ScalarNode:
		problem = k.want
	case isNull(n):
		problem = `has no value: give it one, write "" for none, or take the key out`
		if !k.text {
			problem = "has no value: give it one, or take the key out"
		}
	case !k.takes(n.Tag):
		problem = k.want
	case k.secret && l.overridden(path):
		return true // the environment's value counts; this one may not even be there
	default:
		problem = l.setText(v, n.Value)
	}
	if problem != "" {
		l.faultAt(l.line(n.Line), path, "%s", problem)
	}
	return problem == ""
}

func (l *loader) overridden(path string) bool { _, ok := l.overlay[path]; return ok }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
