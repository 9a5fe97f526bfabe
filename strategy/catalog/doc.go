// Package catalog knows which strategies there are: their names and versions, and
// their parameters with types, defaults and allowed values. It reads what a request
// sends for them, and fills in what it leaves out.
//
// It does no I/O and executes nothing, so the API may ask it: what is unknown, or of
// the wrong type, is refused at once (ParameterError), while a value that can't be
// used (an unknown variant) is accepted and told as the reason why the execution
// failed (Reading.Fault), as its clients expect.
package catalog
