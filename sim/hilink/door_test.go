package hilink

import (
	"net"
	"net/http"
	"testing"
)

// Ensure a connection that is held is forgotten when its client goes.
func TestDoor_hold(t *testing.T) {
	t.Parallel()
	d := newDoor(nil, nil, nil)
	client, c := net.Pipe()
	d.entered(c)
	held := make(chan struct{})
	go func() {
		d.hold(c)
		close(held)
	}()
	client.Write([]byte("GET / HTTP/1.1\r\n\r\n")) // swallowed
	client.Close()
	<-held
	d.running.Wait()
	if len(d.inside) != 0 {
		t.Errorf("%d connections inside", len(d.inside))
	}
}

// Ensure a connection that comes in while the door closes doesn't stay open.
func TestDoor_late(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor(l, http.NotFoundHandler(), nil)
	d.open()
	d.close()
	client, c := net.Pipe()
	defer client.Close()
	d.entered(c)
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("it is open")
	}
	d.left(c)
	d.left(c) // forgotten once
	d.close()
}
