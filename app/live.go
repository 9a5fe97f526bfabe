package app

import (
	"context"
	"time"

	"switchyard/events"
	"switchyard/hosts"
	"switchyard/logs"
	"switchyard/tasks"
	"switchyard/vitals"
)

// statusEvery is how often a process with the api tells how its machine is.
const statusEvery = 5 * time.Second

// tellStatus has the WebSocket's clients see how this machine is, until ctx ends. It is
// told them directly: other processes tell of their own.
func (a *App) tellStatus(ctx context.Context) {
	t := time.NewTicker(statusEvery)
	defer t.Stop()
	for {
		if s, err := vitals.Read(ctx); err != nil {
			a.log.Debug("the state of this machine can't be read", "err", err)
		} else if e, err := events.New(events.Status, events.StatusKind, a.store.Now(), s); err == nil {
			a.socket.Here(e)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// hostStatus is how the machine of a proxy host is.
type hostStatus struct {
	vitals.Sample
	Host     string `json:"host"`
	ServerIP string `json:"server_ip"`
}

// tellHost tells how this proxy host is, with each of its pushes.
func (a *App) tellHost(ctx context.Context, i hosts.Info) {
	s, err := vitals.Read(ctx)
	if err != nil {
		a.log.Debug("the state of this machine can't be read", "err", err)
		return
	}
	a.vitals.Store(&hosts.Vitals{CPU: s.CPU, Memory: s.Memory, Disk: s.Disk, At: a.store.Now().UTC()})
	e, err := events.New(events.Hosts, events.StatusKind, a.store.Now(), hostStatus{s, i.Name, i.ServerIP})
	if err != nil {
		a.log.Error("the state of this machine can't be written", "err", err)
		return
	}
	a.events.Publish(e)
}

// streamLine publishes a line of the log. It is dropped while there is no publisher.
func (a *App) streamLine(l logs.Line) {
	p := a.lines.Load()
	if p == nil {
		return
	}
	role := l.Role
	if role == "" {
		role = "main"
	}
	e, err := events.New(events.Logs, events.LogKind, l.At, events.LogLine{
		Timestamp: l.At.UTC().Format(tasks.MilliTime), Level: logs.LevelName(l.Level), Logger: l.Package, Message: l.Text, Module: l.File, Line: l.Line, Thread: role,
	})
	if err == nil { // text and numbers always can be written
		p.Publish(e)
	}
}
