package initrd_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"switchyard/lab/initrd"
)

// The archive has each folder once and before what is in it, every entry with
// its contents where the kernel looks for them, and an end.
func TestArchiveIsInOrder(t *testing.T) {
	t.Parallel()
	var a initrd.Archive
	a.Console()
	a.Dir("/proc")
	a.File("/lab/modules/00-x", 0o644, []byte("12345"))
	a.File("/lab/lease", 0o755, nil)
	a.Link("/bin/sh", "busybox")
	var b bytes.Buffer
	if _, err := a.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	got, err := entries(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"dev 40755 ", "dev/console 20600 ", "proc 40755 ", "lab 40755 ", "lab/modules 40755 ",
		"lab/modules/00-x 100644 12345", "lab/lease 100755 ", "bin 40755 ", "bin/sh 120777 busybox", "TRAILER!!! 0 ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// entries reads an archive as the kernel does: "name mode contents" of each.
func entries(b []byte) (all []string, err error) {
	const header = 110
	at := 0
	aligned := func(n int) int { return (n + 3) &^ 3 }
	for at < len(b) {
		if len(b) < at+header || string(b[at:at+6]) != "070701" {
			return all, fmt.Errorf("no entry at %d", at)
		}
		field := func(i int) int {
			n, fieldErr := strconv.ParseInt(string(b[at+6+8*i:at+14+8*i]), 16, 64)
			if fieldErr != nil {
				err = fieldErr
			}
			return int(n)
		}
		mode, size, name := field(1), field(6), field(11)
		if err != nil {
			return all, err
		}
		data := aligned(at + header + name)
		all = append(all, fmt.Sprintf("%s %o %s", b[at+header:at+header+name-1], mode, b[data:data+size]))
		at = aligned(data + size)
	}
	return all, nil
}
