package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// monitor is QEMU's: it plugs and unplugs devices.
type monitor struct {
	conn net.Conn
	in   *json.Decoder

	mu      sync.Mutex
	waiting chan answer              // of the command under way
	deleted map[string]chan struct{} // by device, closed when QEMU has let go of it
	turn    sync.Mutex               // one command at a time
}

type answer struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Desc string `json:"desc"`
	} `json:"error"`
	Event string `json:"event"`
	Data  struct {
		Device string `json:"device"`
	} `json:"data"`
}

// openLimit is what QEMU may take until its monitor answers.
const openLimit = 15 * time.Second

// openMonitor connects to the monitor of a QEMU that has just been started.
func openMonitor(ctx context.Context, socket string, ended <-chan struct{}) (*monitor, error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "unix", socket)
		if err == nil {
			m := &monitor{conn: conn, in: json.NewDecoder(conn), deleted: map[string]chan struct{}{}}
			return m, m.greet(ctx)
		}
		select {
		case <-t.C:
		case <-ended:
			return nil, errors.New("the machine ended at once; see qemu.log")
		case <-ctx.Done():
			return nil, fmt.Errorf("the machine's monitor: %w", err)
		}
	}
}

func (m *monitor) greet(ctx context.Context) error {
	var hello json.RawMessage
	if err := m.in.Decode(&hello); err != nil {
		return fmt.Errorf("the machine's monitor: %w", err)
	}
	go m.read()
	return m.do(ctx, "qmp_capabilities", nil)
}

// read hands out answers and notes events until the connection ends.
func (m *monitor) read() {
	for {
		var a answer
		err := m.in.Decode(&a)
		m.mu.Lock()
		switch {
		case err != nil:
			if m.waiting != nil {
				close(m.waiting)
				m.waiting = nil
			}
			m.mu.Unlock()
			return
		case a.Event == "DEVICE_DELETED":
			close(m.gone(a.Data.Device))
			delete(m.deleted, a.Data.Device)
		case a.Event != "":
		case m.waiting != nil:
			m.waiting <- a
			m.waiting = nil
		}
		m.mu.Unlock()
	}
}

// gone is closed when QEMU lets go of a device. Called with mu held.
func (m *monitor) gone(device string) chan struct{} {
	if m.deleted[device] == nil {
		m.deleted[device] = make(chan struct{})
	}
	return m.deleted[device]
}

// do carries out a command.
func (m *monitor) do(ctx context.Context, command string, arguments map[string]string) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	ask := map[string]any{"execute": command}
	if arguments != nil {
		ask["arguments"] = arguments
	}
	b, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	got := make(chan answer, 1)
	m.mu.Lock()
	m.waiting = got
	m.mu.Unlock()
	if _, err := m.conn.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("the machine's monitor: %w", err)
	}
	select {
	case a, open := <-got:
		switch {
		case !open:
			return fmt.Errorf("the machine ended during %s", command)
		case a.Error != nil:
			return fmt.Errorf("%s: %s", command, a.Error.Desc)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", command, context.Cause(ctx))
	}
}

// plug adds a device.
func (m *monitor) plug(ctx context.Context, d device) error {
	arguments := map[string]string{"driver": d[0]}
	for _, kv := range d[1:] {
		k, v, _ := strings.Cut(kv, "=")
		arguments[k] = v
	}
	return m.do(ctx, "device_add", arguments)
}

// pull takes a device away, and waits until it is gone.
func (m *monitor) pull(ctx context.Context, id string) error {
	m.mu.Lock()
	gone := m.gone(id)
	m.mu.Unlock()
	if err := m.do(ctx, "device_del", map[string]string{"id": id}); err != nil {
		return err
	}
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("pulling %s: %w", id, context.Cause(ctx))
	}
}

func (m *monitor) close() error { return m.conn.Close() }
