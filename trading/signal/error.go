package signal

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error refuses a request: what stands in the answer's "error", and its status.
type Error struct {
	// Status of HTTP.
	Status int
	// Text for the client, in its language.
	Text string
	// Field at fault by its one name, such as "exchange" or "orders[1].price";
	// empty where it is no single field.
	Field string
}

func (e *Error) Error() string { return e.Text }

// MarshalJSON writes the body of the answer.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Success bool   `json:"success"`
		Error   string `json:"error"`
	}{Error: e.Text})
}

// What has no field of its own. Compare with errors.Is.
var (
	// ErrGroup: there is no such group, or it isn't active.
	ErrGroup = &Error{Status: 404, Text: "활성 전략을 찾을 수 없습니다"}
	// ErrToken: the token is not one of the group's, or has expired.
	ErrToken = &Error{Status: 401, Text: "웹훅 토큰이 유효하지 않습니다"}
	// ErrTooManyOrders: the batch has more than MaxOrders.
	ErrTooManyOrders = &Error{Status: 400, Text: "주문은 최대 " + strconv.Itoa(MaxOrders) + "개입니다", Field: "orders"}
	// ErrNoAccounts: the group has no active account that the signal is for. It
	// is the last check and the caller's.
	ErrNoAccounts = &Error{Status: 400, Text: "전략에 연결된 계좌가 없습니다"}
	// ErrJSON: the body is no JSON object, or more than one.
	ErrJSON = &Error{Status: 400, Text: "요청 본문이 올바른 JSON 객체가 아닙니다"}

	// What the caller finds before it reads a body, or after: here, because the
	// clients of the webhook know no other body of an error.

	// ErrTooLarge: the body is longer than the server reads.
	ErrTooLarge = &Error{Status: 413, Text: "요청 본문이 너무 큽니다"}
	// ErrTooOften: the client has used up its rate.
	ErrTooOften = &Error{Status: 429, Text: "요청이 너무 많습니다. 잠시 후 다시 시도하세요"}
	// ErrUnavailable: nothing could be accepted, and nothing was.
	ErrUnavailable = &Error{Status: 503, Text: "일시적으로 처리할 수 없습니다. 잠시 후 다시 시도하세요"}
)

func missing(field string) *Error {
	return &Error{Status: 400, Text: "필수 필드 누락: " + field, Field: field}
}

func twice(field string) *Error {
	return &Error{Status: 400, Text: "서로 다른 값이 두 번 지정되었습니다: " + field, Field: field}
}

func unsupported(field, value string) *Error {
	return &Error{Status: 400, Text: fmt.Sprintf("지원하지 않는 값: %s=%s", field, shown(value)), Field: field}
}

// longestShown is how many letters of a client's value an answer repeats.
const longestShown = 60

// shown is a value as an answer repeats it: on one line, and cut where it is long.
func shown(value string) string {
	if len(value) > 8*longestShown {
		value = value[:8*longestShown] // Spares the work on a megabyte.
	}
	value = strings.Join(strings.Fields(strings.ToValidUTF8(value, "")), " ")
	if utf8.RuneCountInString(value) > longestShown {
		value = string([]rune(value)[:longestShown-1]) + "…"
	}
	return value
}
