package configs

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// variablePrefix begins every variable of the overlay.
const variablePrefix = "SWITCHYARD_"

// passed are variables with the prefix that stand for no key. They are for the
// command line: the path of the file, the server to talk to and the API key.
var passed = map[string]bool{variablePrefix + "CONFIG": true, variablePrefix + "SERVER": true, variablePrefix + "API_KEY": true}

// variables makes a map of an environment. As in a process, the last one of a
// name counts.
func variables(environ []string) map[string]string {
	out := make(map[string]string, len(environ))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			out[name] = value
		}
	}
	return out
}

// readEnvironment lays the overlay over the configuration, and then refuses
// the variables that nothing has asked for.
func (l *loader) readEnvironment(config reflect.Value) {
	taken := map[string]bool{}
	for _, k := range allKeys {
		text, ok := l.overlay[k.path]
		if !ok {
			continue
		}
		taken[k.variable()] = true
		l.origins.override(k.path, k.variable())
		v := config.FieldByIndex(k.index)
		if v.Kind() == reflect.Slice {
			l.readList(v, k.path, text)
		} else if problem := l.setText(v, text); problem != "" {
			l.fault(k.path, "%s", problem)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.environ)) {
		if strings.HasPrefix(name, variablePrefix) && !taken[name] && !passed[name] && !l.referred[name] {
			l.refuse(name)
		}
	}
}

// readList reads values separated by commas. No text is an empty list.
func (l *loader) readList(v reflect.Value, path, text string) {
	var parts []string
	if strings.TrimSpace(text) != "" {
		parts = strings.Split(text, ",")
	}
	out := reflect.MakeSlice(v.Type(), len(parts), len(parts))
	for i, part := range parts {
		part = strings.TrimSpace(part)
		problem := "is empty: take out the comma that is too many"
		if part != "" {
			problem = l.setText(out.Index(i), part)
		}
		if problem != "" {
			l.fault(item(path, i), "%s", problem)
		}
	}
	v.Set(out)
}

// refuse says why a variable can't be used.
func (l *loader) refuse(name string) {
	at := Origin{Variable: name}
	for _, k := range allKeys {
		switch variable := k.variable(); {
		case k.fileOnly() && (name == variable || strings.HasPrefix(name, variable+"_")):
			l.faultAt(at, k.path, "can be set only in the file: take the variable out")
			return
		case k.section() && name == variable:
			l.faultAt(at, k.path, "is a section: set its keys one by one, such as %s", keysOf(k.typ, k.path, nil)[0].variable())
			return
		}
	}
	l.faultAt(at, "", "%s", unknownVariable(name))
}

// unknownVariable words the refusal of a variable that stands for no key.
func unknownVariable(name string) string {
	rest := strings.TrimPrefix(name, variablePrefix)
	var variables []string // without the prefix, which would make all look alike
	for _, k := range allKeys {
		if !k.section() && !k.fileOnly() {
			variables = append(variables, strings.TrimPrefix(k.variable(), variablePrefix))
		}
	}
	near := nearest(rest, variables)
	if i := slices.IndexFunc(variables, func(v string) bool { return strings.HasSuffix(v, "_"+rest) }); near == "" && i >= 0 {
		near = variables[i]
	}
	if near != "" {
		return "unknown variable; did you mean " + variablePrefix + near + "?"
	}
	for _, k := range allKeys {
		if k.section() && strings.HasPrefix(name, k.variable()+"_") {
			return "unknown variable; the keys of " + k.path + " are " + words(names(fieldsOf(k.typ)), "and")
		}
	}
	return "unknown variable; one is named after the path of a key, as " + variablePrefix + "HTTP_LISTEN for http.listen: take it out"
}
