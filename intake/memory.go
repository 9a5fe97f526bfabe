package intake

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/redis/go-redis/v9"
)

// Prefix stands in front of all keys.
const Prefix = "sw:v1:intake:"

var (
	//go:embed scripts/claim.lua
	claimSource string
	//go:embed scripts/answer.lua
	answerSource string
	//go:embed scripts/note.lua
	noteSource string

	claimScript, answerScript, noteScript = redis.NewScript(claimSource), redis.NewScript(answerSource), redis.NewScript(noteSource)
)

// Store is the memory and the log in a Redis. It is safe for concurrent use.
type Store struct{ rdb redis.Cmdable }

// New returns them.
func New(rdb redis.Cmdable) *Store { return &Store{rdb: rdb} }

// NewID returns the id of a request that came now.
func NewID(now time.Time) string {
	return "wh_" + strings.ToLower(ulid.MustNew(ulid.Timestamp(now), rand.Reader).String())
}

// Claim is the first request under a key.
type Claim struct {
	Key string
	ID  string
	// Received is when it came, to the millisecond.
	Received time.Time
	// Same: it had this content.
	Same bool
	// Answer that it got; nil: none yet, or nobody knows.
	Answer []byte
}

// Key makes a key of what a request is known by, which may be secret.
func Key(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// Claim claims a key for a request that came at the time, with this content, for a
// window; first tells whether it is the first one, else the claim is that of the
// first. Error: Redis is out of reach.
func (s *Store) Claim(ctx context.Context, key string, now time.Time, content []byte, window time.Duration) (c Claim, first bool, err error) {
	id, hash := NewID(now), Key(string(content))
	res, err := claimScript.Run(ctx, s.rdb, []string{Prefix + "seen:" + key}, id, now.UnixMilli(), hash, window.Milliseconds()).StringSlice()
	if err != nil {
		return Claim{}, false, fmt.Errorf("remembering a webhook: %w", err)
	}
	if len(res) != 4 {
		return Claim{Key: key, ID: id, Received: time.UnixMilli(now.UnixMilli()).UTC(), Same: true}, true, nil
	}
	ms, err := strconv.ParseInt(res[1], 10, 64)
	if err != nil {
		return Claim{}, false, fmt.Errorf("reading the memory of a webhook: %w", err)
	}
	c = Claim{Key: key, ID: res[0], Received: time.UnixMilli(ms).UTC(), Same: res[2] == hash}
	if res[3] != "" {
		c.Answer = []byte(res[3])
	}
	return c, false, nil
}

// Answered keeps the answer for those who send the same again. Error: Redis is out of
// reach.
func (s *Store) Answered(ctx context.Context, c Claim, answer []byte) error {
	if err := answerScript.Run(ctx, s.rdb, []string{Prefix + "seen:" + c.Key}, c.ID, answer).Err(); err != nil {
		return fmt.Errorf("remembering the answer to a webhook: %w", err)
	}
	return nil
}
