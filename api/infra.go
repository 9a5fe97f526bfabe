package api

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/tasks"
)

// CFRequest is what the Cloudflare operations take, in the query, in a form or as
// JSON.
type CFRequest struct {
	IP     string `json:"ip,omitempty" doc:"An IPv4 or IPv6 address, or a range: /16 or /24 of IPv4, /32, /48 or /64 of IPv6" example:"192.0.2.44"`
	ChatID ChatID `json:"chat_id,omitempty"`
}

// TelegramRequest is what the Telegram operation takes, in the query, in a form or
// as JSON.
type TelegramRequest struct {
	ChatID ChatID `json:"chat_id,omitempty"`
	Text   string `json:"text,omitempty" doc:"The message, plain. Longer than 4096 characters, it becomes several, split at line breaks." example:"test message"`
}

// infraRoute is one address of the infra API.
type infraRoute struct {
	path    string
	methods []string
	scope   configs.Scope
	// job is the type of job that it makes.
	job tasks.Type
}

const (
	pathCF       = "/api/v1/cf/"
	pathTelegram = "/api/v1/telegram"
)

// infraRoutes are all of them. What changes something at Cloudflare takes no GET:
// whoever sees a link to it in a chat must not follow it by looking.
var infraRoutes = []infraRoute{
	{pathCF + "block", []string{http.MethodPost}, configs.CFWrite, tasks.CFBlock},
	{pathCF + "release", []string{http.MethodPost}, configs.CFWrite, tasks.CFRelease},
	{pathCF + "search", []string{http.MethodGet, http.MethodPost}, configs.CFRead, tasks.CFSearch},
	{pathTelegram, []string{http.MethodGet, http.MethodPost}, configs.TelegramSend, tasks.Telegram},
}

// wish is what a request asks for: a draft, and what is still to be asked of Redis
// before it may become a job.
type wish struct {
	draft tasks.Draft
	// may says what stands against it; nil: nothing does.
	may func(context.Context) *Problem
}

func (s *Server) infraOperations(r chi.Router) {
	for _, x := range infraRoutes {
		read := s.cfWish(x.job)
		if x.job == tasks.Telegram {
			read = telegramWish
		}
		for _, method := range x.methods {
			s.handle(r, method, x.path, x.scope, s.infra(read))
		}
	}
}

// infra makes a job of a request and answers 202.
func (s *Server) infra(read func(*http.Request) (wish, *Problem)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		wanted, p := read(r)
		if p != nil {
			writeProblem(w, p)
			return
		}
		ctx, cancel := s.quick(r.Context())
		defer cancel()
		a, p := s.acceptWish(ctx, wanted)
		if p != nil {
			writeProblem(w, p)
			return
		}
		if a.Replayed {
			w.Header().Set(replayedHeader, "true")
		}
		w.Header().Set("Location", "/api/v1/jobs/"+a.ID)
		writeJSON(w, http.StatusAccepted, accepted(a))
	}
}

// acceptWish makes the job. A repeat gets that of the first request, whatever is
// said against it now.
func (s *Server) acceptWish(ctx context.Context, x wish) (jobs.Accepted, *Problem) {
	if a, ok, p := s.seen(ctx); ok || p != nil {
		return a, p
	}
	if x.may != nil {
		if p := x.may(ctx); p != nil {
			return jobs.Accepted{}, p
		}
	}
	o := originalOf(ctx)
	a, err := s.opt.Store.Accept(ctx, jobs.Request{Draft: x.draft, IdempotencyScope: o.scope, Fingerprint: o.content})
	if err != nil {
		return jobs.Accepted{}, fromJobs(s.log(ctx), err)
	}
	s.opt.Meter.Accepted(string(x.draft.Type), a.Joined, a.Replayed)
	s.log(ctx).Info("job accepted", "job", a.ID, "type", x.draft.Type, "chat", x.draft.ChatID, "joined", a.Joined)
	return a, nil
}

// cfWish reads what the Cloudflare operations take.
func (s *Server) cfWish(t tasks.Type) func(*http.Request) (wish, *Problem) {
	return func(r *http.Request) (wish, *Problem) {
		given, p := parameters(r, "ip", "chat_id")
		if p != nil {
			return wish{}, p
		}
		ip := given["ip"]
		target, err := tasks.ParseTarget(strings.TrimSpace(ip.text))
		if err != nil || ip.number || ip.odd {
			if err == nil {
				err = tasks.ErrTarget
			}
			return wish{}, problem(http.StatusBadRequest, "invalid_ip", "ip", "ip is "+err.Error()+".")
		}
		chat, p := chatOf(given)
		if p != nil {
			return wish{}, p
		}
		return wish{
			draft: tasks.NewCF(t, target, chat, s.opt.Config.Cloudflare.MaxAttempts),
			may: func(ctx context.Context) *Problem {
				if err := s.desk.Forbidden(ctx, target); err != nil {
					return s.refused(ctx, err)
				}
				return nil
			},
		}, nil
	}
}

// telegramWish reads what the Telegram operation takes.
func telegramWish(r *http.Request) (wish, *Problem) {
	given, p := parameters(r, "chat_id", "text")
	if p != nil {
		return wish{}, p
	}
	chat, p := chatOf(given)
	if p != nil {
		return wish{}, p
	}
	text := given["text"]
	switch {
	case text.number, text.odd, !utf8.ValidString(text.text):
		return wish{}, problem(http.StatusBadRequest, "invalid_text", "text", "text is the message, as text in UTF-8.")
	case strings.TrimSpace(text.text) == "":
		return wish{}, problem(http.StatusBadRequest, "missing_text", "text", "text is missing or empty: there is nothing to send.")
	}
	return wish{draft: tasks.NewTelegram(tasks.TelegramPayload{ChatID: chat, Text: text.text}, "")}, nil
}

// chatOf is the chat that is told of the outcome, or gets the message.
func chatOf(given map[string]parameter) (string, *Problem) {
	x := given["chat_id"]
	chat := strings.TrimSpace(x.text)
	switch {
	case !x.odd && chat == "":
		return "", problem(http.StatusBadRequest, "missing_chat_id", "chat_id", "chat_id is missing: the chat that is told, an integer, or @ and the name of a channel.")
	case x.odd, !ChatID(chat).valid():
		return "", invalidChatID()
	}
	return chat, nil
}
