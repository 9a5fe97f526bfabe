// Package configs reads the configuration of a switchyard process: one YAML
// file, overlaid by SWITCHYARD_* environment variables, checked as a whole.
//
// # Use
//
//	cfg, err := configs.Load("/etc/switchyard/switchyard.yaml", os.Environ())
//	var faults configs.Errors
//	if errors.As(err, &faults) {
//		// one Fault for everything that is wrong, in the order of the file
//	}
//
// A path of "" takes the defaults and the environment alone. Example is the
// annotated sample file; it holds every key with its default.
//
// # What it promises
//
// Nothing is guessed and nothing is passed over. An unknown key, a key given
// twice, a value of the wrong type, a second document or an unknown
// SWITCHYARD_* variable is a fault, as is a value that a process could not run
// with. All faults are reported together, each with the file and line or the
// variable that it comes from, the key, and what to do about it. So a Config
// that Load has returned needs no further checks.
//
// Faults never quote what may hold a credential: secrets, URLs, addresses.
//
// # Keys and variables
//
// The environment takes a key's path in capitals, http.listen as
// SWITCHYARD_HTTP_LISTEN, and wins over the file. A list of plain values is
// separated by commas. Lists of sections and maps can be set in the file only.
// SWITCHYARD_CONFIG, SWITCHYARD_SERVER and SWITCHYARD_API_KEY, which are for the
// command line, are let pass, and so is a variable that a Secret refers to
// (env:SWITCHYARD_…).
//
// A list replaces its default. A map adds to its default, key by key. A
// section without any key is the same as no section. Anchors, aliases, merge
// keys and tags are refused: a configuration should read as it stands.
//
// # Concurrency
//
// A Config is not written to after Load, so it may be read from everywhere at
// once. Copies share their lists and maps.
package configs
