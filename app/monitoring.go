package app

import (
	"net/http"

	"github.com/hibiken/asynqmon"
)

// monitoringPath is where asynq's own page is.
const monitoringPath = "/monitoring"

// monitoringPolicy: the page is of files of this program, but starts itself by a
// script within, sets its styles from there, and would like fonts from
// elsewhere, which it does without.
const monitoringPolicy = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// openMonitoring returns asynq's page of queues, to look at. It can't act:
// asynq carries tasks, and the record of the job decides. A task deleted there
// would come back with the next sweep as if its worker had died, an archived one
// too, a task run early would only be told that it is stale, and a paused queue
// would stand still without anybody being told. Jobs are cancelled and run again
// by the API, which knows what hangs on them.
func (a *App) openMonitoring() http.Handler {
	a.monitoring = asynqmon.New(asynqmon.Options{RootPath: monitoringPath, RedisConnOpt: connection{a}, ReadOnly: true})
	guarded := http.NewCrossOriginProtection().Handler(a.monitoring)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", monitoringPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		guarded.ServeHTTP(w, r)
	})
}

// connection implements asynq.RedisConnOpt with the clients of this app, so
// that Redis is reached in one way from everywhere.
type connection struct{ a *App }

// monitoringPool is enough for a few who look.
const monitoringPool = 4

// MakeRedisClient implements asynq.RedisConnOpt.
func (c connection) MakeRedisClient() any { return c.a.newClient(monitoringPool) }
