package configs

import (
	"crypto/sha256"
	"os"
	"strings"
	"testing"
)

// Ensure every new key is another one, long enough not to be guessed, can be
// recognised, and is what its hash was made of.
func TestNewAPIKey(t *testing.T) {
	t.Parallel()
	a, hash := NewAPIKey()
	b, _ := NewAPIKey()
	if a.Equal(b) || len(a.Reveal()) < 4+43 || !strings.HasPrefix(a.Reveal(), "swk_") {
		t.Errorf("keys %q and %q", a.Reveal(), b.Reveal())
	}
	if hash != HashAPIKey(a.Reveal()) {
		t.Errorf("hash %s of another key", hash)
	}
	sum, ok := APIKey{Hash: hash}.Sum()
	if !ok || sum != sha256.Sum256([]byte(a.Reveal())) {
		t.Errorf("sum %x, %v", sum, ok)
	}
	for _, bad := range []string{"", "sha256:", a.Reveal(), strings.ToUpper(hash), hash + "0", " " + hash} {
		if _, ok := (APIKey{Hash: bad}).Sum(); ok {
			t.Errorf("%q is taken for a hash", bad)
		}
	}
}

// Ensure the example and the documentation explain each scope, and the list
// holds none twice.
func TestScopes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[Scope]bool{}
	for _, s := range Scopes() {
		if seen[s] || !s.Known() || !strings.Contains(string(Example), "#   "+string(s)+" ") || !strings.Contains(string(page), "\n| `"+string(s)+"` | ") {
			t.Errorf("%s is twice in the list, or not in the example, or not in docs/access.md", s)
		}
		seen[s] = true
	}
	if len(seen) != 20 || Scope("").Known() || Scope("*").Known() {
		t.Errorf("%d scopes", len(seen))
	}
}
