package metrics

import (
	"context"
	"strconv"
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
	// Alerts are those that are not over, by level and source.
	Alerts map[[2]string]int
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
	// Rotations are toggles that ended with an address, of late; Unique of them
	// brought one that their dongle had not had.
	Rotations, Unique int
	// Colliding are the dongles that show the address of another one.
	Colliding int
	// Radios are those of its dongles that say something.
	Radios []Radio
}

// Radio is what a dongle's modem says of its signal; what it doesn't say is nil.
type Radio struct {
	Subnet                 int
	RSRP, RSRQ, RSSI, SINR *float64
	// Quality is the level of each reading that has one, 5 the best, by its name.
	Quality map[string]int
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
	hostRotated = desc("host_rotations", "Toggles in the window (per dongle the last 100, of 14 days) that ended with an address.", "host")
	hostUnique  = desc("host_unique_ip_ratio", "Share of them whose address the dongle had not had before in the window.", "host")
	hostCollide = desc("host_ip_collisions", "Dongles that show the public address of another dongle of their host.", "host")
	dongleRSRP  = desc("dongle_rsrp_dbm", "RSRP of a dongle's modem, as last read.", "host", "subnet")
	dongleRSRQ  = desc("dongle_rsrq_db", "RSRQ of a dongle's modem, as last read.", "host", "subnet")
	dongleRSSI  = desc("dongle_rssi_dbm", "RSSI of a dongle's modem, as last read.", "host", "subnet")
	dongleSINR  = desc("dongle_sinr_db", "SINR of a dongle's modem, as last read.", "host", "subnet")
	dongleLevel = desc("dongle_signal_quality", "How good a reading (rsrp, rsrq, sinr) is: 5 very good to 1 very bad.", "host", "subnet", "reading")
	alertsOpen  = desc("alerts_open", "Alerts that are not over, dismissed ones among them.", "level", "source")
	debtsOpen   = desc("debts_open", "Starts and results of jobs that others have yet to be told of, before they become deliveries.")
	debtsOldest = desc("debts_oldest_seconds", "How long the oldest of them has been owed.")
)

// Describe implements prometheus.Collector.
func (s *surveyor) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		redisUp, queueTasks, queueOldest, hostOnline, hostDongles, hostProbed, hostRotated, hostUnique, hostCollide,
		dongleRSRP, dongleRSRQ, dongleRSSI, dongleSINR, dongleLevel, alertsOpen, debtsOpen, debtsOldest,
	} {
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
		send(hostRotated, float64(h.Rotations), h.Name)
		if h.Rotations > 0 {
			send(hostUnique, float64(h.Unique)/float64(h.Rotations), h.Name)
		}
		send(hostCollide, float64(h.Colliding), h.Name)
		for _, r := range h.Radios {
			subnet := strconv.Itoa(r.Subnet)
			for d, level := range map[*prometheus.Desc]*float64{dongleRSRP: r.RSRP, dongleRSRQ: r.RSRQ, dongleRSSI: r.RSSI, dongleSINR: r.SINR} {
				if level != nil {
					send(d, *level, h.Name, subnet)
				}
			}
			for reading, level := range r.Quality {
				send(dongleLevel, float64(level), h.Name, subnet, reading)
			}
		}
	}
	for about, n := range got.Alerts {
		send(alertsOpen, float64(n), about[0], about[1])
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
