package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// goodBodies are requests that nothing is wrong with, by operation: each fault
// is put into one of them, so that it is the only one.
var goodBodies = map[string]map[string]any{
	"toggle-proxy":     {"port": 10016},
	"push-host":        {},
	"execute-strategy": {"strategy_name": "BoldAssetAllocation", "parameters": map[string]any{"variant": "BAA-G4"}},
	"deploy":           {"project": "web", "branch": "main"},
	"cf-block":         {"ip": "192.0.2.44", "chat_id": -12345678},
	"cf-release":       {"ip": "192.0.2.44", "chat_id": -12345678},
	"cf-search":        {"ip": "192.0.2.44", "chat_id": -12345678},
	"telegram":         {"text": "test message", "chat_id": -12345678},
}

// goodValues are parameters that nothing is wrong with, by name. The job is one
// that isn't there: what asks for it may find no fault, and does nothing.
var goodValues = map[string]string{
	"id": "j_01k9zd3v5y8m1q2r3s4t5v6w7x", "subnet": "16", "host": "seoul-1", "chat_id": "1", "type": "toggle", "state": "running",
	"limit": "10", "server_ip": "198.51.100.7", "Idempotency-Key": "key",
}

// wrong is one faulty request to an operation.
type wrong struct {
	name        string
	path        string
	body        io.Reader
	contentType string
	header      [2]string
	want        int // the status; 0: any that is documented and refuses
}

// Ensure whatever can be wrong with an operation's input, as the API's own
// document describes it, is refused by a status that the document names, with
// the document that it shows for it, and leaves nothing behind.
func TestWrongInputIsRefusedAsDocumented(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	s := b.spec(t)
	before := b.keys(t)
	n := 0
	s.each(func(method, path string, op *operation) {
		for _, w := range s.wrongs(t, path, op) {
			n++
			t.Run(op.OperationID+"/"+w.name, func(t *testing.T) {
				header := []string{"Content-Type", w.contentType}
				if w.header[0] != "" {
					header = append(header, w.header[:]...)
				}
				a, err := b.try(method, w.path, w.body, header...)
				must(t, err)
				s.wantsDocumentedRefusal(t, op, a, w.want)
				if b.untouched(t, before); t.Failed() {
					before = b.keys(t) // blame this one only
				}
			})
		}
	})
	if n < 80 {
		t.Errorf("only %d faults: is the document read as it should be?", n)
	}
	t.Logf("%d faults", n)
	for id, body := range goodBodies {
		s.each(func(method, path string, op *operation) {
			if op.OperationID != id {
				return
			}
			doc, err := json.Marshal(body)
			must(t, err)
			if a := b.do(t, method, fill(path, "", ""), string(doc), "Content-Type", "application/json"); a.status >= 300 {
				t.Errorf("%s: the good request is refused: %d %s", id, a.status, a.body)
			}
		})
	}
}

// wantsDocumentedRefusal holds an answer to what the document says of its
// status.
func (s *spec) wantsDocumentedRefusal(t *testing.T, op *operation, a answer, want int) {
	t.Helper()
	if a.status < 400 || a.status >= 500 || want != 0 && a.status != want {
		t.Fatalf("answer %d %s; want %d", a.status, a.body, max(want, 400))
	}
	r, ok := op.Responses[fmt.Sprint(a.status)]
	if !ok {
		t.Fatalf("answer %d, which is not documented: %s", a.status, a.body)
	}
	mediaType := a.header.Get("Content-Type")
	if _, ok := r.Content[mediaType]; !ok {
		t.Errorf("answer %d is %s, which is not documented", a.status, mediaType)
	}
	a.leaksNothing(t)
	if mediaType == "application/json" {
		var e struct{ Error string }
		if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Error == "" {
			t.Errorf("answer %d %s tells no error (%v)", a.status, a.body, err)
		}
		return
	}
	var p problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || p.Code == "" || p.Detail == "" || p.Status != a.status {
		t.Errorf("answer %d %s is no problem document (%v)", a.status, a.body, err)
	}
}

