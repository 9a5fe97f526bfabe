package configs

import (
	"time"

	"github.com/shopspring/decimal"

	"switchyard/tasks"
)

// Default returns the configuration that an empty file gives. Every call
// returns its own, which the caller may change.
func Default() *Config {
	return &Config{
		Timezone: "Asia/Seoul",
		Log:      Log{Level: "info", Format: "text"},
		Logs:     Logs{MaxBackups: 5, Compress: true},
		Redis: Redis{
			Addr:           "127.0.0.1:6379",
			DialTimeout:    Duration(500 * time.Millisecond),
			ReadTimeout:    Duration(3 * time.Second),
			CommandTimeout: Duration(800 * time.Millisecond),
			RequireDurable: true,
		},
		HTTP: HTTP{
			Listen:            []string{"127.0.0.1:8080", "[::1]:8080", "127.0.0.1:8000", "[::1]:8000"},
			RateLimit:         RateLimit{PerSecond: 50, Burst: 100},
			MaxBody:           1 << 20,
			MaxHeader:         64 << 10,
			ReadHeaderTimeout: Duration(5 * time.Second),
			ReadTimeout:       Duration(15 * time.Second),
			WriteTimeout:      Duration(4 * time.Minute),
			IdleTimeout:       Duration(2 * time.Minute),
			DrainTimeout:      Duration(5 * time.Second),
			StatusWait:        Duration(15 * time.Second),
		},
		WS: WS{
			MaxConnections:      1000,
			PerClient:           5,
			MessagesPerSecond:   10,
			BroadcastsPerSecond: 5,
			MaxMessage:          1 << 20,
			IdleTimeout:         Duration(5 * time.Minute),
			PingInterval:        Duration(30 * time.Second),
		},
		Jobs: Jobs{
			Retention:         Duration(7 * 24 * time.Hour),
			MaxPerType:        100_000,
			EventStream:       10_000,
			IdempotencyWindow: Duration(24 * time.Hour),
			MaxCrashes:        5,
		},
		Worker: Worker{
			Concurrency: map[string]int{
				tasks.QueueTrading: 64, tasks.QueueDelivery: 128, tasks.QueueInteractive: 32, tasks.QueueStrategy: 2, tasks.QueueDefault: 16,
			},
			Heartbeat:       Duration(3 * time.Second),
			TTL:             Duration(12 * time.Second),
			FetchHold:       Duration(5 * time.Second),
			FetchPoll:       Duration(50 * time.Millisecond),
			DelayedCheck:    Duration(2 * time.Second),
			HeldDelay:       Duration(5 * time.Second),
			ShutdownTimeout: Duration(20 * time.Second),
			LeaveTimeout:    Duration(3 * time.Second),
		},
		Scheduler: Scheduler{SweepInterval: Duration(5 * time.Second)},
		Host: Host{
			Uplink:          "eno1",
			ProbeTimeout:    Duration(3 * time.Second),
			CollectInterval: Duration(time.Minute),
			CollectLimit:    Duration(10 * time.Second),
			ModemTimeout:    Duration(4 * time.Second),
			ReadLimit:       Duration(2500 * time.Millisecond),
			ModemUser:       "admin",
			KeepRouted:      true,
			Address:         Address{Client: "auto", Wait: Duration(10 * time.Second), Static: true},
			StateDir:        "/var/lib/switchyard",
			USB:             USB{Rest: Duration(500 * time.Millisecond), CallLimit: Duration(20 * time.Second)},
		},
		Toggle: Toggle{
			Timeout:         Duration(3 * time.Minute),
			MaxWait:         Duration(10 * time.Minute),
			RequestWait:     Duration(maxRequestWait),
			Methods:         []string{"net_mode", "dataswitch"},
			Unchanged:       "escalate",
			StepLimit:       Duration(45 * time.Second),
			DataswitchHolds: []Duration{Duration(6 * time.Second), Duration(15 * time.Second)},
			PollInterval:    Duration(100 * time.Millisecond),
			DropLimit:       Duration(3 * time.Second),
			SettleLimit:     Duration(2 * time.Second),
			RestoreLimit:    Duration(30 * time.Second),
			Power: Power{
				OffTime:    Duration(5 * time.Second),
				BackLimit:  Duration(time.Minute),
				HubWait:    Duration(30 * time.Second),
				Budget:     1,
				BudgetTime: Duration(30 * time.Minute),
				WholeHub:   true,
			},
		},
		Callbacks: Callbacks{
			MaxAttempts: 8,
			FirstRetry:  Duration(2 * time.Second),
			MaxRetry:    Duration(10 * time.Minute),
			Timeout:     Duration(5 * time.Second),

			StrategyAttempts: 1,
			StrategyTimeout:  Duration(10 * time.Second),
		},
		Push: Push{
			ConnectTimeout: Duration(5 * time.Second),
			Timeout:        Duration(10 * time.Second),
			MaxAge:         Duration(55 * time.Second),
		},
		Delivery: Delivery{
			PerDestination: 16,
			LongestWait:    Duration(time.Minute),
			MaxResponse:    4096,
			SettleInterval: Duration(5 * time.Second),
		},
		Cloudflare: Cloudflare{
			Note:        "switchyard",
			Timeout:     Duration(10 * time.Second),
			Requests:    1000,
			MaxAttempts: 8,
			FirstRetry:  Duration(2 * time.Second),
			MaxRetry:    Duration(5 * time.Minute),
		},
		Telegram: Telegram{
			Timeout:     Duration(10 * time.Second),
			PerSecond:   30,
			ChatPause:   Duration(time.Second),
			PerGroup:    20,
			FirstRetry:  Duration(2 * time.Second),
			MaxRetry:    Duration(5 * time.Minute),
			PollTimeout: Duration(25 * time.Second),
		},
		Trading: Trading{
			Wait:           Duration(2500 * time.Millisecond),
			ReservePercent: DecimalOf(decimal.New(5, -1)),
			MaxAge:         TradingMaxAge{Market: Duration(10 * time.Second), Other: Duration(time.Minute)},
			DedupeWindow:   Duration(20 * time.Second),
			FollowInterval: Duration(15 * time.Second),
			Address:        "default",
		},
		Alerts: defaultAlerts(),
		Strategy: Strategy{
			Limit:      Duration(10 * time.Minute),
			FirstRetry: Duration(2 * time.Second),
			MaxRetry:   Duration(time.Minute),
			Prices:     StrategyPrices{Timeout: Duration(20 * time.Second), CacheTime: Duration(6 * time.Hour)},
		},
		Deployments: Deployments{MaxWait: Duration(time.Hour), LogKiB: 64},
	}
}
