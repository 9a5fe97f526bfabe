package initrd

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Module is one kernel module.
type Module struct {
	// Name, with underscores.
	Name string
	// Image is the module as it is loaded, uncompressed.
	Image []byte
}

// Modules returns the modules of these names and all that they need, in the
// order in which they can be loaded. dir is the kernel's folder below
// /lib/modules. A name that is built into the kernel is passed over.
func Modules(dir string, names ...string) ([]Module, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if base, _, ok := strings.Cut(filepath.Base(p), ".ko"); ok && err == nil && !d.IsDir() {
			files[underscored(base)] = p
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for kernel modules: %w", err)
	}
	builtin, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("looking for what is built into the kernel: %w", err)
	}
	l := &loader{files: files, builtin: string(builtin)}
	for _, name := range names {
		if err := l.add(underscored(name)); err != nil {
			return nil, err
		}
	}
	return l.order, nil
}

// underscored is the one of the two spellings of a module's name that the
// kernel itself uses.
func underscored(name string) string { return strings.ReplaceAll(name, "-", "_") }

type loader struct {
	files   map[string]string
	builtin string
	order   []Module
}

// add appends what name needs, then name.
func (l *loader) add(name string) error {
	if slices.ContainsFunc(l.order, func(m Module) bool { return m.Name == name }) {
		return nil
	}
	file, ok := l.files[name]
	if !ok {
		for line := range strings.Lines(l.builtin) {
			if base, _, ok := strings.Cut(filepath.Base(line), ".ko"); ok && underscored(base) == name {
				return nil
			}
		}
		return fmt.Errorf("this kernel has no module %s", name)
	}
	image, err := readModule(file)
	if err != nil {
		return err
	}
	needs, err := dependencies(image)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, n := range needs {
		if err := l.add(underscored(n)); err != nil {
			return fmt.Errorf("%s needs: %w", name, err)
		}
	}
	l.order = append(l.order, Module{Name: name, Image: image})
	return nil
}

// readModule reads a module, which some distributions compress.
func readModule(file string) ([]byte, error) {
	unpack := map[string]string{".xz": "xz", ".zst": "zstd", ".gz": "gzip"}[filepath.Ext(file)]
	if unpack == "" {
		return os.ReadFile(file)
	}
	image, err := exec.Command(unpack, "-dc", file).Output() //nolint:noctx // a few milliseconds, on a file
	if err != nil {
		return nil, fmt.Errorf("unpacking %s by %s: %w", file, unpack, err)
	}
	return image, nil
}

// dependencies are what a module says that it needs.
func dependencies(image []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return nil, fmt.Errorf("reading a kernel module: %w", err)
	}
	s := f.Section(".modinfo")
	if s == nil {
		return nil, errors.New("a kernel module without .modinfo")
	}
	info, err := s.Data()
	if err != nil {
		return nil, fmt.Errorf("reading a kernel module: %w", err)
	}
	for field := range bytes.SplitSeq(info, []byte{0}) {
		if list, ok := bytes.CutPrefix(field, []byte("depends=")); ok && len(list) > 0 {
			return strings.Split(string(list), ","), nil
		}
	}
	return nil, nil
}
