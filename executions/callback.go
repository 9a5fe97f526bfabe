package executions

import (
	"encoding/json"
	"time"

	"switchyard/jobs"
	"switchyard/tasks"
)

// Callback is what became of the post of an execution's document.
type Callback struct {
	URL string `json:"url" example:"https://hooks.example.com/strategy-result"`
	// Sent: the receiver answered, whatever it said, unless it only points elsewhere.
	Sent     bool      `json:"sent" doc:"The receiver answered, whatever it said, unless it only points elsewhere"`
	SentAt   *string   `json:"sent_at" format:"date-time"`
	Response *Response `json:"response" doc:"null: it was not tried yet"`
}

// Response is what a receiver answered, or why there was no answer.
type Response struct {
	StatusCode int               `json:"status_code,omitempty" example:"200"`
	Text       *string           `json:"response_text,omitempty" doc:"The first 4 KiB"`
	Headers    map[string]string `json:"headers,omitempty"`
	Error      string            `json:"error,omitempty" doc:"Why there was no answer that counts: Connection refused, Timed out after 10s, Redirect not followed (302), address not allowed: …"`
}

// attempt is what package delivery records of a try, as far as it is told here.
type attempt struct {
	At       time.Time         `json:"at"`
	Status   int               `json:"status"`
	Response string            `json:"response"`
	Headers  map[string]string `json:"response_headers"`
	Error    string            `json:"error"`
	Code     string            `json:"code"`
}

// CallbackOf is what became of it, by the job that posts; nil: there is none yet, or
// none any more.
func CallbackOf(url string, post *jobs.Job) Callback {
	c := Callback{URL: url}
	if post == nil {
		return c
	}
	var r tasks.CallbackResult
	if json.Unmarshal(post.Result, &r) == nil && len(r.Attempts) > 0 {
		var a attempt
		if json.Unmarshal(r.Attempts[len(r.Attempts)-1], &a) == nil {
			c.tell(a)
			return c
		}
	}
	if post.State.Final() && post.State != jobs.Completed {
		c.Response = &Response{Error: post.Error} // its worker died while it was posted, say
	}
	return c
}

// redirect is the code of an answer that counts as none: it only points elsewhere.
const redirect = "redirect"

func (c *Callback) tell(a attempt) {
	if a.Status == 0 || a.Code == redirect {
		c.Response = &Response{Error: a.Error}
		return
	}
	c.Sent, c.SentAt = true, at(a.At)
	c.Response = &Response{StatusCode: a.Status, Text: &a.Response, Headers: a.Headers}
}
