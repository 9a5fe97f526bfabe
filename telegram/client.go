package telegram

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"switchyard/configs"
	"switchyard/tasks"
)

// address is where Telegram's Bot API is.
const address = "https://api.telegram.org"

// Client is a bot. Make one with New, and Close it.
type Client struct {
	bot     *bot.Bot // nil without a token
	door    *door
	base    string
	token   configs.Secret
	timeout time.Duration
}

// New returns a client as configured; without a token it refuses everything with
// ErrNotConfigured. It asks Telegram nothing. userAgent tells Telegram who asks.
func New(c configs.Telegram, userAgent string) (*Client, error) {
	base := strings.TrimSuffix(c.BaseURL, "/")
	if base == "" {
		base = address
	}
	if _, err := url.Parse(base); err != nil {
		return nil, fmt.Errorf("telegram.base_url: %w", err)
	}
	x := &Client{door: newDoor(c, userAgent), base: base, token: c.Token, timeout: c.Timeout.Std()}
	if c.Token.IsZero() {
		return x, nil
	}
	var err error
	x.bot, err = bot.New(c.Token.Reveal(), bot.WithServerURL(base), bot.WithHTTPClient(c.Timeout.Std(), x.door), bot.WithSkipGetMe(),
		bot.WithErrorsHandler(func(error) {})) // it hears of what is returned as well
	if err != nil {
		return nil, fmt.Errorf("setting up the bot: %w", err)
	}
	return x, nil
}

// Configured reports whether there is a token.
func (c *Client) Configured() bool { return c.bot != nil }

// ID is the bot's id, which is no secret; empty without a token.
func (c *Client) ID() string {
	id, _, _ := strings.Cut(c.token.Reveal(), ":")
	return id
}

// Close lets go of the connections. Requests under way are not waited for.
func (c *Client) Close() { c.door.client.CloseIdleConnections() }

// Me asks for the bot's name, without its @, which shows whether the token is good.
func (c *Client) Me(ctx context.Context) (name string, err error) {
	err = c.call(ctx, c.timeout, func(ctx context.Context) error {
		me, err := c.bot.GetMe(ctx)
		if err == nil {
			name = me.Username
		}
		return err
	})
	return name, err
}

// Message is one that Telegram takes as a whole.
type Message struct {
	// Chat is an integer in decimal, or "@channel".
	Chat string
	// Text is one part of what Split returns.
	Text string
	// HTML: Text is HTML.
	HTML bool
	// Buttons stand in a row below it.
	Buttons []tasks.TelegramButton
}

// Send sends a message and returns its id. The error is an *Error, ErrNotConfigured
// or the cause of ctx.
func (c *Client) Send(ctx context.Context, m Message) (id int64, err error) {
	p := &bot.SendMessageParams{ChatID: chatID(m.Chat), Text: m.Text}
	if m.HTML {
		p.ParseMode = models.ParseModeHTML
	}
	if len(m.Buttons) > 0 {
		row := make([]models.InlineKeyboardButton, len(m.Buttons))
		for i, b := range m.Buttons {
			row[i] = models.InlineKeyboardButton{Text: b.Text, CallbackData: b.Command}
		}
		p.ReplyMarkup = &models.InlineKeyboardMarkup{InlineKeyboard: [][]models.InlineKeyboardButton{row}}
	}
	err = c.call(ctx, c.timeout, func(ctx context.Context) error {
		sent, err := c.bot.SendMessage(ctx, p)
		if err == nil {
			id = int64(sent.ID)
		}
		return err
	})
	return id, err
}

// chatID is a chat as the Bot API takes it.
func chatID(chat string) any {
	if n, err := strconv.ParseInt(chat, 10, 64); err == nil {
		return n
	}
	return chat
}

// Acknowledge answers the press of a button, with words that are shown for a
// moment; without that, it keeps looking as if it were being done.
func (c *Client) Acknowledge(ctx context.Context, query, words string) error {
	return c.call(ctx, c.timeout, func(ctx context.Context) error {
		_, err := c.bot.AnswerCallbackQuery(ctx, &bot.AnswerCallbackQueryParams{CallbackQueryID: query, Text: words})
		return err
	})
}

// call makes one request, by f, within timeout.
func (c *Client) call(ctx context.Context, timeout time.Duration, f func(context.Context) error) error {
	if c.bot == nil {
		return ErrNotConfigured
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := f(limited)
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		if ctx.Err() != nil && e.Status == 0 && !e.Unsure {
			return context.Cause(ctx)
		}
		return e
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	// What the library says of a result that it can't read would quote it.
	return &Error{words: "Telegram's answer can't be read", Unsure: true}
}
