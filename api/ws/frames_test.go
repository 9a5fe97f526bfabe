package ws_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// wire is a client that speaks frames, among them those that no library would send.
type wire struct {
	net.Conn
	r *bufio.Reader
	t *testing.T
}

func (b *bundle) wire(t *testing.T) *wire {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(b.ctx, "tcp", strings.TrimPrefix(b.http.URL, "http://"))
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	must(t, err)
	w := &wire{c, bufio.NewReader(c), t}
	resp, err := http.ReadResponse(w.r, nil)
	must(t, err)
	_ = resp.Body.Close() // it has none
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("answer %v", resp)
	}
	if op, text := w.receive(); op != 1 || !strings.Contains(text, "connection_status") {
		t.Fatalf("first comes %d %s", op, text)
	}
	return w
}

// frame is one of a client's, masked.
func frame(first byte, payload string) string {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := []byte{1, 2, 3, 4}
	b = append(b, mask...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return string(b)
}

// receive reads a frame of the server's, which is never masked.
func (w *wire) receive() (op byte, payload string) {
	w.t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(w.r, head[:]); err != nil {
		return 0xff, err.Error()
	}
	n := uint64(head[1])
	switch n {
	case 126:
		var x [2]byte
		_, _ = io.ReadFull(w.r, x[:])
		n = uint64(binary.BigEndian.Uint16(x[:]))
	case 127:
		var x [8]byte
		_, _ = io.ReadFull(w.r, x[:])
		n = binary.BigEndian.Uint64(x[:])
	}
	if head[0]&0xf0 != 0x80 || n > 1<<22 {
		w.t.Fatalf("a frame begins with %x", head)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(w.r, b); err != nil {
		return 0xff, err.Error()
	}
	return head[0] & 0xf, string(b)
}

// The first bytes of frames: FIN and the opcode.
const (
	fin      = 0x80
	cont     = 0x0
	textOp   = 0x1
	binOp    = 0x2
	closeOp  = 0x8
	pingOp   = 0x9
	pongOp   = 0xa
	rsv1     = 0x40
	hello    = `{"type":"ping","data":{"client_time":"hello"}}`
	answered = "pong"
)

func closeFrame(code uint16, reason string) string {
	return frame(fin|closeOp, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

// Ensure the protocol is kept to the letter where it is most often broken: RFC 6455, by
// the cases that the suite for it is known by.
func TestConformance(t *testing.T) {
	t.Parallel()
	b := setup(t, withMany)
	many := func(n int, f string) string { return strings.Repeat(f, n) }
	for _, tt := range []struct {
		name, send string
		// want in turn: "text:PART", "pong:PAYLOAD", "close:CODE", "close" (any, or the
		// end of the connection).
		want []string
	}{
		{"1.1.1 empty text", frame(fin|textOp, ""), []string{"text:INVALID_MESSAGE_FORMAT"}},
		{"1.1.4 text of 65535", frame(fin|textOp, hello+strings.Repeat(" ", 65535-len(hello))), []string{"text:" + answered}},
		{"1.1.6 text of 65536", frame(fin|textOp, hello+strings.Repeat(" ", 65536-len(hello))), []string{"text:" + answered}},
		{"1.2.1 binary", frame(fin|binOp, ""), []string{"close:1003"}},
		{"2.1 ping without payload", frame(fin|pingOp, ""), []string{"pong:"}},
		{"2.2 ping with payload", frame(fin|pingOp, "Hello, world!"), []string{"pong:Hello, world!"}},
		{"2.4 ping of 125", frame(fin|pingOp, strings.Repeat("\xfe", 125)), []string{"pong:" + strings.Repeat("\xfe", 125)}},
		{"2.5 ping of 126", frame(fin|pingOp, strings.Repeat("\xfe", 126)), []string{"close:1002"}},
		{"2.7 pong unasked", frame(fin|pongOp, "x") + frame(fin|textOp, hello), []string{"text:" + answered}},
		{"2.10 ten pings", many(10, frame(fin|pingOp, "p")), []string{"pong:p", "pong:p", "pong:p", "pong:p", "pong:p", "pong:p", "pong:p", "pong:p", "pong:p", "pong:p"}},
		{"3.1 reserved bit", frame(fin|rsv1|textOp, "x"), []string{"close:1002"}},
		{"3.3 reserved bit behind a text", frame(fin|textOp, hello) + frame(fin|0x30|textOp, "x"), []string{"text:" + answered, "close:1002"}},
		{"3.5 reserved bits in a ping", frame(fin|0x50|pingOp, ""), []string{"close:1002"}},
		{"4.1.1 opcode 3", frame(fin|0x3, ""), []string{"close:1002"}},
		{"4.1.5 opcode 7", frame(fin|0x7, "x"), []string{"close:1002"}},
		{"4.2.1 opcode 11", frame(fin|0xb, ""), []string{"close:1002"}},
		{"4.2.5 opcode 15", frame(fin|0xf, "x"), []string{"close:1002"}},
		{"5.1 ping in fragments", frame(pingOp, "a") + frame(fin|cont, "b"), []string{"close:1002"}},
		{"5.3 text in fragments", frame(textOp, hello[:10]) + frame(fin|cont, hello[10:]), []string{"text:" + answered}},
		{"5.6 ping between fragments", frame(textOp, hello[:10]) + frame(fin|pingOp, "p") + frame(fin|cont, hello[10:]), []string{"pong:p", "text:" + answered}},
		{"5.9 continuation of nothing", frame(fin|cont, "x") + frame(fin|textOp, hello), []string{"close:1002"}},
		{"5.11 continuation of nothing, open", frame(cont, "x"), []string{"close:1002"}},
		{"5.15 continuation behind the end", frame(textOp, hello[:10]) + frame(fin|cont, hello[10:]) + frame(cont, "x"), []string{"text:" + answered, "close:1002"}},
		{"5.18 a second text within", frame(textOp, "a") + frame(fin|textOp, "b"), []string{"close:1002"}},
		{"5.19 many fragments", frame(textOp, hello[:1]) + strings.Join(frames(cont, hello[1:len(hello)-1]), "") + frame(fin|cont, hello[len(hello)-1:]), []string{"text:" + answered}},
		{"6.2.3 a letter over fragments", frame(textOp, `{"type":"ping","data":{"client_time":"`+"\xce") + frame(fin|cont, "\xba"+`"}}`), []string{"text:κ"}},
		{"6.3.1 invalid UTF-8", frame(fin|textOp, "\xce\xba\xed\xa0\x80edited"), []string{"close:1007"}},
		{"6.6.2 half a letter", frame(fin|textOp, "\xce"), []string{"close:1007"}},
		{"6.21.1 a surrogate", frame(fin|textOp, "\xed\xa0\x80"), []string{"close:1007"}},
		{"7.1.1 message, then close", frame(fin|textOp, hello) + closeFrame(1000, ""), []string{"text:" + answered, "close:1000"}},
		{"7.1.3 ping behind a close", closeFrame(1000, "") + frame(fin|pingOp, ""), []string{"close:1000"}},
		{"7.3.1 close without payload", frame(fin|closeOp, ""), []string{"close"}},
		{"7.3.2 close of one byte", frame(fin|closeOp, "a"), []string{"close"}},
		{"7.3.5 close with a long reason", closeFrame(1000, strings.Repeat("*", 123)), []string{"close:1000"}},
		{"7.3.6 close with too long a reason", closeFrame(1000, strings.Repeat("*", 124)), []string{"close:1002"}},
		{"7.5.1 close with an invalid reason", closeFrame(1000, "\xce\xba\xed\xa0\x80"), []string{"close:1002"}},
		{"7.7.9 close 3000", closeFrame(3000, ""), []string{"close:3000"}},
		{"7.7.13 close 4999", closeFrame(4999, ""), []string{"close:4999"}},
		{"7.9.1 close 0", closeFrame(0, ""), []string{"close:1002"}},
		{"7.9.3 close 1004", closeFrame(1004, ""), []string{"close:1002"}},
		{"7.9.4 close 1005", closeFrame(1005, ""), []string{"close:1002"}},
		{"7.9.9 close 1100", closeFrame(1100, ""), []string{"close:1002"}},
		{"7.9.11 close 2999", closeFrame(2999, ""), []string{"close:1002"}},
		{"not masked", "\x81\x05hello", []string{"close:1002"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := b.wire(t)
			_, err := io.WriteString(w, tt.send)
			must(t, err)
			for _, want := range tt.want {
				op, payload := w.receive()
				kind, part, exact := strings.Cut(want, ":")
				got := fmt.Sprintf("%d %q", op, payload)
				ok := false
				switch kind {
				case "text":
					ok = op == textOp && strings.Contains(payload, part)
				case "pong":
					ok = op == pongOp && payload == part
				case "close":
					ok = !exact && (op == closeOp || op == 0xff)
					if exact && op == closeOp && len(payload) >= 2 {
						ok = fmt.Sprint(binary.BigEndian.Uint16([]byte(payload))) == part
					}
				}
				if !ok {
					t.Fatalf("got %s, want %s", got, want)
				}
			}
		})
	}
}

// frames of one byte each.
func frames(first byte, text string) (out []string) {
	for i := range len(text) {
		out = append(out, frame(first, text[i:i+1]))
	}
	return out
}
