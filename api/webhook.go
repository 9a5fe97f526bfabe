package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"switchyard/configs"
	"switchyard/intake"
	"switchyard/jobs"
	"switchyard/tasks"
	"switchyard/trading/signal"
)

const pathWebhook = "/api/webhook"

// isWebhook reports whether the request is one for the trading webhook, whose clients
// know errors in its own form alone.
func isWebhook(r *http.Request) bool { return strings.TrimSuffix(r.URL.Path, "/") == pathWebhook }

// webhook is one request as it goes along.
type webhook struct {
	*Server
	w       http.ResponseWriter
	r       *http.Request
	began   time.Time
	trading configs.Trading
	group   *configs.TradingGroup
	token   *configs.TradingToken
	signal  *signal.Signal
	members []configs.Share
	key     string // the Idempotency-Key
	claim   intake.Claim
	orders  []accountOrders
	entry   intake.Entry
}

// takeWebhook is POST /api/webhook. What it accepts is a job for each account, and
// what it answers is what has become of them within trading.wait.
func (s *Server) takeWebhook(w http.ResponseWriter, r *http.Request) {
	now := s.opt.Store.Now()
	h := &webhook{Server: s, w: w, r: r, began: time.Now(), trading: s.trading()}
	h.entry = intake.Entry{ID: intake.NewID(now), At: now.UTC(), Address: clientOf(callOf(r.Context()))}
	w.Header().Set("Cache-Control", "no-store")
	body, err := io.ReadAll(r.Body)
	if p := unread(err); p != nil {
		h.refuse(ofProblem(p), 0)
		return
	}
	h.entry.Body = signal.Mask(body)
	limit, err := h.read(body)
	if err != nil {
		h.refuse(err, 0)
		return
	}
	if wait := s.tokens.wait(h.token); wait > 0 {
		h.refuse(signal.ErrTooOften, wait)
		return
	}
	if first := h.remember(body); first {
		return
	}
	if !h.accept() {
		return
	}
	h.await(limit)
	h.answer()
}

// read checks the request, in the order that its clients know, and returns how long
// its answer may wait.
func (h *webhook) read(body []byte) (limit time.Duration, err error) {
	limit = h.trading.Wait.Std()
	if s := h.r.URL.Query().Get("wait"); s != "" {
		seconds, err := strconv.ParseFloat(s, 64)
		if err != nil || seconds < 0 || seconds > longestWebhookWait.Seconds() {
			return 0, &signal.Error{Status: http.StatusBadRequest, Text: "지원하지 않는 값: wait=" + shortened(s), Field: "wait"}
		}
		limit = time.Duration(seconds * float64(time.Second))
	}
	if keys, ok := h.r.Header[idempotencyHeader]; ok {
		if len(keys) != 1 || !validIdempotencyKey(keys[0]) {
			return 0, &signal.Error{Status: http.StatusBadRequest, Text: "지원하지 않는 값: Idempotency-Key", Field: idempotencyHeader}
		}
		h.key = keys[0]
	}
	m, err := signal.Parse(body)
	if err != nil {
		return 0, err
	}
	a, err := m.Admit(h)
	if err != nil {
		return 0, err
	}
	h.entry.Group = h.group.Name
	if h.signal, err = a.Values(); err != nil {
		return 0, err
	}
	h.signal.Group = h.group.Name
	h.entry.Action, h.entry.Ignored = string(h.signal.Action), h.signal.Ignored
	if h.members = h.trading.Members(*h.group, h.signal.Exchange.Lower()); len(h.members) == 0 {
		return 0, signal.ErrNoAccounts
	}
	return limit, nil
}

// longestWebhookWait is the longest that a client may ask for.
const longestWebhookWait = 10 * time.Second

func shortened(s string) string { return s[:min(len(s), 20)] }

// Active implements signal.Groups.
func (h *webhook) Active(name string) bool {
	h.group = h.trading.Group(name)
	return h.group != nil && h.group.Trades()
}

// Accepts implements signal.Groups. A token from where it may not come from is none.
func (h *webhook) Accepts(_, sent string) bool {
	token, ok := h.group.Token(sent, h.opt.Store.Now())
	if !ok {
		return false
	}
	if len(token.Networks) > 0 && !within(callOf(h.r.Context()).caller.Addr, configs.Networks(token.Networks)) {
		h.log(h.r.Context()).Warn("a webhook's token came from an address that it may not come from", "group", h.group.Name, "address", h.entry.Address)
		return false
	}
	h.token = token
	return true
}

