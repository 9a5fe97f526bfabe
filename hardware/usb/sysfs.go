package usb

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxAttribute is more than any file in sysfs holds that is read here: sysfs has at
// most a page for each.
const maxAttribute = 4096

// readAttribute reads a file of sysfs, without the line's end.
func readAttribute(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxAttribute))
	if err != nil {
		return "", err
	}
	return string(bytes.TrimRight(text, "\n\x00")), nil
}

// writeFile writes to a file of sysfs, which has to be there.
func writeFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// readNumber reads an attribute that is a number in a base, of so many bits.
func readNumber(path string, base, bits int) (int, error) {
	text, err := readAttribute(path)
	if err != nil {
		return 0, err
	}
	n, err := parseNumber(text, base, bits)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

func parseNumber(text string, base, bits int) (int, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), base, bits)
	if err != nil {
		return 0, fmt.Errorf("%.40q is no number", text)
	}
	return int(n), nil
}

// parseVersion reads a version of USB: " 2.00" is 0x0200.
func parseVersion(text string) (int, error) {
	major, minor, ok := strings.Cut(strings.TrimSpace(text), ".")
	if !ok || len(minor) != 2 {
		return 0, fmt.Errorf("%.40q is no version", text)
	}
	return parseNumber(major+minor, 16, 16)
}

// parseSpeed takes what the kernel may write for a speed.
func parseSpeed(text string) (string, error) {
	if text == "unknown" {
		return "", nil
	}
	if f, err := strconv.ParseFloat(text, 64); err != nil || !(f > 0) || len(text) > 8 || strings.Trim(text, "0123456789.") != "" {
		return "", fmt.Errorf("%.40q is no speed", text)
	}
	return text, nil
}

// clean makes a device's own text fit for logs and documents: whatever it calls
// itself, it is one line of what can be shown.
func clean(text string) string {
	const most = 128
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	for len(text) > most {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

// pathOf finds the device in a path of sysfs: the last element that is one, or an
// interface of one; "" where none is. whole: it is the device itself.
func pathOf(name string) (p Path, whole bool) {
	for elems := strings.Split(filepath.ToSlash(name), "/"); len(elems) > 0; elems = elems[:len(elems)-1] {
		last := elems[len(elems)-1]
		if p := Path(last); p.Valid() {
			return p, len(elems) == strings.Count(filepath.ToSlash(name), "/")+1
		}
		if p, ok := interfaceOf(last); ok {
			return p, false
		}
	}
	return "", false
}

// interfaceOf is the device of one of its interfaces, "1-3.4.2:1.0". A root hub's is
// "1-0:1.0".
func interfaceOf(name string) (Path, bool) {
	device, rest, ok := strings.Cut(name, ":")
	if !ok {
		return "", false
	}
	config, number, ok := strings.Cut(rest, ".")
	if _, err := parseNumber(config, 10, 8); !ok || err != nil {
		return "", false
	}
	if _, err := parseNumber(number, 10, 8); err != nil {
		return "", false
	}
	if bus, ok := strings.CutSuffix(device, "-0"); ok {
		device = "usb" + bus
	}
	p := Path(device)
	return p, p.Valid()
}

// portOf reads the name of a port's folder: "1-3-port2" is port 2 of hub 1-3.
func portOf(name string) (hub Path, port int, ok bool) {
	at := strings.LastIndex(name, "-port")
	if at < 0 {
		return "", 0, false
	}
	hub, port = Path(name[:at]), number(name[at+len("-port"):], maxPort)
	return hub, port, hub.Valid() && port > 0
}
