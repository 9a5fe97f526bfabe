package configs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
)

// maxFile bounds the file, so that a wrong path (a disk image, /dev/zero)
// ends in a message.
const maxFile = 1 << 20

// Load reads the file at path, lays the SWITCHYARD_* variables of environ over
// it, follows the references of secrets, and checks the whole. A path of ""
// takes the defaults in place of a file. environ is written as os.Environ
// returns it; nothing else is read from the process' environment.
//
// The error is an Errors with everything that is wrong. The Config is nil then.
func Load(path string, environ []string) (*Config, error) {
	if path == "" {
		return load("", nil, environ)
	}
	data, err := readFile(path)
	if err != nil {
		return nil, Errors{{Origin: Origin{File: path}, Message: err.Error()}}
	}
	return load(path, data, environ)
}

// load is Load with the file already read.
func load(name string, data []byte, environ []string) (*Config, error) {
	root, fault := parseYAML(name, data)
	if fault != nil {
		// Whatever else could be said would be about a file that was not read.
		return nil, Errors{*fault}
	}
	c := Default()
	l := newLoader(name, environ)
	c.origins = l.origins
	v := reflect.ValueOf(c).Elem()
	if root != nil {
		l.node(root, v, "")
	}
	l.readEnvironment(v)

	if faults := slices.Concat(l.faults, c.check(l.faults)); len(faults) > 0 {
		return nil, faults.sorted()
	}
	return c, nil
}

// loader is one run of Load.
type loader struct {
	origins *origins
	faults  Errors
	// environ are all variables, for references.
	environ map[string]string
	// overlay holds those that stand for a key, by the key's path.
	overlay map[string]string
	// referred are the variables that secrets name (env:NAME).
	referred map[string]bool
}

func newLoader(file string, environ []string) *loader {
	l := &loader{
		origins:  &origins{file: file, at: map[string]Origin{}},
		environ:  variables(environ),
		overlay:  map[string]string{},
		referred: map[string]bool{},
	}
	for _, k := range allKeys {
		if value, ok := l.environ[k.variable()]; ok && !k.section() && !k.fileOnly() {
			l.overlay[k.path] = value
		}
	}
	return l
}

// fault notes what is wrong with the value under key, at the place where it
// was set.
func (l *loader) fault(key, format string, args ...any) {
	l.faultAt(l.origins.near(key), key, format, args...)
}

func (l *loader) faultAt(at Origin, key, format string, args ...any) {
	l.faults = append(l.faults, Fault{Origin: at, Key: key, Message: fmt.Sprintf(format, args...)})
}

// line is a place in the file.
func (l *loader) line(n int) Origin { return Origin{File: l.origins.file, Line: n} }

// readFile returns the bytes of a file, or an error in words that leaves out
// its name.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if len(data) > maxFile {
		return nil, errors.New("is larger than 1 MiB: is this the configuration?")
	}
	return data, nil
}

// unreadable words an error of the file system.
func unreadable(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file: check the path")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("may not be read by this user: check its owner and mode")
	default:
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return fmt.Errorf("can't be read: %w", err)
	}
}
