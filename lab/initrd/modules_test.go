package initrd_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"switchyard/lab/initrd"
)

// What a module needs comes before it, once, whatever dashes its name is spelt
// with; what is built in is passed over, and what is missing is named.
func TestModulesComeInOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, depends := range map[string]string{
		"cdc_ether": "usbcore,usbnet", "usbnet": "usbcore,mii", "usbcore": "", "mii": "", "xhci-pci": "usbcore", "broken": "nowhere",
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".ko"), module("license=GPL\x00depends="+depends+"\x00"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "modules.builtin"), []byte("kernel/net/packet/af_packet.ko\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := initrd.Modules(dir, "cdc-ether", "af_packet", "xhci_pci")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		got = append(got, m.Name)
	}
	if want := []string{"usbcore", "mii", "usbnet", "cdc_ether", "xhci_pci"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := initrd.Modules(dir, "broken"); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a module whose need is missing: error %v", err)
	}
}

// module is the least that is an ELF file with a section .modinfo.
func module(info string) []byte {
	const header = 64
	names := "\x00.modinfo\x00.shstrtab\x00"
	le := binary.LittleEndian
	h := make([]byte, header)
	copy(h, "\x7fELF\x02\x01\x01")
	le.PutUint16(h[16:], 1)  // relocatable
	le.PutUint16(h[18:], 62) // x86-64
	le.PutUint32(h[20:], 1)
	le.PutUint64(h[40:], uint64(header+len(info)+len(names)))
	le.PutUint16(h[52:], header)
	le.PutUint16(h[58:], header) // of a section
	le.PutUint16(h[60:], 3)
	le.PutUint16(h[62:], 2)
	section := func(name, kind uint32, at, size int) []byte {
		s := make([]byte, header)
		le.PutUint32(s, name)
		le.PutUint32(s[4:], kind)
		le.PutUint64(s[24:], uint64(at))
		le.PutUint64(s[32:], uint64(size))
		return s
	}
	return slices.Concat(h, []byte(info+names), section(0, 0, 0, 0),
		section(1, 1, header, len(info)), section(10, 3, header+len(info), len(names)))
}
