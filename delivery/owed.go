package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/notices"
	"switchyard/tasks"
)

const (
	// settleBatch is how many debts are read at once.
	settleBatch = 200
	// settleAgain is when they are looked for again after an error.
	settleAgain = 500 * time.Millisecond
	// timeoutSlack is what a delivery's job may take beyond its attempt.
	timeoutSlack = 15 * time.Second
)

// Settler turns what jobs owe to others into delivery jobs, and messages to
// chats. Any number of them may run: a debt gives the same jobs, with the same ids, to each.
type Settler struct {
	Store *jobs.Store
	// Callbacks returns who is owed something; they may change.
	Callbacks func() configs.Callbacks
	// Client listens for the bell.
	Client redis.UniversalClient
	// Interval is how often debts are looked for without having been rung for.
	Interval time.Duration
	Log      *slog.Logger
}

// Run settles debts until ctx ends: when the bell rings, and now and then.
func (s *Settler) Run(ctx context.Context) {
	sub := s.Client.Subscribe(ctx, jobs.OwedChannel)
	defer sub.Close()
	bell := sub.ChannelWithSubscriptions()
	wait := time.Duration(0)
	for {
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-bell: // or a new connection: what rang before it is lost
		case <-t.C:
		}
		t.Stop()
		wait = s.Interval
		if err := s.settle(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("could not settle what is owed; trying again", "err", err)
			wait = settleAgain
		}
	}
}

// settle settles all debts, the oldest first. One that can't be settled stays
// owed, and holds up none of the others.
func (s *Settler) settle(ctx context.Context) error {
	for stuck := int64(0); ; {
		debts, err := s.Store.Debts(ctx, stuck, settleBatch)
		if err != nil {
			return err
		}
		for _, d := range debts {
			err := s.follow(ctx, d)
			if err == nil {
				err = s.Store.Settle(ctx, d)
			}
			switch {
			case errors.Is(err, jobs.ErrUnavailable):
				return fmt.Errorf("job %s: %w", d.JobID, err)
			case err != nil:
				stuck++
				s.Log.Error("can't settle what a job owes", "debt", d, "err", err)
			}
		}
		if len(debts) < settleBatch {
			return nil
		}
	}
}

// follow accepts the jobs that follow from a debt.
func (s *Settler) follow(ctx context.Context, d jobs.Debt) error {
	if d.Run == 0 {
		// Whoever may add to the set can't hold up the rest for ever.
		s.Log.Error("struck off what is no debt", "entry", d)
		return nil
	}
	j, err := s.Store.Get(ctx, d.JobID)
	if errors.Is(err, jobs.ErrUnknown) {
		s.Log.Warn("a job that owes something is gone", "job", d.JobID, "phase", d.Phase)
		return nil
	}
	if err != nil {
		return err
	}
	if j.Run != d.Run {
		// It runs again, which it may only when all of the run before was told:
		// another settler was faster.
		return nil
	}
	chats, urls, err := s.Store.Audience(ctx, j)
	if err != nil {
		return err
	}
	requests, err := Plan(j, d.Phase, urls, s.Callbacks())
	if err != nil {
		// No receiver can be told; the job's own record still can be read.
		s.Log.Error("can't tell others of a job", "job", j.ID, "phase", d.Phase, "err", err)
	}
	for _, r := range append(requests, Notices(j, d.Phase, chats)...) {
		if _, err := s.Store.Accept(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// Plan lists the deliveries that a job's phase asks for: its start and result
// to each configured receiver, its result to each callback URL in urls. Those
// of the start stand in the plan of the result too, in front: so a receiver's
// result always comes behind its start, whoever settles which debt first.
func Plan(j *jobs.Job, phase jobs.Phase, urls []string, c configs.Callbacks) ([]jobs.Request, error) {
	switch j.Type {
	case tasks.Toggle:
		return planToggle(j, phase, urls, c)
	case tasks.Strategy:
		return planExecution(j, phase, urls, c)
	}
	return nil, nil
}

func planToggle(j *jobs.Job, phase jobs.Phase, urls []string, c configs.Callbacks) ([]jobs.Request, error) {
	var p tasks.TogglePayload
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return nil, fmt.Errorf("unreadable payload: %w", err)
	}
	var out []jobs.Request
	limit := c.Timeout.Std() + timeoutSlack
	run := strconv.Itoa(j.Run)
	if !j.Started.IsZero() {
		body, err := json.Marshal(tasks.ToggleStart{ServerIP: p.ServerIP, Port: tasks.Port(p.Subnet)})
		if err != nil {
			return nil, fmt.Errorf("writing the start: %w", err)
		}
		for _, r := range c.Toggle {
			if r.StartURL == "" {
				continue
			}
			name := startName(r)
			out = append(out, jobs.Request{
				ID: jobs.DerivedID(j.Started, j.ID, run, name),
				Draft: tasks.NewCallback(tasks.CallbackPayload{Receiver: name, Kind: "toggle/start", Body: string(body)},
					j.ID, orderKey(j, r), limit, 1),
			})
		}
	}
	if phase != jobs.PhaseResult || !j.State.Final() {
		return out, nil
	}
	body := string(j.Result)
	if body == "" {
		// Its handler broke down and told nothing: nothing came of it.
		b, err := json.Marshal(tasks.FailedToggle(p, 0))
		if err != nil {
			return nil, fmt.Errorf("writing the result: %w", err)
		}
		body = string(b)
	}
	result := func(p tasks.CallbackPayload, name, order string) jobs.Request {
		p.Kind, p.Body = "toggle/result", body
		return jobs.Request{
			ID:    jobs.DerivedID(j.Completed, j.ID, run, name),
			Draft: tasks.NewCallback(p, j.ID, order, limit, c.MaxAttempts),
		}
	}
	for _, r := range c.Toggle {
		if r.ResultURL != "" {
			name := resultName(r)
			out = append(out, result(tasks.CallbackPayload{Receiver: name}, name, orderKey(j, r)))
		}
	}
	sort.Strings(urls)
	for _, u := range urls {
		out = append(out, result(tasks.CallbackPayload{URL: u}, "url\x00"+u, ""))
	}
	return out, nil
}

// Notices lists the messages that the end of a job asks for: one to each of the
// chats that asked for it. They line up behind each other, not behind what else the
// chat has asked for, nor that behind them.
func Notices(j *jobs.Job, phase jobs.Phase, chats []string) []jobs.Request {
	if phase != jobs.PhaseResult || !j.State.Final() {
		return nil
	}
	text, ok := notices.Of(j)
	if !ok {
		return nil
	}
	told := map[string]bool{}
	var out []jobs.Request
	for _, chat := range slices.Sorted(slices.Values(chats)) {
		key := tasks.ChatKey(chat) // a channel may have been named in two ways
		if told[key] {
			continue
		}
		told[key] = true
		out = append(out, jobs.Request{
			ID:    jobs.DerivedID(j.Completed, j.ID, strconv.Itoa(j.Run), key),
			Draft: tasks.NewTelegramNotice(tasks.TelegramPayload{ChatID: chat, Text: text, HTML: true, Buttons: notices.Buttons(j)}, j.ID),
		})
	}
	return out
}

// orderKey has a receiver's result wait for its start.
func orderKey(j *jobs.Job, r configs.ToggleReceiver) string {
	return "callback:" + j.ID + ":" + strconv.Itoa(j.Run) + ":" + r.Name
}
