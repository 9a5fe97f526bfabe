package chatbot

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"strings"

	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/tasks"
)

const (
	// mostJobs is how many jobs are shown.
	mostJobs = 10
	// lookedAt is how many are looked through for them: messages are jobs, too, and
	// not shown.
	lookedAt = 60
	// mostButtons stand in one row that can be read.
	mostButtons = 3
)

// status shows all hosts and their dongles.
func (b *Bot) status(ctx context.Context, _ command) (answer, error) {
	all, err := b.opt.Registry.All(ctx)
	if err != nil {
		return answer{}, err
	}
	if len(all) == 0 {
		return answer{}, refuse("No proxy host has registered yet.")
	}
	var names []string
	toggles := map[string][]string{}
	for _, h := range all {
		names = append(names, h.Name)
		for _, n := range h.Dongles {
			toggles[h.Name] = append(toggles[h.Name], tasks.ToggleKey(n))
		}
	}
	states, err := b.opt.Registry.States(ctx, names)
	if err != nil {
		return answer{}, err
	}
	underWay, err := b.opt.Store.UnderWayOn(ctx, toggles)
	if err != nil {
		return answer{}, err
	}
	var a answer
	var lines []string
	for i, h := range all {
		lines = append(lines, b.hostLines(h, states[i], underWay[h.Name])...)
		for _, n := range h.Dongles {
			if !states[i].Dongles[n].Connected && b.opt.Registry.Online(h, b.opt.Store.Now()) && len(a.buttons) < mostButtons {
				a.buttons = append(a.buttons, tasks.TelegramButton{Text: fmt.Sprintf("Toggle %d", n), Command: fmt.Sprintf("toggle %d %s", n, h.Name)})
			}
		}
	}
	a.text = strings.Join(lines, "\n")
	return a, nil
}

// hostLines are a line for the host, and one for each of its dongles.
func (b *Bot) hostLines(h *hosts.Info, st hosts.State, underWay map[string]*jobs.Job) []string {
	state, connected := "offline", 0
	if b.opt.Registry.Online(h, b.opt.Store.Now()) {
		state = "online"
	}
	var lines []string
	for _, n := range h.Dongles {
		d := st.Dongles[n]
		said := "no connectivity"
		if d.Connected {
			connected++
			said = "connected"
			if d.ExternalIP != nil {
				said = *d.ExternalIP
			}
		}
		if j := underWay[tasks.ToggleKey(n)]; j != nil {
			said += ", toggle " + string(j.State)
		} else if last := tasks.LocalTime(st.LastToggle[n], b.opt.Config.Location()); last != nil {
			said += ", toggled " + *last
		}
		lines = append(lines, fmt.Sprintf("%d: %s", n, html.EscapeString(said)))
	}
	head := fmt.Sprintf("<b>%s</b> (%s), %d of %d dongles connected", html.EscapeString(h.Name), state, connected, len(h.Dongles))
	return append([]string{head}, lines...)
}

// jobs shows the last jobs that the chat has asked for.
func (b *Bot) jobs(ctx context.Context, c command) (answer, error) {
	page, err := b.opt.Store.List(ctx, jobs.Filter{ChatID: c.chat}, lookedAt, "")
	if err != nil {
		return answer{}, err
	}
	var a answer
	var lines []string
	for _, j := range page.Jobs {
		if j.Type == tasks.Telegram || len(lines) == mostJobs {
			continue
		}
		at := tasks.LocalTime(j.Created, b.opt.Config.Location())
		lines = append(lines, fmt.Sprintf("%s, %s: <b>%s</b> <code>%s</code>", *at, html.EscapeString(about(j)), j.State, j.ID))
		if !j.State.Final() && len(a.buttons) < mostButtons {
			a.buttons = append(a.buttons, tasks.TelegramButton{Text: "Cancel " + about(j), Command: "cancel " + j.ID})
		}
	}
	if len(lines) == 0 {
		return answer{}, refuse("This chat has asked for nothing yet.")
	}
	a.text = strings.Join(lines, "\n")
	return a, nil
}

// about is what a job does, in words.
func about(j *jobs.Job) string {
	if action, cf := tasks.CFAction(j.Type); cf {
		var p tasks.CFPayload
		if json.Unmarshal(j.Payload, &p) == nil {
			return action + " " + p.IP
		}
	}
	if j.Type == tasks.Toggle {
		return fmt.Sprintf("toggle %d of %s", j.Subnet, j.Host)
	}
	return string(j.Type)
}

// sentence begins with a capital.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
