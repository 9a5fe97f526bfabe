package configs

import _ "embed"

// Example is the annotated sample file: every key in its order, with meaning,
// unit, special values and default. It loads as it is and gives the defaults.
//
//go:embed switchyard.example.yaml
var Example []byte
