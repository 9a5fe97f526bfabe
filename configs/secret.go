package configs

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is printed in place of every secret.
const redacted = "[redacted]"

// Secret is a credential. It prints as [redacted] under every verb of fmt, in
// JSON, YAML, text and slog, and as nothing when it is empty. Only Reveal
// gives it away.
//
// In the file it is written as itself or, better, as a reference that Load
// follows: env:NAME (an environment variable), file:/path (a file; its
// trailing newline is dropped) or cred:name (a systemd credential, the file
// $CREDENTIALS_DIRECTORY/name).
type Secret struct {
	// value is behind a pointer because fmt can't call Format on the
	// unexported field of somebody else's struct: there it prints an address,
	// where a plain string would be shown. nil is the empty secret.
	value *string
}

// NewSecret returns s as a Secret, taken literally.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{value: &s}
}

// Reveal returns the credential itself. Hand it to what needs it and keep it
// nowhere.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.value == nil }

// Equal reports whether both are the same, in a time that depends neither on
// where they differ nor on how long they are.
func (s Secret) Equal(other Secret) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(other.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns [redacted], or "" for an empty secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// Format prints String under every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText writes String. JSON and YAML use it too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue gives String to slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
