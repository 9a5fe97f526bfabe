package tasks

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Type is what a job does. It is shown to clients (`"type": "toggle"`) and is
// asynq's task type.
type Type string

// The job types.
const (
	// Toggle changes the public IP of one dongle, repairing what stands in
	// the way. Payload TogglePayload, result ToggleResult.
	Toggle Type = "toggle"
	// Collect reads signal, traffic and address of every dongle of a host into
	// its last known state. Payload CollectPayload, no result.
	Collect Type = "collect"
	// Push posts a host's status document to everybody who is to have it.
	// Payload PushPayload, result PushResult.
	Push Type = "push"
	// Callback posts one document to one receiver. Payload CallbackPayload,
	// result CallbackResult.
	Callback Type = "callback"
	// CFBlock has Cloudflare block an address or a range. Payload CFPayload,
	// result CFResult.
	CFBlock Type = "cf_block"
	// CFRelease ends that. Payload CFPayload, result CFResult.
	CFRelease Type = "cf_release"
	// CFSearch finds the rules of Cloudflare's that cover an address or a range.
	// Payload CFPayload, result CFResult.
	CFSearch Type = "cf_search"
	// Telegram sends a message to a chat. Payload TelegramPayload, result
	// TelegramResult.
	Telegram Type = "telegram"
	// Trade places the orders of a signal on one account. Payload TradePayload,
	// result TradeResult.
	Trade Type = "trade"
	// TradeCancel takes back what a group has opened on one account. Payload
	// TradeCancelPayload, result TradeCancelResult.
	TradeCancel Type = "trade_cancel"
	// Strategy executes a strategy. Payload StrategyPayload, result what the
	// strategy says.
	Strategy Type = "strategy"
	// Deployment brings a project up to date by the steps of its pipeline. Payload
	// DeploymentPayload, no result: its progress is DeploymentProgress.
	Deployment Type = "deployment"
)

// Spec is what is the same for all jobs of a type.
type Spec struct {
	// Retryable: a failed or cancelled job may be run again by a client.
	Retryable bool
	// Owes: its end is told to others (callbacks, chats), so it is written to
	// the list of what is owed.
	Owes bool
	// OwesStart: so is its start.
	OwesStart bool
	// Once: it may have had its effect even if its worker died, and must not
	// have it twice. Such a job is failed, not run again, when it was claimed
	// by a worker that is gone. A payload may ask for it too (Draft.Once).
	Once bool
	// OnHost: its jobs may be of a host, and others may not.
	OnHost bool
}

var specs = map[Type]Spec{
	Toggle:    {Retryable: true, Owes: true, OwesStart: true, OnHost: true},
	Collect:   {Retryable: true, OnHost: true},
	Push:      {Once: true, OnHost: true},
	Callback:  {Retryable: true},
	CFBlock:   {Retryable: true, Owes: true},
	CFRelease: {Retryable: true, Owes: true},
	CFSearch:  {Retryable: true, Owes: true},
	Telegram:  {Retryable: true},
	// No client may have them run again: the market has gone on since.
	Trade:       {Owes: true},
	TradeCancel: {Owes: true},
	Strategy:    {Retryable: true, Owes: true},
	// What was done stays done: another deployment begins from there.
	Deployment: {Owes: true, OnHost: true},
}

// Types returns every job type, in no order.
func Types() []Type {
	out := make([]Type, 0, len(specs))
	for t := range specs {
		out = append(out, t)
	}
	return out
}

// Known reports whether t is a job type.
func (t Type) Known() bool { _, ok := specs[t]; return ok }

// Spec returns what is the same for all jobs of the type.
func (t Type) Spec() Spec { return specs[t] }

// Draft is a job before it is accepted: what its producer decided.
type Draft struct {
	Type Type
	// Host is the proxy host that has to execute it; empty for the others.
	Host string
	// Subnet is the dongle's number, 0 where there is none.
	Subnet int
	// ChatID is the chat that asked, as an integer in decimal or "@channel".
	// Empty where nobody did.
	ChatID string
	// Queue it is taken from.
	Queue string
	// JoinKey: while a job with the same one is unfinished, a further request
	// joins it instead of making a second one. Empty: never joins.
	JoinKey string
	// Outdates are join keys that nobody joins under any more once this job was
	// accepted: it changes what their jobs come to.
	Outdates []string
	// OrderKey: jobs with the same one run one after the other, in the order
	// they were accepted. Empty: no order.
	OrderKey string
	// Payload is the JSON that the handler reads. No secrets.
	Payload []byte
	// Limit bounds one run of the handler.
	Limit time.Duration
	// MaxTries is how many failures end the job; 1 means no retry.
	MaxTries int
	// Expires is when a job that no worker has taken up yet ends by itself.
	// Zero: never.
	Expires time.Time
	// Once: see Spec.Once.
	Once bool
	// Fleeting: it is forgotten as soon as it ends, stands in no index, and its
	// changes are no events. For what comes by the clock and is told of
	// elsewhere; see jobs.Store.AcceptDue.
	Fleeting bool
	// CallbackURL asked for by the request. Empty: none.
	CallbackURL string
	// Parent is the job that this one follows from. Empty: none.
	Parent string
}

// Queues that belong to no host.
const (
	QueueTrading     = "trading"
	QueueInteractive = "interactive"
	QueueDelivery    = "delivery"
	QueueStrategy    = "strategy"
	QueueDefault     = "default"
)

// SharedQueues are all of them.
func SharedQueues() []string {
	return []string{QueueTrading, QueueInteractive, QueueDelivery, QueueStrategy, QueueDefault}
}

// HostQueue is where the toggles, services and deployments of a host wait.
func HostQueue(host string) string { return "host:" + host }

// HostStatusQueue is where a host's collections and pushes wait, apart from the
// toggles so that neither holds up the other.
func HostStatusQueue(host string) string { return "host:" + host + ":status" }

// Subnets that a dongle may have.
const (
	MinSubnet = 11
	MaxSubnet = 30
)

// Port is the SOCKS5 port of the dongle with this subnet.
func Port(subnet int) int { return 10000 + subnet }

// ValidSubnet reports whether n can be a dongle's number.
func ValidSubnet(n int) bool { return n >= MinSubnet && n <= MaxSubnet }

var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// ValidHost reports whether name can be a proxy host's.
func ValidHost(name string) bool { return hostName.MatchString(name) }

// ProxyURL is the address that clients use the dongle by.
func ProxyURL(serverIP string, subnet int) string {
	if strings.Contains(serverIP, ":") {
		serverIP = "[" + serverIP + "]"
	}
	return "socks5://" + serverIP + ":" + strconv.Itoa(Port(subnet))
}
