// Package chart draws the curve of an execution's result, as SVG or as PNG. It knows
// of results only that a strategy that has a curve tells it as equity_curve, a list of
// dates and values; what has none can't be drawn.
package chart

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"time"

	gochart "github.com/wcharczuk/go-chart/v2"
	"github.com/wcharczuk/go-chart/v2/drawing"
)

// Format of a picture.
type Format string

// The formats.
const (
	SVG Format = "svg"
	PNG Format = "png"
)

// ContentType of the format.
func (f Format) ContentType() string {
	if f == PNG {
		return gochart.ContentTypePNG
	}
	return "image/svg+xml"
}

// ErrNoCurve: the result has none, or one of less than two points.
var ErrNoCurve = errors.New("the result has no equity_curve of dates and values")

const (
	width  = 960
	height = 420
	// maxPoints is more than any result of ours has; one of somebody else's program
	// could have more than a picture can show.
	maxPoints = 20_000
	// maxValue is beyond what is worth a label.
	maxValue = 1e15
	// minRange is the least difference that is drawn. Far below it there is no number
	// left for the distance of two ticks.
	minRange = 1e-12
)

var line = drawing.Color{R: 0x1f, G: 0x6f, B: 0xb4, A: 0xff}

// Draw draws the curve of a result under a title. Error: ErrNoCurve.
func Draw(result json.RawMessage, title string, f Format) ([]byte, error) {
	days, values, err := curve(result)
	if err != nil {
		return nil, err
	}
	c := gochart.Chart{
		Title: title, Width: width, Height: height,
		TitleStyle: gochart.Style{FontSize: 12},
		Background: gochart.Style{Padding: gochart.Box{Top: 40, Left: 20, Right: 20, Bottom: 10}},
		XAxis:      gochart.XAxis{Ticks: dates(days[0], days[len(days)-1])},
		YAxis:      amounts(values), YAxisSecondary: gochart.HideYAxis(),
		Series: []gochart.Series{gochart.TimeSeries{
			XValues: days, YValues: values,
			Style: gochart.Style{StrokeColor: line, StrokeWidth: 1.5, FillColor: line.WithAlpha(0x20)},
		}},
	}
	provider := gochart.SVG
	if f == PNG {
		provider = gochart.PNG
	} else {
		c.Title = html.EscapeString(title) // the library writes it as it stands
	}
	var out bytes.Buffer
	if err := c.Render(provider, &out); err != nil {
		return nil, fmt.Errorf("drawing the curve: %w", err)
	}
	return out.Bytes(), nil
}

// mostTicks is how many fit on an axis.
const mostTicks = 10

// dates are the ticks of the x axis: beginnings of years or of months, as far apart as
// fits, or the first and the last day where there are too few of those.
func dates(first, last time.Time) []gochart.Tick {
	tick := func(t time.Time, layout string) gochart.Tick {
		return gochart.Tick{Value: gochart.TimeToFloat64(t), Label: t.Format(layout)}
	}
	for _, months := range []int{1, 3, 6, 12, 24, 60, 120, 240} {
		layout := "2006-01"
		if months >= 12 {
			layout = "2006"
		}
		var out []gochart.Tick
		for t := time.Date(first.Year()/20*20, time.January, 1, 0, 0, 0, 0, time.UTC); !t.After(last); t = t.AddDate(0, months, 0) {
			if !t.Before(first) {
				out = append(out, tick(t, layout))
			}
		}
		if len(out) <= mostTicks {
			if len(out) < 2 {
				break
			}
			return out
		}
	}
	return []gochart.Tick{tick(first, time.DateOnly), tick(last, time.DateOnly)}
}

// amounts is the y axis: ticks at round values that enclose all values.
func amounts(values []float64) gochart.YAxis {
	low, high := slices.Min(values), slices.Max(values)
	if high-low < 1e-9*math.Abs(high) || high-low < minRange {
		low, high = low-1, high+1
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/mostTicks)))
	for _, by := range []float64{2, 2.5, 2} { // 1, 2, 5, 10
		if (high-low)/step <= mostTicks-2 {
			break
		}
		step *= by
	}
	var ticks []gochart.Tick
	for n := math.Floor(low / step); ; n++ {
		ticks = append(ticks, gochart.Tick{Value: n * step, Label: strconv.FormatFloat(n*step, 'f', max(0, -int(math.Floor(math.Log10(step)))), 64)})
		if n*step >= high {
			break
		}
	}
	return gochart.YAxis{Ticks: ticks, Range: &gochart.ContinuousRange{Min: ticks[0].Value, Max: ticks[len(ticks)-1].Value}}
}

func curve(result json.RawMessage) (days []time.Time, values []float64, err error) {
	var r struct {
		Curve []struct {
			Date  string   `json:"date"`
			Value *float64 `json:"value"`
		} `json:"equity_curve"`
	}
	if json.Unmarshal(result, &r) != nil || len(r.Curve) < 2 || len(r.Curve) > maxPoints {
		return nil, nil, ErrNoCurve
	}
	for i, p := range r.Curve {
		day, err := time.Parse(time.DateOnly, p.Date)
		if err != nil || p.Value == nil || math.Abs(*p.Value) > maxValue || i > 0 && !day.After(days[i-1]) {
			return nil, nil, ErrNoCurve
		}
		days, values = append(days, day), append(values, *p.Value)
	}
	return days, values, nil
}
