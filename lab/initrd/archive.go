package initrd

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// Archive is a file system for the kernel to start with (cpio, "newc"). The
// zero value is empty and ready to use. Folders come into being with what is
// put into them.
type Archive struct {
	buf   bytes.Buffer
	there map[string]bool
	inode int
}

// Modes of the entries, as the kernel has them.
const (
	modeDir     = 0o040000
	modeFile    = 0o100000
	modeLink    = 0o120000
	modeConsole = 0o020000
)

// File adds a file with these contents. name is absolute.
func (a *Archive) File(name string, perm uint32, contents []byte) {
	a.above(name)
	a.entry(name, modeFile|perm, contents, 0, 0)
}

// Copy adds a file of this system under another name.
func (a *Archive) Copy(name string, perm uint32, from string) error {
	contents, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("packing %s: %w", name, err)
	}
	a.File(name, perm, contents)
	return nil
}

// Link adds a symbolic link.
func (a *Archive) Link(name, target string) {
	a.above(name)
	a.entry(name, modeLink|0o777, []byte(target), 0, 0)
}

// Dir adds a folder and those above it.
func (a *Archive) Dir(name string) {
	name = path.Clean(name)
	if name == "/" || a.there[name] {
		return
	}
	a.above(name)
	a.entry(name, modeDir|0o755, nil, 0, 0)
}

// Console adds the device that the first process writes to before it has
// mounted any.
func (a *Archive) Console() {
	a.above("/dev/console")
	a.entry("/dev/console", modeConsole|0o600, nil, 5, 1)
}

// WriteTo writes the whole archive.
func (a *Archive) WriteTo(w io.Writer) (int64, error) {
	end := Archive{}
	end.entry("/TRAILER!!!", 0, nil, 0, 0)
	n, err := w.Write(a.buf.Bytes())
	if err != nil {
		return int64(n), err
	}
	m, err := w.Write(end.buf.Bytes())
	return int64(n + m), err
}

func (a *Archive) above(name string) { a.Dir(path.Dir(name)) }

// entry writes one header with what follows it, each to a multiple of four
// bytes.
func (a *Archive) entry(name string, mode uint32, contents []byte, major, minor int) {
	if a.there == nil {
		a.there = map[string]bool{}
	}
	a.there[name] = true
	a.inode++
	name = strings.TrimPrefix(name, "/")
	// inode, mode, uid, gid, links, time, size, device (2), this device (2),
	// length of the name with its zero, checksum
	fmt.Fprintf(&a.buf, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		a.inode, mode, 0, 0, 1, 0, len(contents), 0, 0, major, minor, len(name)+1, 0)
	a.buf.WriteString(name + "\x00")
	a.pad()
	a.buf.Write(contents)
	a.pad()
}

func (a *Archive) pad() {
	for a.buf.Len()%4 != 0 {
		a.buf.WriteByte(0)
	}
}
