package api

// WithPrincipal is how the access check says who is calling.
var WithPrincipal = withPrincipal
