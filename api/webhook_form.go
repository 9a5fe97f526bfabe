package api

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"switchyard/configs"
	"switchyard/trading/signal"
)

// tokenRates are the rates of webhooks' tokens, in this process.
type tokenRates struct {
	mu sync.Mutex
	of map[configs.RateLimit]map[string]*rate.Limiter
}

// wait is how long until a token has another request; 0: it has one now.
func (t *tokenRates) wait(token *configs.TradingToken) time.Duration {
	c := token.RateLimit
	if c.PerSecond == 0 {
		return 0
	}
	t.mu.Lock()
	if t.of == nil {
		t.of = map[configs.RateLimit]map[string]*rate.Limiter{}
	}
	if t.of[c] == nil {
		t.of[c] = map[string]*rate.Limiter{}
	}
	l := t.of[c][token.Hash]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(c.PerSecond), c.Burst)
		t.of[c][token.Hash] = l
	}
	t.mu.Unlock()
	now := time.Now()
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// webhookForm answers what is refused before the webhook's handler in its form.
type webhookForm struct{ http.ResponseWriter }

// Unwrap lets http.ResponseController through.
func (f webhookForm) Unwrap() http.ResponseWriter { return f.ResponseWriter }

// ofProblem is a refusal of the server's in the webhook's words.
func ofProblem(p *Problem) *signal.Error {
	switch p.Status {
	case http.StatusRequestEntityTooLarge:
		return signal.ErrTooLarge
	case http.StatusTooManyRequests:
		return signal.ErrTooOften
	case http.StatusServiceUnavailable:
		return signal.ErrUnavailable
	}
	return &signal.Error{Status: p.Status, Text: p.Detail, Field: p.Field}
}

// inWebhookForm has refusals of the layers in front of the webhook take its form.
func inWebhookForm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isWebhook(r) {
			w = webhookForm{w}
		}
		next.ServeHTTP(w, r)
	})
}
