package configs

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// YAML prints the configuration as it is in effect: every key in its order,
// defaults filled in, secrets as [redacted]. Without secrets, what it prints
// can be loaded again.
func (c *Config) YAML() ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(c); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
