package tasks

import "encoding/json"

// Optional is a member that is either absent, null or a value: documents here
// tell the three apart. Use it with the tag option omitzero.
type Optional[T any] struct {
	present bool
	value   *T
}

// Some is a present member: null where v is nil.
func Some[T any](v *T) Optional[T] { return Optional[T]{present: true, value: v} }

// IsZero reports whether the member is absent.
func (o Optional[T]) IsZero() bool { return !o.present }

// MarshalJSON writes the value or null.
func (o Optional[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.value) }

// UnmarshalJSON reads the value or null.
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	o.present = true
	return json.Unmarshal(b, &o.value)
}
