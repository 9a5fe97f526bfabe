package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"
)

// The infra API takes its parameters where the client likes to put them: in the
// query, in a form, or in a JSON document. What reads them sees no difference.

// parameter is one value as it was given.
type parameter struct {
	text string
	// number: it is a JSON number, in the client's own digits.
	number bool
	// odd: it is JSON, and neither text nor number.
	odd bool
}

// parameters reads those of a request, each of which may stand in one place
// only. Those that are not known are refused, as are documents of a kind that
// can't hold any.
func parameters(r *http.Request, known ...string) (map[string]parameter, *Problem) {
	out := map[string]parameter{}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, problem(http.StatusBadRequest, "invalid_query", "", "The query of the address is not valid: it is not encoded as it has to be.")
	}
	if p := add(out, query, known, "unknown_parameter", "parameter"); p != nil {
		return nil, p
	}
	body, err := io.ReadAll(r.Body)
	if p := unread(err); p != nil {
		return nil, p
	}
	if len(body) == 0 {
		return out, nil
	}
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "application/x-www-form-urlencoded":
		if json.Valid(body) && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) { // as curl -d sends it
			return nil, problem(http.StatusBadRequest, "invalid_body", "", "The body is JSON, and is said to be a form. Send it as application/json (Content-Type).")
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, problem(http.StatusBadRequest, "invalid_body", "", "The body is not valid: it is not encoded as a form has to be.")
		}
		return out, add(out, form, known, "unknown_field", "field")
	case "application/json":
		return out, addJSON(out, body, known)
	}
	return nil, problem(http.StatusUnsupportedMediaType, "unsupported_media_type", "",
		"The body has to be JSON, as application/json, or a form, as application/x-www-form-urlencoded.")
}

// add takes up the values of a query or form. The first fault by name is told,
// so that a request always gets the same answer.
func add(to map[string]parameter, values url.Values, known []string, unknown, what string) *Problem {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		_, before := to[name]
		switch {
		case !slices.Contains(known, name):
			return problem(http.StatusBadRequest, unknown, shown(name), "There is no "+what+" "+shown(name)+".")
		case before || len(values[name]) != 1:
			return twice(name)
		}
		to[name] = parameter{text: values.Get(name)}
	}
	return nil
}

// shown is a name as an answer repeats it: that of a field is a client's to
// choose.
func shown(name string) string {
	const most = 64
	if !utf8.ValidString(name) || len(name) > most {
		return "of this name"
	}
	return name
}

func twice(name string) *Problem {
	return problem(http.StatusBadRequest, "duplicate_field", name, name+" is given more than once: in the query, the body, or twice in one of them.")
}

// errNoDocument is what a body is that can't hold parameters.
var errNoDocument = errors.New("it is no JSON document with fields")

// addJSON takes up the members of a document.
func addJSON(to map[string]parameter, body []byte, known []string) *Problem {
	invalid := func(err error) *Problem {
		return problem(http.StatusBadRequest, "invalid_body", "", "The body is not valid: "+err.Error()+".")
	}
	if !utf8.Valid(body) {
		return invalid(errors.New("it is not UTF-8"))
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return invalid(errNoDocument)
	}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return invalid(errNoDocument)
		}
		if !slices.Contains(known, name) {
			return problem(http.StatusBadRequest, "unknown_field", shown(name), "There is no field "+shown(name)+".")
		}
		if _, before := to[name]; before {
			return twice(name)
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return invalid(errNoDocument)
		}
		switch v := value.(type) {
		case nil:
			to[name] = parameter{} // as if it were empty
		case string:
			to[name] = parameter{text: v}
		case json.Number:
			to[name] = parameter{text: v.String(), number: true}
		default:
			to[name] = parameter{odd: true}
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return invalid(errNoDocument)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid(fmt.Errorf("there is something behind the document"))
	}
	return nil
}
