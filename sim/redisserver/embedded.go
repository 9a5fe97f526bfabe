package redisserver

import (
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Embedded is an in-process stand-in for Redis: it keeps nothing when the
// process ends, and takes nobody but this process along.
type Embedded struct {
	m    *miniredis.Miniredis
	stop chan struct{}
	wg   sync.WaitGroup
}

// embeddedTick is how often its clock moves on: the stand-in ages keys only
// when told to.
const embeddedTick = time.Second

// StartEmbedded runs the stand-in on a free loopback port.
func StartEmbedded() (*Embedded, error) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return nil, fmt.Errorf("starting the in-process Redis: %w", err)
	}
	e := &Embedded{m: m, stop: make(chan struct{})}
	e.wg.Go(func() {
		t := time.NewTicker(embeddedTick)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				m.FastForward(embeddedTick)
			case <-e.stop:
				return
			}
		}
	})
	return e, nil
}

// Addr is where it listens, host:port.
func (e *Embedded) Addr() string { return e.m.Addr() }

// Stop ends it.
func (e *Embedded) Stop() {
	close(e.stop)
	e.wg.Wait()
	e.m.Close()
}
