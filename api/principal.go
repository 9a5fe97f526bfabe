package api

import "context"

type principalKey struct{}

// withPrincipal notes who is calling.
func withPrincipal(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, principalKey{}, name)
}

// principal is who is calling, as the access check found: a key's name, or the
// network that let the caller in. Empty where nobody was asked.
func principal(ctx context.Context) string {
	name, _ := ctx.Value(principalKey{}).(string)
	return name
}
