package configs

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
)

const (
	// keyPrefix lets people, and programs that look for leaked credentials,
	// recognise a key.
	keyPrefix = "swk_"
	// tokenPrefix does the same for tokens of the trading webhook.
	tokenPrefix = "swt_"
	// keyBytes are enough for nobody to guess: a hash needs no salt then, and
	// need not be slow.
	keyBytes   = 32
	hashPrefix = "sha256:"
)

var hashForm = regexp.MustCompile(`^` + hashPrefix + `[0-9a-f]{64}$`)

// NewAPIKey makes an API key, of 256 random bits, and the hash that stands for
// it in the file.
func NewAPIKey() (key Secret, hash string) { return newKey(keyPrefix) }

func newKey(prefix string) (key Secret, hash string) {
	random := make([]byte, keyBytes)
	_, _ = rand.Read(random) // it never fails
	text := prefix + base64.RawURLEncoding.EncodeToString(random)
	return NewSecret(text), HashAPIKey(text)
}

// HashAPIKey returns what stands for a key in the file: sha256: and the hash of
// its text in hex.
func HashAPIKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hashPrefix + hex.EncodeToString(sum[:])
}

// Sum returns the hash as bytes; false for one that is none.
func (a APIKey) Sum() (sum [sha256.Size]byte, ok bool) {
	if !hashForm.MatchString(a.Hash) {
		return sum, false
	}
	_, err := hex.Decode(sum[:], []byte(strings.TrimPrefix(a.Hash, hashPrefix)))
	return sum, err == nil
}

// ValidKeyName reports whether an API key may be called so.
func ValidKeyName(name string) bool { return receiverName.MatchString(name) }
