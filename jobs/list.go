package jobs

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/redis/go-redis/v9"

	"switchyard/tasks"
)

// Filter selects jobs; empty members select all.
type Filter struct {
	ChatID string
	Host   string
	Type   tasks.Type
	State  State
	// Match is a further condition. nil: there is none.
	Match func(*Job) bool
	// Brief leaves Progress and Result out, which can be large: they are not even read.
	Brief bool
}

// Page is a part of a list, newest first.
type Page struct {
	Jobs []*Job
	// Next is the cursor of the following page, empty at the end.
	Next string
}

// ErrBadCursor: the cursor is none that a page was answered with.
var ErrBadCursor = errors.New("not a cursor")

const (
	listBatch = 200
	// listScan bounds how many jobs one page looks at when few of them match;
	// the page is then shorter than asked for, and has a cursor.
	listScan = 2000
)

// List returns the jobs that match, newest first, after cursor. It reads the
// narrowest index: by chat, else by host, else by type, so that its cost does
// not grow with the number of other jobs. A record that can't be read is left
// out. Errors: ErrBadCursor, ErrUnavailable.
func (s *Store) List(ctx context.Context, f Filter, limit int, cursor string) (Page, error) {
	if cursor != "" {
		if id, _ := parseMember(cursor); !ValidID(id) {
			return Page{}, fmt.Errorf("%w: %q", ErrBadCursor, cursor)
		}
	}
	var indexes []string
	switch {
	case f.ChatID != "":
		indexes = []string{chatIndex(f.ChatID)}
	case f.Host != "":
		indexes = []string{hostIndex(f.Host)}
	case f.Type != "":
		indexes = []string{typeIndex(f.Type)}
	default:
		for _, t := range tasks.Types() {
			indexes = append(indexes, typeIndex(t))
		}
	}
	var page Page
	for scanned := 0; scanned < listScan; {
		members, more, err := s.newest(ctx, indexes, cursor, listBatch)
		if err != nil {
			return Page{}, err
		}
		found, err := s.list(ctx, members, f.Brief)
		if err != nil {
			return Page{}, err
		}
		for i, m := range members {
			cursor = m
			j := found[i].job
			if j == nil || !f.matches(j) {
				continue
			}
			page.Jobs = append(page.Jobs, j)
			if len(page.Jobs) == limit {
				if more || i < len(members)-1 {
					page.Next = cursor
				}
				return page, nil
			}
		}
		if !more {
			return page, nil
		}
		scanned += len(members)
	}
	page.Next = cursor
	return page, nil
}

// matches does not look at the chat: the index by chat also holds the jobs
// that the chat's requests joined.
func (f Filter) matches(j *Job) bool {
	return (f.Host == "" || j.Host == f.Host) && (f.Type == "" || j.Type == f.Type) && (f.State == "" || j.State == f.State) && (f.Match == nil || f.Match(j))
}

// newest merges the indexes, whose members sort by time, from below cursor.
func (s *Store) newest(ctx context.Context, indexes []string, cursor string, n int) (members []string, more bool, err error) {
	upper := "+"
	if cursor != "" {
		upper = "(" + cursor
	}
	cmds := make([]*redis.StringSliceCmd, len(indexes))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, k := range indexes {
			cmds[i] = p.ZRevRangeByLex(ctx, k, &redis.ZRangeBy{Min: "-", Max: upper, Count: int64(n) + 1})
		}
		return nil
	})
	if err != nil {
		return nil, false, unavailable("listing jobs", err)
	}
	for _, c := range cmds {
		members = append(members, c.Val()...)
	}
	sort.Sort(sort.Reverse(sort.StringSlice(members)))
	if len(members) > n {
		return members[:n], true, nil
	}
	return members, false, nil
}

// found is what was read of one record: with neither a job nor an error it is
// gone. The error is one of the record's content; it says nothing of others.
type found struct {
	job *Job
	err error
}

// briefFields are what parseJob reads, but for progress and result.
var briefFields = strings.Fields("id about spec payload state attempt run tries crashes once fleeting started completed expires waiting owner cancel error")

// read fetches the records of index members.
func (s *Store) read(ctx context.Context, members []string) ([]found, error) {
	return s.list(ctx, members, false)
}

// list is read, whole or brief.
func (s *Store) list(ctx context.Context, members []string, brief bool) ([]found, error) {
	if len(members) == 0 {
		return nil, nil
	}
	cmds := make([]interface {
		redis.Cmder
		record() map[string]string
	}, len(members))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, m := range members {
			id, h := parseMember(m)
			if brief {
				cmds[i] = someFields{p.HMGet(ctx, h.record(id), briefFields...)}
			} else {
				cmds[i] = allFields{p.HGetAll(ctx, h.record(id))}
			}
		}
		return nil
	})
	if err != nil && !wrongKind(err) {
		return nil, unavailable("reading jobs", err)
	}
	out := make([]found, len(members))
	for i, c := range cmds {
		id, h := parseMember(members[i])
		switch err := c.Err(); {
		case wrongKind(err):
			out[i].err = fmt.Errorf("record of job %s: %w", id, err)
		case err != nil:
			return nil, unavailable("reading jobs", err)
		default:
			out[i].job, _, out[i].err = parseJob(h, id, c.record())
		}
	}
	return out, nil
}

// allFields and someFields are a record that is being read.
type (
	allFields  struct{ *redis.MapStringStringCmd }
	someFields struct{ *redis.SliceCmd }
)

func (f allFields) record() map[string]string { return f.Val() }

func (f someFields) record() map[string]string {
	m := map[string]string{}
	for i, v := range f.Val() {
		if text, ok := v.(string); ok {
			m[briefFields[i]] = text
		}
	}
	return m
}
