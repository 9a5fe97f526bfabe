package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// row is one line of the outcome.
type row struct {
	what string
	ours string
	// against is the bound or peer with its figure, "" if there is none.
	against string
	ratio   string
	target  string
	verdict verdict
}

// verdict of a row.
type verdict string

const (
	pass verdict = "pass"
	fail verdict = "FAIL"
	none verdict = "" // the row has no target
)

// String is the row as a line.
func (r row) String() string {
	return strings.TrimRight(fmt.Sprintf("%-34s ours %-14s %-36s ratio %-7s target %-12s %s",
		r.what, r.ours, orDash(r.against), orDash(r.ratio), orDash(r.target), string(r.verdict)), " ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// atMost judges figures that are to be small.
func atMost[T cmp.Ordered](got, limit T) verdict {
	if got <= limit {
		return pass
	}
	return fail
}

// atLeast judges figures that are to be large.
func atLeast[T cmp.Ordered](got, limit T) verdict { return atMost(limit, got) }

// median of a list that isn't empty.
func median[T cmp.Ordered](list []T) T { return percentile(list, 50) }

// percentile of a list that isn't empty: the smallest figure that so many
// percent of all don't exceed.
func percentile[T cmp.Ordered](list []T, percent int) T {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

// medianRatio is the median of the rounds' own ratios.
func medianRatio[T ~int64 | ~float64](ours, peer []T) float64 {
	var out []float64
	for i := range ours {
		out = append(out, float64(ours[i])/float64(peer[i]))
	}
	return median(out)
}

func perSecond(f float64) string { return fmt.Sprintf("%.0f/s", f) }

func ratio(f float64) string { return fmt.Sprintf("%.2f", f) }

func millis(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms < 100 {
		return fmt.Sprintf("%.2f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

func micros(d time.Duration) string {
	return fmt.Sprintf("%.0f us", float64(d)/float64(time.Microsecond))
}

// rate is how many a second.
func rate(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }
