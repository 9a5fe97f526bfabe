package configs

// Telegram is about messages to chats. The workers of the queue interactive need
// Token and what says how to send; where Commands is set, the api needs it, too.
type Telegram struct {
	// Token is the bot's, as @BotFather shows it. Empty by default: messages fail
	// and say so.
	Token Secret `yaml:"token"`
	// BaseURL is where the Bot API is. Empty by default: Telegram's own.
	BaseURL string `yaml:"base_url"`
	// Timeout of one request. Defaults to 10s.
	Timeout Duration `yaml:"timeout"`
	// PerSecond is how many messages are sent in a second, by all workers
	// together, 1 to 1000. Telegram takes 30 from a bot that doesn't pay for more.
	// Defaults to 30.
	PerSecond int `yaml:"per_second"`
	// ChatPause is the least time between two messages to one chat. Defaults to 1s.
	ChatPause Duration `yaml:"chat_pause"`
	// PerGroup is how many messages one group or channel gets in a minute, 1 to 60.
	// Telegram takes 20. Defaults to 20.
	PerGroup int `yaml:"per_group"`
	// FirstRetry is the pause after the first failed try; it doubles with each
	// further one, up to MaxRetry, unless Telegram says how long to wait.
	// Defaults to 2s.
	FirstRetry Duration `yaml:"first_retry"`
	// MaxRetry is the longest of those pauses. Defaults to 5m.
	MaxRetry Duration `yaml:"max_retry"`
	// Commands lets the chats of Chats tell the bot what to do. Defaults to false.
	Commands bool `yaml:"commands"`
	// Chats are those whose commands are taken, as integers in quotes; whoever is a
	// member may give them. Empty by default: none.
	Chats []string `yaml:"chats"`
	// PollTimeout is how long one request for new commands waits for some, at most
	// 50s. Defaults to 25s.
	PollTimeout Duration `yaml:"poll_timeout"`
}