// wrongs are the faults that the input of an operation can have.
func (s *spec) wrongs(t *testing.T, path string, op *operation) (all []wrong) {
	t.Helper()
	const asJSON = "application/json"
	if op.OperationID == "trading-webhook" {
		return nil // it takes any content type, answers in a form of its own, and logs what it refuses; see its own tests
	}
	good := goodBodies[op.OperationID]
	document := func(fields map[string]any) io.Reader {
		doc, err := json.Marshal(fields)
		must(t, err)
		return bytes.NewReader(doc)
	}
	for _, p := range op.Parameters {
		for name, value := range wrongValues(p) {
			w := wrong{name: p.In + " " + p.Name + " " + name, path: fill(path, "", ""), contentType: asJSON}
			if good != nil {
				w.body = document(good)
			}
			switch p.In {
			case "path":
				w.path = fill(path, p.Name, value)
			case "query":
				w.path += "?" + url.Values{p.Name: {value}}.Encode()
			case "header":
				w.header = [2]string{p.Name, value}
			}
			all = append(all, w)
		}
	}
	if strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/toggle") {
		all = append(all, wrong{name: "body over 1 MiB", path: fill(path, "", ""), contentType: asJSON, body: large(), want: 413})
	}
	if op.RequestBody == nil {
		return all
	}
	if good == nil {
		t.Errorf("%s has a body: put a good one into goodBodies", op.OperationID)
		return all
	}
	add := func(name string, want int, contentType string, body io.Reader) {
		all = append(all, wrong{name: "body " + name, path: fill(path, "", ""), contentType: contentType, body: body, want: want})
	}
	for name, text := range map[string]string{
		"none": ``, "cut off": `{"`, "no JSON": `a=b`, "null": `null`, "a list": `[]`, "text": `"a"`, "two": `{}{}`, "not UTF-8": "{\"\xff\":1}",
	} {
		if name != "none" || op.RequestBody.Required {
			add(name, 400, asJSON, strings.NewReader(text))
		}
	}
	for _, contentType := range []string{"text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/octet-stream"} {
		if _, taken := op.RequestBody.Content[contentType]; taken {
			add("JSON as "+contentType, 400, contentType, document(good))
			continue
		}
		add("as "+contentType, 415, contentType, document(good))
	}
	add("over 1 MiB of unknown length", 413, asJSON, io.MultiReader(large()))
	doc := s.resolve(op.RequestBody.Content[asJSON].Schema)
	for name, field := range doc.Properties {
		for what, value := range s.wrongFields(field) {
			fields := maps.Clone(good)
			fields[name] = value
			add(name+" "+what, 400, asJSON, document(fields))
		}
	}
	for _, name := range doc.Required {
		fields := maps.Clone(good)
		delete(fields, name)
		add("without "+name, 400, asJSON, document(fields))
	}
	for name, value := range good {
		fields := maps.Clone(good)
		fields[strings.ToUpper(name)] = value
		add("with "+name+" in capitals beside it", 400, asJSON, document(fields))
		delete(fields, name)
		add("with "+name+" in capitals", 400, asJSON, document(fields))
	}
	fields := maps.Clone(good)
	fields["a field that nobody knows"] = 1
	add("with an unknown field", 400, asJSON, document(fields))
	return all
}

func large() io.Reader {
	return strings.NewReader(`{"a":"` + strings.Repeat("a", 1<<20) + `"}`)
}

// fill puts values into the path's parameters: good ones, but for the one named.
func fill(path, name, value string) string {
	for n, v := range goodValues {
		if n == name {
			v = value
		}
		path = strings.ReplaceAll(path, "{"+n+"}", url.PathEscape(v))
	}
	return path
}

// wrongValues are what a parameter can't be.
func wrongValues(p parameter) map[string]string {
	x := p.Schema
	all := map[string]string{}
	if slices.Contains(x.Type, "integer") {
		all["of text"], all["with a fraction"], all["beyond int64"] = "abc", "1.5", "99999999999999999999"
	}
	if x.Minimum != nil {
		all["below"] = fmt.Sprintf("%.0f", *x.Minimum-1)
	}
	if x.Maximum != nil {
		all["above"] = fmt.Sprintf("%.0f", *x.Maximum+1)
	}
	if x.MaxLength != nil {
		all["too long"] = strings.Repeat("a", *x.MaxLength+1)
	}
	if x.Enum != nil {
		all["unknown"] = "nonsense"
	}
	return all
}

// wrongFields are what a member of a body can't be.
func (s *spec) wrongFields(x *schema) map[string]any {
	x = s.resolve(x)
	kinds := slices.Clone(x.Type)
	for _, one := range slices.Concat(x.OneOf, x.AnyOf) {
		kinds = append(kinds, s.resolve(one).Type...)
	}
	all := map[string]any{}
	for kind, value := range map[string]any{"boolean": true, "string": "a word", "number": 1.5, "array": []int{1}, "object": map[string]int{"a": 1}} {
		if len(kinds) > 0 && !slices.Contains(kinds, kind) && (kind != "string" || !slices.Contains(kinds, "string")) {
			all["of type "+kind] = value
		}
	}
	if slices.Contains(kinds, "integer") && !slices.Contains(kinds, "number") {
		all["beyond int64"], all["beyond a double's precision"] = json.Number("99999999999999999999"), json.Number("-9223372036854775809")
	}
	if x.Minimum != nil {
		all["below"] = *x.Minimum - 1
	}
	if x.Maximum != nil {
		all["above"] = *x.Maximum + 1
	}
	for _, one := range append(x.OneOf, x) {
		if one.MaxLength != nil {
			all["too long"] = strings.Repeat("1", *one.MaxLength+1)
		}
		if one.MinLength != nil && *one.MinLength > 0 {
			all["too short"] = ""
		}
		if one.Enum != nil {
			all["unknown"] = "nonsense"
		}
	}
	return all
}
