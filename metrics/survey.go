package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Fresh is how long what was read from Redis is told again.
const Fresh = 10 * time.Second

// surveyLimit bounds one look at Redis: whoever asks for metrics waits for it.
const surveyLimit = 2 * time.Second

// Survey is what stands in Redis, for all processes together. Empty parts are
// not told.
type Survey struct {
	Queues []Queue
	Hosts  []Host
	// Debts is what others have yet to be told of; nil: not looked at.
	Debts *Debts
}

// Queue is one queue of tasks.
type Queue struct {
	Name                              string
	Pending, Active, Scheduled, Retry int64
	// Oldest is how long the oldest pending task has been waiting, 0 where
	// there is none.
	Oldest time.Duration
}

// Host is one proxy host.
type Host struct {
	Name               string
	Online             bool
	Dongles, Connected int
}

// Debts are those not settled yet.
type Debts struct {
	Open int64
	// Oldest is how long the oldest has been owed, 0 where there is none.
	Oldest time.Duration
}

// Look has the survey made when somebody asks for metrics, at most once in
// Fresh. An error means that Redis does not answer.
func (m *Metrics) Look(survey func(context.Context) (Survey, error)) {
	m.registry.MustRegister(&surveyor{look: survey, now: time.Now})
}

type surveyFunc func(context.Context) (Survey, error)

// surveyor is the collector of what stands in Redis.
type surveyor struct {
	look surveyFunc
	now  func() time.Time

	mu   sync.Mutex
	at   time.Time
	last Survey
	up   float64
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	redisUp     = desc("redis_up", "Whether Redis answers: 1 or 0.")
	queueTasks  = desc("queue_tasks", "Tasks in a queue by asynq's state; scheduled are those whose time has not come.", "queue", "state")
	queueOldest = desc("queue_oldest_pending_seconds", "How long the oldest pending task of a queue has been waiting.", "queue")
	hostOnline  = desc("host_online", "Whether a proxy host says that it is alive: 1 or 0.", "host")
	hostDongles = desc("host_dongles", "Dongles that a proxy host should have.", "host")
	hostProbed  = desc("host_dongles_connected", "Dongles whose last probe brought an address.", "host")
	debtsOpen   = desc("debts_open", "Starts and results of jobs that others have yet to be told of, before they become deliveries.")
	debtsOldest = desc("debts_oldest_seconds", "How long the oldest of them has been owed.")
)

// Describe implements prometheus.Collector.
func (s *surveyor) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{redisUp, queueTasks, queueOldest, hostOnline, hostDongles, hostProbed, debtsOpen, debtsOldest} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *surveyor) Collect(ch chan<- prometheus.Metric) {
	got, up := s.fresh()
	send := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	send(redisUp, up)
	for _, q := range got.Queues {
		send(queueTasks, float64(q.Pending), q.Name, "pending")
		send(queueTasks, float64(q.Active), q.Name, "active")
		send(queueTasks, float64(q.Scheduled), q.Name, "scheduled")
		send(queueTasks, float64(q.Retry), q.Name, "retry")
		send(queueOldest, q.Oldest.Seconds(), q.Name)
	}
	for _, h := range got.Hosts {
		send(hostOnline, flag(h.Online), h.Name)
		send(hostDongles, float64(h.Dongles), h.Name)
		send(hostProbed, float64(h.Connected), h.Name)
	}
	if got.Debts != nil {
		send(debtsOpen, float64(got.Debts.Open))
		send(debtsOldest, got.Debts.Oldest.Seconds())
	}
}

// fresh returns the last survey, or makes one. Of several who ask at once one
// looks. While Redis is away nothing old is told: it would look like news.
func (s *surveyor) fresh() (Survey, float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() || s.now().Sub(s.at) >= Fresh {
		ctx, cancel := context.WithTimeout(context.Background(), surveyLimit)
		defer cancel()
		got, err := s.look(ctx)
		s.last, s.up = got, 1
		if err != nil {
			s.last, s.up = Survey{}, 0
		}
		s.at = s.now()
	}
	return s.last, s.up
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
