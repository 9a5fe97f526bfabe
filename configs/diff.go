package configs

import "reflect"

// Diff returns the keys whose values differ between two configurations, in the
// order of Config: a list or a map as a whole, by its own key.
func Diff(a, b *Config) []string {
	va, vb := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	var out []string
	for _, k := range allKeys {
		if !k.section() && !same(va.FieldByIndex(k.index), vb.FieldByIndex(k.index)) {
			out = append(out, k.path)
		}
	}
	return out
}

// same takes an empty list for the same as none.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Slice, reflect.Map:
		if a.Len() == 0 && b.Len() == 0 {
			return true
		}
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
