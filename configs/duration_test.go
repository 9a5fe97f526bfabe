package configs

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// Ensure that durations are read with their unit, and printed as people write
// them.
func TestDuration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		want  time.Duration
		print string
	}{
		{"5s", 5 * time.Second, "5s"},
		{"1h30m", 90 * time.Minute, "1h30m"},
		{"120s", 2 * time.Minute, "2m"},
		{"168h", 168 * time.Hour, "168h"},
		{"1h0m5s", time.Hour + 5*time.Second, "1h0m5s"},
		{"10m0s", 10 * time.Minute, "10m"},
		{"500ms", 500 * time.Millisecond, "500ms"},
		{"0", 0, "0s"},
		{"0s", 0, "0s"},
		{"-5s", -5 * time.Second, "-5s"},
	} {
		d, err := ParseDuration(tt.text)
		if err != nil || d.Std() != tt.want || d.String() != tt.print {
			t.Errorf("%q: got %v (%v), prints %q, want %v, %q", tt.text, d.Std(), err, d, tt.want, tt.print)
		}
	}
}

// Ensure that what is no duration is refused with a word about what to write.
func TestDuration_Refused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"30":   `"30" has no unit: write 30s for seconds, 30m for minutes, 30ms for milliseconds`,
		"1.5":  `"1.5" has no unit`,
		"":     "is empty",
		"7d":   `"7d" is not a duration: write a number and its unit`,
		"soon": `"soon" is not a duration`,
	} {
		if _, err := ParseDuration(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// Ensure that a duration survives JSON and YAML, and that a plain number is
// refused there too.
func TestDuration_Encodings(t *testing.T) {
	t.Parallel()
	type doc struct {
		D Duration `json:"d" yaml:"d"`
	}
	in := doc{Duration(90 * time.Minute)}

	asJSON, err := json.Marshal(in)
	if err != nil || string(asJSON) != `{"d":"1h30m"}` {
		t.Errorf("JSON: %s, %v", asJSON, err)
	}
	asYAML, err := yaml.Marshal(in)
	if err != nil || string(asYAML) != "d: 1h30m\n" {
		t.Errorf("YAML: %s, %v", asYAML, err)
	}
	for _, text := range []string{`{"d":"1h30m"}`, `{"d":null,"d":"90m"}`} {
		var out doc
		if err := json.Unmarshal([]byte(text), &out); err != nil || out != in {
			t.Errorf("JSON %s: %v, %v", text, out, err)
		}
	}
	var out doc
	if err := yaml.Unmarshal(asYAML, &out); err != nil || out != in {
		t.Errorf("YAML: %v, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"d":0}`), &out); err != nil || out.D != 0 {
		t.Errorf("JSON 0: %v, %v", out, err)
	}
	for _, text := range []string{`{"d":30}`, `{"d":"30"}`, `{"d":true}`, `{"d":"\ud8"}`} {
		if err := json.Unmarshal([]byte(text), &out); err == nil {
			t.Errorf("JSON %s was taken", text)
		}
		if err := yaml.Unmarshal([]byte(text), &out); err == nil {
			t.Errorf("YAML %s was taken", text)
		}
	}
}
