package worker

import "github.com/redis/go-redis/v9"

// On gives the doorbell the client that it is on.
func (d *Doorbell) On(c redis.UniversalClient) { d.client = c }
