package configs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// maxSecret bounds the file of a secret; a private key has about 3 KiB.
const maxSecret = 64 << 10

var (
	variableName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	credentialName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
)

// resolve makes a Secret of what stands in the file or in a variable, and
// follows it when it is a reference. The problem that it returns names at most
// what the reference points to: a password may begin with "env:" too.
func (l *loader) resolve(text string) (_ Secret, problem string) {
	how, what, found := strings.Cut(text, ":")
	switch {
	case found && how == "env":
		if !variableName.MatchString(what) {
			return Secret{}, "env: must be followed by the name of a variable, as in env:REDIS_PASSWORD"
		}
		l.referred[what] = true
		value, ok := l.environ[what]
		if !ok {
			return Secret{}, "the environment variable " + what + " is not set: set it, or take the key out"
		}
		return nonEmpty(value, "the environment variable "+what)
	case found && how == "file":
		if !filepath.IsAbs(what) {
			return Secret{}, "file: must be followed by a path from the root, as in file:/etc/switchyard/password"
		}
		return fromFile(what, "the file "+what)
	case found && how == "cred":
		if !credentialName.MatchString(what) {
			return Secret{}, "cred: must be followed by the name of a credential, as in cred:redis-password"
		}
		dir := l.environ["CREDENTIALS_DIRECTORY"]
		if dir == "" {
			return Secret{}, "there are no systemd credentials here ($CREDENTIALS_DIRECTORY is not set): give the unit LoadCredential=" +
				what + ":…, or use file: or env:"
		}
		return fromFile(filepath.Join(dir, what), "the systemd credential "+what)
	case text == redacted:
		return Secret{}, "is what a printed configuration shows in place of a secret: write the secret itself, or env:, file: or cred:"
	case strings.ContainsAny(text, "\r\n"):
		return Secret{}, "must be one line: use > in place of |, or quotes"
	default:
		return NewSecret(text), ""
	}
}

func fromFile(path, what string) (Secret, string) {
	info, err := os.Stat(path)
	if err != nil {
		return Secret{}, what + ": " + unreadable(err).Error()
	}
	// A pipe would hold up the start for good.
	if !info.Mode().IsRegular() {
		return Secret{}, what + " is not a regular file"
	}
	if info.Size() > maxSecret {
		return Secret{}, what + " is larger than 64 KiB: is it a secret?"
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Secret{}, what + ": " + unreadable(err).Error()
	}
	return nonEmpty(strings.TrimRight(string(data), "\r\n"), what)
}

// nonEmpty refuses a reference to nothing: whoever wrote it meant a secret,
// and going on without one would be silently insecure.
func nonEmpty(value, what string) (Secret, string) {
	if value == "" {
		return Secret{}, what + " is empty: put the secret there, or take the key out"
	}
	return NewSecret(value), ""
}