func within(a netip.Addr, list []netip.Prefix) bool {
	for _, n := range list {
		if n.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// remember claims the request, where it is one that must not be done twice. done: it
// was answered.
func (h *webhook) remember(body []byte) (done bool) {
	window, key := h.trading.DedupeWindow.Std(), intake.Key("bytes", h.token.Hash, string(body))
	switch {
	case h.key != "":
		window, key = h.opt.Config.Jobs.IdempotencyWindow.Std(), intake.Key("key", h.token.Hash, h.key)
	case h.signal.Action == signal.Cancel:
		window = 0
	}
	h.claim = intake.Claim{ID: h.entry.ID, Received: h.entry.At}
	if window == 0 {
		return false
	}
	ctx, cancel := h.quick(h.r.Context())
	defer cancel()
	c, first, err := h.intake.Claim(ctx, key, h.entry.At, body, window)
	switch {
	case err != nil:
		h.unavailable(err)
		return true
	case first:
		h.claim, h.entry.ID = c, c.ID
		return false
	case !c.Same:
		h.refuse(&signal.Error{Status: http.StatusUnprocessableEntity, Text: "이미 다른 요청에 사용된 Idempotency-Key입니다", Field: idempotencyHeader}, 0)
		return true
	}
	h.claim, h.entry.Duplicate, h.entry.First = c, true, c.ID
	if c.Answer == nil {
		return false // it goes the way of the first, to the same jobs
	}
	if h.key != "" {
		h.w.Header().Set(replayedHeader, "true")
	}
	h.send(http.StatusOK, again(c.Answer))
	return true
}

// accept makes the jobs. A request sent again comes to those of the first. What was begun
// for one account is done for all, though the client goes in the middle of it; once the
// job store is out of reach nobody else waits for it.
func (h *webhook) accept() bool {
	whole := context.WithoutCancel(h.r.Context())
	ctx, cancel := h.quick(whole)
	defer func() { cancel() }()
	doc, err := json.Marshal(h.signal)
	if err = errors.Join(err, context.Cause(h.r.Context())); err != nil {
		h.unavailable(err)
		return false
	}
	taken := 0
	var away error
	for _, m := range h.members {
		o, r := accountOrders{Share: m}, jobs.Request{Draft: h.draft(m, doc)}
		if h.claim.Key != "" { // whoever sends it again comes to the same job
			o.JobID = jobs.DerivedID(h.claim.Received, h.claim.ID, strconv.Itoa(m.ID))
			r.ID = o.JobID
		}
		if away != nil && ctx.Err() != nil {
			o.err = away
		} else if a, err := h.opt.Store.Accept(ctx, r); err != nil {
			away, o.err = err, err
		} else {
			taken++
			o.JobID = a.ID
			h.entry.Jobs = append(h.entry.Jobs, o.JobID)
			h.opt.Meter.Accepted(string(r.Type), false, h.entry.Duplicate)
			cancel()
			ctx, cancel = h.quick(whole)
		}
		h.orders = append(h.orders, o)
	}
	h.entry.AcceptedMS = milliseconds(time.Since(h.began))
	if taken == 0 {
		h.unavailable(away)
		return false
	}
	if away != nil {
		h.log(whole).Error("only some accounts of a webhook got their orders", "webhook", h.entry.ID, "accepted", taken, "accounts", len(h.members), "err", away)
	}
	h.log(whole).Info("webhook accepted", "webhook", h.entry.ID, "group", h.group.Name, "action", h.entry.Action, "accounts", taken, "duplicate", h.entry.Duplicate, "ignored", h.entry.Ignored)
	return true
}

func (h *webhook) draft(m configs.Share, doc []byte) tasks.Draft {
	if h.signal.Action == signal.Cancel {
		return tasks.NewTradeCancel(tasks.TradeCancelPayload{
			Webhook: h.claim.ID, Group: h.group.Name, Account: m.ID, Market: string(h.signal.Market), Symbol: h.signal.Symbol,
		}, h.group.ChatID)
	}
	return tasks.NewTrade(tasks.TradePayload{
		Webhook: h.claim.ID, Group: h.group.Name, Account: m.ID, Received: h.claim.Received, Signal: doc,
	}, h.group.ChatID)
}

// await waits for the jobs, all at once, for at most about limit.
func (h *webhook) await(limit time.Duration) {
	ctx, cancel := context.WithTimeout(h.r.Context(), max(0, limit-time.Since(h.began)))
	defer cancel()
	defer h.opt.Meter.Waiting()()
	var all sync.WaitGroup
	for i := range h.orders {
		o := &h.orders[i]
		if o.err != nil {
			continue
		}
		all.Go(func() {
			j, err := h.opt.Store.Wait(ctx, o.JobID, h.stop)
			switch {
			case err == nil:
				o.job = j
			case !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
				h.log(h.r.Context()).Warn("could not wait for the orders of a webhook", "job", o.JobID, "err", err)
			}
		})
	}
	all.Wait()
}

// answer tells what has become of the orders, and keeps it for those who send the
// request again.
func (h *webhook) answer() {
	doc, sum := h.compose()
	h.entry.Successful, h.entry.Failed, h.entry.Pending = sum.successful, sum.failed, sum.pending
	b, err := json.Marshal(doc)
	if err != nil {
		h.log(h.r.Context()).Error("the answer to a webhook could not be written", "webhook", h.entry.ID, "err", err)
		b = []byte(`{"success": true, "message": "웹훅 처리 성공"}`)
	}
	if h.claim.Key != "" {
		ctx, cancel := h.quick(context.WithoutCancel(h.r.Context()))
		defer cancel()
		if err := h.intake.Answered(ctx, h.claim, b); err != nil {
			h.log(ctx).Warn("who sends a webhook again may get another answer", "webhook", h.entry.ID, "err", err)
		}
	}
	if h.entry.Duplicate {
		b = again(b)
	}
	h.send(http.StatusOK, b)
}

// again marks the answer to a request that was sent again.
func again(answer []byte) []byte {
	rest, ok := strings.CutPrefix(strings.TrimSpace(string(answer)), "{")
	if !ok {
		return answer
	}
	return []byte(`{"duplicate":true,` + rest)
}

// unavailable answers where nothing was accepted.
func (h *webhook) unavailable(err error) {
	if errors.Is(err, context.Canceled) {
		h.log(h.r.Context()).Debug("the client has gone", "err", err)
	} else {
		h.log(h.r.Context()).Warn("a webhook could not be accepted", "webhook", h.entry.ID, "err", err)
	}
	h.refuse(signal.ErrUnavailable, retryAfterOutage)
}

// refuse answers with an error, to be tried again after a while where that isn't 0.
func (h *webhook) refuse(err error, after time.Duration) {
	e, ok := errors.AsType[*signal.Error](err)
	if !ok { // of ours; all others are those
		h.log(h.r.Context()).Error("answered 500", "err", err)
		e = &signal.Error{Status: http.StatusInternalServerError, Text: "내부 오류가 발생했습니다"}
	}
	if after > 0 {
		h.w.Header().Set("Retry-After", seconds(after))
	}
	h.entry.Error = e.Text
	b, err := json.Marshal(e)
	if err != nil {
		b = []byte(`{"success":false}`)
	}
	h.send(e.Status, b)
}

// send answers, and then writes the log of webhooks: nobody waits for that.
func (h *webhook) send(status int, body []byte) {
	h.entry.Status, h.entry.TotalMS = status, milliseconds(time.Since(h.began))
	h.w.Header().Set("Content-Type", "application/json")
	h.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	h.w.WriteHeader(status)
	_, _ = h.w.Write(body)                      // the client may have gone
	_ = http.NewResponseController(h.w).Flush() // and not every writer can
	h.opt.Meter.Webhook(outcomeOf(h.entry), time.Since(h.began))
	ctx, cancel := h.quick(context.WithoutCancel(h.r.Context()))
	defer cancel()
	if err := h.intake.Note(ctx, h.entry, h.token != nil); err != nil {
		h.log(ctx).Warn("a webhook is missing in its log", "webhook", h.entry.ID, "status", status, "group", h.entry.Group, "jobs", h.entry.Jobs, "err", err)
	}
}

// outcomeOf is a request's outcome as metrics count it.
func outcomeOf(e intake.Entry) string {
	switch {
	case e.Status == http.StatusOK && e.Duplicate:
		return "duplicate"
	case e.Status == http.StatusOK:
		return "accepted"
	case e.Status >= http.StatusInternalServerError:
		return "unavailable"
	}
	return "refused"
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
