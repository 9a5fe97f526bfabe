package telegram_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchyard/sim/telegram"
)

const token = "110201543:made-for-this-test"

func start(t *testing.T, opt telegram.Options) *telegram.Server {
	t.Helper()
	opt.Token = token
	s, err := telegram.Start(t.Context(), "127.0.0.1:0", opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// said is an answer.
type said struct {
	status      int
	header      http.Header
	OK          bool            `json:"ok"`
	Code        int             `json:"error_code"`
	Description string          `json:"description"`
	Result      json.RawMessage `json:"result"`
	Parameters  struct {
		RetryAfter int   `json:"retry_after"`
		MovedTo    int64 `json:"migrate_to_chat_id"`
	} `json:"parameters"`
}

// call asks for a method with a JSON document.
func call(t *testing.T, s *telegram.Server, path, body string) said {
	t.Helper()
	return post(t, s.URL()+path, "application/json", body)
}

func post(t *testing.T, address, kind, body string) (a said) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || json.Unmarshal(b, &a) != nil {
		t.Fatalf("%s: %v", b, err)
	}
	a.status, a.header = res.StatusCode, res.Header
	return a
}

// Ensure what the original refuses is refused, with its code and description, in its
// envelope, and what it takes is taken.
func TestServer(t *testing.T) {
	t.Parallel()
	s := start(t, telegram.Options{Chats: []string{"1", "-2", "-3"}, Unlimited: true})
	s.Move("-2", "-1001234567890")
	s.Block("-3", "Forbidden: bot was kicked from the group chat")
	long := strings.Repeat("a", 4096)
	good := "/bot" + token
	for _, tt := range []struct {
		path, body  string
		status      int
		description string
	}{
		{good + "/getMe", "", 200, ""},
		{good + "/GETME", "{}", 200, ""},
		{good + "/sendMessage", `{"chat_id":1,"text":"` + long + `"}`, 200, ""},
		{good + "/sendMessage", `{"chat_id":"1","text":"<b>` + long + `</b>","parse_mode":"HTML"}`, 200, ""},
		{good + "/sendMessage", `{"chat_id":1,"text":"<b><i>x</i></b> &lt;&#128512;","parse_mode":"HTML"}`, 200, ""},
		{good + "/sendMessage", `{"chat_id":1,"text":"` + long + `a"}`, 400, "Bad Request: message is too long"},
		{good + "/sendMessage", `{"chat_id":1,"text":"` + strings.Repeat("😀", 2049) + `"}`, 400, "Bad Request: message is too long"},
		{good + "/sendMessage", `{"chat_id":1,"text":" \n"}`, 400, "Bad Request: message text is empty"},
		{good + "/sendMessage", `{"chat_id":1}`, 400, "Bad Request: message text is empty"},
		{good + "/sendMessage", `{"text":"x"}`, 400, "Bad Request: chat_id is empty"},
		{good + "/sendMessage", `{"chat_id":4,"text":"x"}`, 400, "Bad Request: chat not found"},
		{good + "/sendMessage", `{"chat_id":"one","text":"x"}`, 400, "Bad Request: chat not found"},
		{good + "/sendMessage", `{"chat_id":-2,"text":"x"}`, 400, "Bad Request: group chat was upgraded to a supergroup chat"},
		{good + "/sendMessage", `{"chat_id":-3,"text":"x"}`, 403, "Forbidden: bot was kicked from the group chat"},
		{good + "/sendMessage", `{"chat_id":1,"text":"<b>x","parse_mode":"HTML"}`, 400, "Bad Request: can't parse entities: Can't find end tag"},
		{good + "/sendMessage", `{"chat_id":1,"text":"x</b>","parse_mode":"HTML"}`, 400, "Bad Request: can't parse entities: Unexpected end tag"},
		{good + "/sendMessage", `{"chat_id":1,"text":"<br>","parse_mode":"HTML"}`, 400, `Bad Request: can't parse entities: Unsupported start tag "br"`},
		{good + "/sendMessage", `{"chat_id":1,"text":"1 < 2","parse_mode":"HTML"}`, 400, "Bad Request: can't parse entities"},
		{good + "/sendMessage", `{"chat_id":1,"text":"x","parse_mode":"Markdown2"}`, 400, "Bad Request: unsupported parse_mode"},
		{good + "/sendMessage", `{"chat_id":1,"text":"x","nonsense":1}`, 400, "Bad Request: this simulator knows no parameter nonsense"},
		{good + "/sendMessage", `{"chat_id":1,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"a","callback_data":"` + strings.Repeat("b", 65) + `"}]]}}`, 400, "Bad Request: BUTTON_DATA_INVALID"},
		{good + "/sendMessage", `nonsense`, 400, "Bad Request: "},
		{good + "/answerCallbackQuery", `{"callback_query_id":"1"}`, 400, "Bad Request: query is too old"},
		{good + "/getUpdates", `{"offset":"x"}`, 400, "Bad Request: invalid offset"},
		{good + "/sendPhoto", "", 404, "Not Found"},
		{"/bot1:x/getMe", "", 401, "Unauthorized"},
		{"/bot/getMe", "", 404, "Not Found"},
		{"/getMe", "", 404, "Not Found"},
	} {
		a := call(t, s, tt.path, tt.body)
		if a.status != tt.status || a.OK != (tt.status == 200) || !a.OK && a.Code != tt.status || !strings.HasPrefix(a.Description, tt.description) {
			t.Errorf("%s %.80s: %d %q; want %d %q", tt.path, tt.body, a.status, a.Description, tt.status, tt.description)
		}
		if moved := a.Parameters.MovedTo; (moved == -1001234567890) != strings.Contains(tt.description, "upgraded") {
			t.Errorf("%s: moved to %d", tt.body, moved)
		}
	}
	// As a form, too.
	form := url.Values{"chat_id": {"1"}, "text": {"as a form"}}.Encode()
	if a := post(t, s.URL()+good+"/sendMessage", "application/x-www-form-urlencoded", form); !a.OK {
		t.Errorf("as a form: %+v", a)
	}
}

// Ensure messages that come faster than Telegram says it takes them are refused with
// the time to wait: to one chat, to one group, to all.
func TestServer_limits(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := start(t, telegram.Options{Now: func() time.Time { return now }})
	send := func(chat string, want int) {
		t.Helper()
		a := call(t, s, "/bot"+token+"/sendMessage", `{"chat_id":`+chat+`,"text":"x"}`)
		if a.Parameters.RetryAfter != want || want > 0 && (a.status != 429 || a.header.Get("Retry-After") == "") {
			t.Fatalf("%s: %+v; want to wait %d s", chat, a, want)
		}
	}
	send("1", 0)
	send("1", 1)
	now = now.Add(time.Second)
	send("1", 0)
	for range 20 {
		now = now.Add(time.Second)
		send("-5", 0)
	}
	now = now.Add(time.Second)
	send("-5", 60)
	send("6", 0)
	now = now.Add(time.Second)
	for i := range 30 {
		send(strconv.Itoa(100+i), 0)
	}
	send("7", 1)
	now = now.Add(time.Minute)
	send("-5", 0)
}

// Ensure its own API shows what was sent, has people write and press buttons, and
// has requests go wrong.
func TestServer_control(t *testing.T) {
	t.Parallel()
	s := start(t, telegram.Options{Unlimited: true})
	order := func(path, body string, want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/_sim/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s %s: %d", path, body, res.StatusCode)
		}
	}
	order("say", `{"chat":"5","text":"/help"}`, 204)
	order("say", `{"chat":"five","text":"/help"}`, 400)
	order("press", `{"message_id":1,"data":"x"}`, 400)
	order("faults", `{"chat":"5","status":429,"retry_after":3,"times":1}`, 200)
	order("faults", `{"nonsense":1}`, 400)
	if a := call(t, s, "/bot"+token+"/sendMessage", `{"chat_id":5,"text":"x"}`); a.Parameters.RetryAfter != 3 {
		t.Errorf("%+v", a)
	}
	a := call(t, s, "/bot"+token+"/getUpdates", `{}`)
	if !strings.Contains(string(a.Result), `"/help"`) || s.Pending() != 1 {
		t.Errorf("%s", a.Result)
	}
}
