package alerts

import (
	"fmt"
	"strconv"
	"time"
)

// words of a kind, as dashboards and chats show them.
type words struct {
	title            string
	over             string // the title once it is over
	category, source string
	message          func(Observation, Rule) string
	// value is the detail that the threshold is for; empty: there is none.
	value string
	// processes: who sees it may want to look at the machine's processes.
	processes bool
}

// percent words a share of something that is used up.
func percent(what string) func(Observation, Rule) string {
	return func(_ Observation, r Rule) string {
		return fmt.Sprintf("%s 사용률이 %s%%를 초과했습니다", what, strconv.FormatFloat(r.Threshold, 'f', -1, 64))
	}
}

// told words what is about a subject.
func told(format string, details ...string) func(Observation, Rule) string {
	return func(o Observation, _ Rule) string {
		args := []any{o.Subject}
		for _, d := range details {
			args = append(args, o.Details[d])
		}
		return fmt.Sprintf(format, args...)
	}
}

const (
	performance  = "performance"
	connectivity = "connectivity"
	system       = "system_monitor"
	proxies      = "proxy_monitor"
)

var wording = map[Kind]words{
	CPU: {title: "높은 CPU 사용률 감지", over: "CPU 사용률 정상화", category: performance, source: system,
		message: percent("CPU"), value: "cpu_percent", processes: true},
	Memory: {title: "높은 메모리 사용률 감지", over: "메모리 사용률 정상화", category: performance, source: system,
		message: percent("메모리"), value: "memory_percent", processes: true},
	Disk: {title: "디스크 공간 부족", over: "디스크 공간 확보", category: performance, source: system,
		message: percent("디스크"), value: "disk_usage"},
	HostOffline: {title: "프록시 호스트 오프라인", over: "프록시 호스트 복구", category: connectivity, source: proxies,
		message: told("호스트 %s가 응답하지 않습니다")},
	DongleLost: {title: "동글 연결 끊김", over: "동글 연결 복구", category: connectivity, source: proxies,
		message: told("동글 %s의 연결이 끊겼습니다")},
	PoorSignal: {title: "신호 품질 불량", over: "신호 품질 회복", category: connectivity, source: proxies,
		message: told("동글 %s의 신호가 약합니다 (RSRP %v dBm)", "rsrp")},
	ToggleFailed: {title: "동글 복구 실패", over: "동글 복구 완료", category: connectivity, source: proxies,
		message: told("동글 %s의 IP 변경이 마지막 단계(4단계)에서도 실패했습니다: %v", "error")},
	QueueBacklog: {title: "작업 대기열 적체", over: "작업 대기열 해소", category: "queue", source: "queue_monitor",
		message: told("대기열 %s에 작업 %v개가 쌓여 있습니다", "pending"), value: "pending"},
	DeliveryFailed: {title: "전달 실패", over: "전달 복구", category: "delivery", source: "delivery_monitor",
		message: told("%s(으)로 전달하지 못했습니다: %v", "error")},
	ExchangeBan: {title: "거래소 접근 차단", over: "거래소 접근 차단 해제", category: "trading", source: "exchange",
		message: func(o Observation, _ Rule) string {
			return fmt.Sprintf("%v가 주소 %q의 요청을 %s까지 거부합니다. 주문은 대기하며, 너무 오래되면 실패합니다", o.Details["exchange"], o.Details["address"], o.Until.UTC().Format(time.RFC3339))
		}},
}

// TitleNow is the title, as the alert's state has it.
func (a *Alert) TitleNow() string {
	switch a.State {
	case Over:
		return wording[a.Kind].over
	case Dismissed:
		return "알림 꺼짐: " + a.Title
	}
	return a.Title
}

// MessageNow is the message, as the alert's state has it.
func (a *Alert) MessageNow() string {
	if a.State == Over {
		return "해결되었습니다: " + a.Message
	}
	return a.Message
}
