package configs

import (
	"reflect"
	"slices"
	"testing"

	"github.com/shopspring/decimal"
)

// Ensure every key that differs is named, secrets and lists among them, and
// none that is merely written in another way.
func TestDiff(t *testing.T) {
	t.Parallel()
	a := accepted(t, "http: {allowed_origins: [], listen: ['127.0.0.1:1']}\nredis: {password: a}\nlog: {level: info}")
	b := accepted(t, "callbacks: {secrets: {}}\nredis: {password: a}\nhttp: {listen: ['127.0.0.1:1']}")
	if got := Diff(a, b); len(got) != 0 {
		t.Errorf("%q differ", got)
	}
	c := accepted(t, "auth: {keys: [{name: a, hash: "+hashed+", scopes: [admin]}]}\nhttp: {listen: ['127.0.0.1:2'], rate_limit: {burst: 7}}\n"+
		"redis: {password: b}\nworker: {concurrency: {delivery: 1}}\ncallbacks: {secrets: {example.com: "+signing+"}}")
	want := []string{"redis.password", "http.listen", "http.rate_limit.burst", "auth.keys", "worker.concurrency", "callbacks.secrets"}
	if got := Diff(a, c); !slices.Equal(got, want) {
		t.Errorf("%q differ, want %q", got, want)
	}
}

// Ensure no key is passed over: a change of each shows.
func TestDiff_Complete(t *testing.T) {
	t.Parallel()
	for _, k := range allKeys {
		if k.section() {
			continue
		}
		a := Default()
		v := reflect.ValueOf(a).Elem().FieldByIndex(k.index)
		switch {
		case v.Kind() == reflect.Slice:
			v.Set(reflect.MakeSlice(k.typ, 31, 31))
		case v.Kind() == reflect.Map:
			v.Set(reflect.MakeMap(k.typ))
			v.SetMapIndex(reflect.ValueOf("x"), reflect.Zero(k.typ.Elem()))
		case k.typ == reflect.TypeFor[Secret]():
			v.Set(reflect.ValueOf(NewSecret("x")))
		case k.typ == reflect.TypeFor[Decimal]():
			v.Set(reflect.ValueOf(DecimalOf(decimal.NewFromInt(77))))
		case v.Kind() == reflect.String:
			v.SetString("x")
		case v.Kind() == reflect.Bool:
			v.SetBool(!v.Bool())
		default:
			v.SetInt(v.Int() + 1)
		}
		if got := Diff(Default(), a); !slices.Equal(got, []string{k.path}) {
			t.Errorf("%s: %q differ", k.path, got)
		}
	}
}
