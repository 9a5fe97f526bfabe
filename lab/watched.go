package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"switchyard/jobs"
	"switchyard/tasks"
)

// cancelledWhileOff cancels a toggle while its port is off: the port has to be
// on again soon, and everybody told.
func cancelledWhileOff(ctx context.Context, s *stage) (string, error) {
	told := len(s.central.receiver.Received())
	id, from, err := toggleTillOff(ctx, s)
	if err != nil {
		return "", err
	}
	began := time.Now()
	if err := s.central.cancel(ctx, id); err != nil {
		return "", err
	}
	j, err := s.central.ended(ctx, id)
	took := time.Since(began)
	if err != nil {
		return "", err
	}
	if _, err := s.await(ctx, from, victim, "port on"); err != nil {
		return "", err
	}
	if err := errors.Join(s.plug(ctx, s.dongles[0]), s.central.told(ctx, told, 1)); err != nil {
		return "", err
	}
	if j.State != string(jobs.Cancelled) {
		return "", fmt.Errorf("the job is %s", j.State)
	}
	return fmt.Sprintf("ended %s after that, with its port on", seconds(took)), nil
}

// counted unplugs a dongle and puts it back, and looks what the status document
// says of that.
func counted(ctx context.Context, s *stage) (string, error) {
	var hub tasks.HubInfo
	physical := func(want int) error {
		return until(ctx, awaitLimit, fmt.Sprintf("the status counts %d dongles", want), func(ctx context.Context) error {
			var doc struct {
				Check struct {
					Expected int            `json:"expected"`
					Physical int            `json:"physical"`
					Hub      *tasks.HubInfo `json:"hub_info"`
				} `json:"dongle_check"`
			}
			if err := s.central.get(ctx, "/status", &doc); err != nil {
				return err
			}
			if c := doc.Check; c.Expected != dongleCount || c.Physical != want || c.Hub == nil {
				return fmt.Errorf("it says %+v", c)
			}
			hub = *doc.Check.Hub
			return nil
		})
	}
	if err := physical(dongleCount); err != nil {
		return "", err
	}
	began := time.Now()
	if err := errors.Join(s.pull(ctx, s.dongles[0]), physical(dongleCount-1)); err != nil {
		return "", err
	}
	gone := time.Since(began)
	began = time.Now()
	if err := errors.Join(s.plug(ctx, s.dongles[0]), physical(dongleCount)); err != nil {
		return "", err
	}
	words := fmt.Sprintf("known %s after it was pulled, %s after it was plugged in; hub_info %+v", seconds(gone), seconds(time.Since(began)), hub)
	if hub.MainHub != hubPath || len(hub.SubHubs) != 0 || hub.PortsPerHub != hubPorts {
		return words, errors.New("that is not how the dongles hang")
	}
	return words, nil
}

// examined asks doctor about the host.
func examined(ctx context.Context, s *stage) (string, error) {
	out, err := s.guest.Sh(ctx, "SWITCHYARD_REDIS_PASSWORD='"+redisPassword+"' "+staticProgram+" doctor -c "+hostFile+" 2>&1")
	if err != nil {
		return "", err
	}
	var about []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "usb") || strings.Contains(line, "hub") || strings.Contains(line, "dongle") {
			about = append(about, strings.TrimSpace(line))
		}
	}
	return strings.Join(about, "\n"), nil
}

// cancel cancels a job.
func (c *central) cancel(ctx context.Context, id string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.addr+"/api/v1/jobs/"+id+"/cancel", nil)
	if err != nil {
		return err
	}
	var answer any
	return c.do(req, http.StatusAccepted, &answer)
}
