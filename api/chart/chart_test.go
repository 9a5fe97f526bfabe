package chart_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"strings"
	"testing"
	"time"

	"switchyard/api/chart"
)

// curve is a result with a curve of n days.
func curve(n int, value func(i int) float64) json.RawMessage {
	var b strings.Builder
	b.WriteString(`{"strategy":"x","equity_curve":[`)
	day := time.Date(2019, 11, 5, 0, 0, 0, 0, time.UTC)
	for i := range n {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"date":%q,"value":%g}`, day.AddDate(0, 0, i).Format(time.DateOnly), value(i))
	}
	b.WriteString("]}")
	return json.RawMessage(b.String())
}

// Ensure any curve becomes a picture that its readers can read, with round values and
// dates at its axes.
func TestDraw(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		result json.RawMessage
		labels []string
	}{
		"years":     {curve(3000, func(i int) float64 { return 100_000 + float64(i)*50 }), []string{">2020<", ">2026<", ">100000<", ">120000<"}},
		"months":    {curve(200, func(i int) float64 { return 1 + float64(i)/1000 }), []string{">2020-01<", ">1.00<", ">1.20<"}},
		"two days":  {curve(2, func(i int) float64 { return 5 + float64(i) }), []string{">2019-11-05<", ">2019-11-06<"}},
		"flat":      {curve(50, func(int) float64 { return 10_000 }), []string{">9999.0<", ">10001.0<"}},
		"all lost":  {curve(50, func(i int) float64 { return float64(49 - i) }), []string{">0<", ">50<"}},
		"all zeros": {curve(50, func(int) float64 { return 0 }), []string{">0.0<"}},
		"hair":      {curve(50, func(i int) float64 { return 5e-324 * float64(i%2) }), []string{">0.0<"}},
		"huge":      {curve(50, func(i int) float64 { return 1e13 * float64(i) }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svg, err := chart.Draw(tt.result, "A & B <c>", chart.SVG)
			if err != nil {
				t.Fatal(err)
			}
			d := xml.NewDecoder(bytes.NewReader(svg))
			d.Strict = true
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("it is no XML: %v", err)
				}
			}
			for _, l := range tt.labels {
				if !bytes.Contains(svg, []byte(l)) {
					t.Errorf("it has no label %s", l)
				}
			}
			b, err := chart.Draw(tt.result, "x", chart.PNG)
			if err != nil {
				t.Fatal(err)
			}
			img, err := png.Decode(bytes.NewReader(b))
			if err != nil || img.Bounds().Dx() != 960 || img.Bounds().Dy() != 420 {
				t.Errorf("%v, %v", img, err)
			}
		})
	}
	if chart.SVG.ContentType() != "image/svg+xml" || chart.PNG.ContentType() != "image/png" {
		t.Error("the content types are wrong")
	}
}

// Ensure what is no curve is not drawn, whoever wrote it.
func TestDrawRefuses(t *testing.T) {
	t.Parallel()
	for _, result := range []string{
		``, `null`, `{}`, `[]`, `{"equity_curve":7}`, `{"equity_curve":[]}`, `{"equity_curve":[{"date":"2024-01-01","value":1}]}`,
		`{"equity_curve":[{"date":"2024-01-01","value":1},{"date":"2024-01-01","value":2}]}`,
		`{"equity_curve":[{"date":"2024-01-01","value":1},{"date":"yesterday","value":2}]}`,
		`{"equity_curve":[{"date":"2024-01-01","value":1},{"date":"2024-01-02"}]}`,
		`{"equity_curve":[{"date":"2024-01-01","value":1},{"date":"2024-01-02","value":1e300}]}`,
		string(curve(20_001, func(int) float64 { return 1 })),
	} {
		if b, err := chart.Draw(json.RawMessage(result), "x", chart.SVG); !errors.Is(err, chart.ErrNoCurve) || b != nil {
			t.Errorf("%.80s: %v", result, err)
		}
	}
}
