package hilink

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorded returns the body of a recording; of one with an HTTP header (.http)
// what follows it.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(name) != ".http" {
		return b
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer resp.Body.Close()
	// Recordings lost their final line breaks: short of the length is fine.
	b, err = io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

// parsed decodes a recording that is an answer.
func parsed(t testing.TB, name string) answer {
	t.Helper()
	a, err := decode(recorded(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return a
}

// Ensure every recorded refusal becomes an Error with its code, in whatever
// order and form the firmware writes it.
func TestDecode_errors(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int{
		"100002.xml": 100002, "100002_message_first.xml": 100002, "100003_selfclosed.xml": 100003,
		"100005.xml": 100005, "108006_count.xml": 108006, "112003.xml": 112003, "125002.xml": 125002,
	} {
		_, err := decode(recorded(t, "errors/"+name))
		refusal, ok := errors.AsType[*Error](err)
		if !ok || refusal.Code != code || refusal.Message != "" {
			t.Errorf("%s: %v, want code %d and no message", name, err, code)
		}
	}
}

// Ensure a web page is told from an answer, the modem's own pages included.
func TestDecode_notHiLink(t *testing.T) {
	t.Parallel()
	bodies := map[string][]byte{
		"other device": recorded(t, "html/other_device.html"),
		"index":        recorded(t, "html/e3372h153_index.html"),
		"redirect":     recorded(t, "html/e8372h155_redirect.http"),
		"empty":        nil,
		"blank":        []byte(" \r\n"),
		"text":         []byte("404 page not found\n"),
		"json":         []byte(`{"error":"nope"}`),
		"other xml":    []byte(`<?xml version="1.0"?><root><code>1</code></root>`),
		"declaration":  []byte(`<?xml version="1.0"?>`),
		"binary":       {0x16, 0x03, 0x01, 0x02},
		"close tag":    []byte("</response>"),
	}
	for name, body := range bodies {
		if _, err := decode(body); !errors.Is(err, ErrNotHiLink) {
			t.Errorf("%s: %v, want ErrNotHiLink", name, err)
		}
	}
}

// Ensure an answer that breaks off is an error, but not taken for another
// device's.
func TestDecode_truncated(t *testing.T) {
	t.Parallel()
	whole := recorded(t, "signal/e8372h320_kr.xml")
	_, err := decode(whole[:len(whole)/2])
	if err == nil || errors.Is(err, ErrNotHiLink) {
		t.Errorf("half an answer: %v", err)
	}
}

// Ensure values are found whatever surrounds them.
func TestDecode_values(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		want       answer
	}{
		{"one line", `<response>OK</response>`, answer{text: "OK", fields: map[string]string{}}},
		{"line ends", "<response>\r\n<a>1</a>\r\n<b>\r\n2 </b>\r\n</response>\r\n", answer{fields: map[string]string{"a": "1", "b": "2"}}},
		{"BOM", "\xef\xbb\xbf<response><a>1</a></response>", answer{fields: map[string]string{"a": "1"}}},
		{"entities", `<response><a>10.0.3.1&#40;H192&#41; &#x2F;</a></response>`, answer{fields: map[string]string{"a": "10.0.3.1(H192) /"}}},
		{"entities twice", `<response><a>&amp;gt;=30dB</a></response>`, answer{fields: map[string]string{"a": ">=30dB"}}},
		{"bare ampersand", `<response><a>AT&T</a></response>`, answer{fields: map[string]string{"a": "AT&T"}}},
		{"CDATA", `<response><a><![CDATA[x<y]]></a></response>`, answer{fields: map[string]string{"a": "x<y"}}},
		{"first of two", `<response><a>1</a><a>2</a></response>`, answer{fields: map[string]string{"a": "1"}}},
		{"nested", `<response><a><b>1</b></a></response>`, answer{fields: map[string]string{"a": ""}}},
		{"other encoding declared", `<?xml version="1.0" encoding="GBK"?><response><a>1</a></response>`, answer{fields: map[string]string{"a": "1"}}},
		{"rubbish behind", `<response><a>1</a></response></html>`, answer{fields: map[string]string{"a": "1"}}},
	}
	for _, tt := range tests {
		got, err := decode([]byte(tt.body))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(answer{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Ensure the recorded answers that no call of ours reads can be read too.
func TestDecode_recorded(t *testing.T) {
	t.Parallel()
	if got := parsed(t, "status/sestokinfo_entities.xml").field("TokInfo"); got != "t5mTP6/m/Ts3JB1Lt+wIe" {
		t.Errorf("token %q", got)
	}
	if got := parsed(t, "status/plmn_e8372h320_kr.xml").field("Numeric"); got != "45005" {
		t.Errorf("network %q", got)
	}
	parsed(t, "status/net_mode_list_e3372.xml")
}

// Ensure requests are written as the modem's own pages write them, in order,
// and that no value can break out of its element.
func TestEncode(t *testing.T) {
	t.Parallel()
	got := string(encode(field{"NetworkMode", "00"}, field{"NetworkBand", "2000004400000"}, field{"LTEBand", "80800D5"}))
	want := `<?xml version="1.0" encoding="UTF-8"?><request><NetworkMode>00</NetworkMode>` +
		`<NetworkBand>2000004400000</NetworkBand><LTEBand>80800D5</LTEBand></request>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(encode(field{"a", "</a><b>&"})); !strings.Contains(got, "<a>&lt;/a&gt;&lt;b&gt;&amp;</a>") {
		t.Errorf("not escaped: %s", got)
	}
}
