package crossover

import "math"

// averages of each day's last n closes, NaN where there are fewer. The exponential one
// begins with the simple one, and weighs the newest close by 2/(n+1).
func averages(closes []float64, n int, exponential bool) []float64 {
	out := make([]float64, len(closes))
	for i := range closes {
		switch {
		case i < n-1:
			out[i] = math.NaN()
		case exponential && i > n-1:
			a := 2 / float64(n+1)
			out[i] = a*closes[i] + (1-a)*out[i-1]
		default:
			// Summed anew each day: a running sum would drift, and equal averages would
			// seem to cross.
			sum := 0.0
			for _, c := range closes[i-n+1 : i+1] {
				sum += c
			}
			out[i] = sum / float64(n)
		}
	}
	return out
}

// crossed reports whether a has just crossed above b.
func crossed(a, b []float64, i int) bool { return a[i-1] < b[i-1] && a[i] > b[i] }
