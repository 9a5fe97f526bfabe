package configs

import (
	"reflect"
	"slices"
	"strings"
)

// The file, the environment and the suggestions all go by the struct tags of
// Config; this file reads them.

// key is one key of Config, at any depth above lists and maps.
type key struct {
	path  string
	name  string
	typ   reflect.Type
	index []int
}

// allKeys are Config's keys in its order, each section before what it holds.
var allKeys = keysOf(reflect.TypeFor[Config](), "", nil)

func keysOf(t reflect.Type, path string, index []int) []key {
	var out []key
	for _, f := range reflect.VisibleFields(t) {
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		k := key{path: child(path, name), name: name, typ: f.Type, index: slices.Concat(index, f.Index)}
		out = append(out, k)
		if k.section() {
			out = append(out, keysOf(k.typ, k.path, k.index)...)
		}
	}
	return out
}

// fieldsOf returns the keys of one struct, without what they hold.
func fieldsOf(t reflect.Type) []key {
	return slices.DeleteFunc(keysOf(t, "", nil), func(k key) bool { return len(k.index) > 1 })
}

func (k key) section() bool { return isSection(k.typ) }

// fileOnly reports whether the key can't be written as one line of text.
func (k key) fileOnly() bool {
	return k.typ.Kind() == reflect.Map || k.typ.Kind() == reflect.Slice && isSection(k.typ.Elem())
}

// variable is the key's name in the environment.
func (k key) variable() string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(k.path, ".", "_"))
}

// isSection tells the structs that hold keys from Secret, which is a value.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[Secret]() && t != reflect.TypeFor[Decimal]()
}

// names lists the names of keys.
func names(keys []key) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.name
	}
	return out
}
