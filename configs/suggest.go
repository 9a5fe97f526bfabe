package configs

import "strings"

// nearest returns the candidate that was most likely meant by word, or "" when
// none is close. Capitals, and dashes for underscores, count as no mistake.
func nearest(word string, candidates []string) string {
	best, bestDistance := "", -1
	w := foldKey(word)
	for _, candidate := range candidates {
		c := foldKey(candidate)
		d := distance(w, c)
		if d > max(1, max(len(w), len(c))/3) {
			// "address" for "addr" is far by letters and near by meaning.
			if len(w) < 3 || len(c) < 3 || !strings.HasPrefix(w, c) && !strings.HasPrefix(c, w) {
				continue
			}
		}
		if bestDistance < 0 || d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// unknownKey words the refusal of a key, from what its section knows and from
// where else the same key is at home.
func unknownKey(name string, known []key) string {
	if near := nearest(name, names(known)); near != "" {
		return "unknown key; did you mean " + near + "?"
	}
	for _, k := range allKeys {
		if k.name == foldKey(name) {
			return "unknown key here; did you mean " + k.path + "?"
		}
	}
	return "unknown key; known here are " + words(names(known), "and")
}

// words lists words as a sentence does: a, b or c.
func words(list []string, conjunction string) string {
	switch n := len(list); n {
	case 0:
		return ""
	case 1:
		return list[0]
	default:
		return strings.Join(list[:n-1], ", ") + " " + conjunction + " " + list[n-1]
	}
}

func foldKey(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

// maxCompared bounds the work on a name that can't be near anything: the
// longest variable has 40 letters.
const maxCompared = 100

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to make b of a.
func distance(a, b string) int {
	if len(a) > maxCompared || len(b) > maxCompared {
		return max(len(a), len(b))
	}
	before, previous := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(previous[j]+1, row[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, previous = previous, row
	}
	return previous[len(b)]
}
