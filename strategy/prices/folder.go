package prices

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Folder is a Source: a directory with a CSV file for each symbol, named after it in
// capitals or not (SPY.csv, spy.us.txt, spy_us_d.csv). It keeps what it has read until
// the file changes. It is safe for concurrent use.
type Folder struct {
	dir string

	mu   sync.Mutex
	read map[string]readFile
}

type readFile struct {
	series *Series
	mod    time.Time
	size   int64
}

// NewFolder returns the source of a directory.
func NewFolder(dir string) *Folder { return &Folder{dir: dir, read: map[string]readFile{}} }

// Name implements Source.
func (f *Folder) Name() string { return "folder" }

// endings are how the files of symbols end, the first one that is there counts.
var endings = []string{".csv", ".us.csv", ".us.txt", "_us_d.csv", ".txt"}

// Daily implements Source.
func (f *Folder) Daily(ctx context.Context, symbol string) (*Series, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	path, err := f.find(symbol)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, &UnavailableError{Symbol: symbol, Err: err}
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, &UnavailableError{Symbol: symbol, Err: err}
	}
	f.mu.Lock()
	known := f.read[path]
	f.mu.Unlock()
	if known.series != nil && known.mod.Equal(info.ModTime()) && known.size == info.Size() {
		if known.series.Symbol != symbol { // spy and SPY are one file
			return &Series{Symbol: symbol, Bars: known.series.Bars}, nil
		}
		return known.series, nil
	}
	s, err := ParseCSV(symbol, filepath.Base(path), file)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.read[path] = readFile{series: s, mod: info.ModTime(), size: info.Size()}
	f.mu.Unlock()
	return s, nil
}

// find is the file of a symbol. A symbol is never a path.
func (f *Folder) find(symbol string) (string, error) {
	unknown := &UnknownError{Symbol: symbol, Where: "the folder of prices (strategy.prices.folder)"}
	if symbol == "" || strings.ContainsAny(symbol, `/\`) || strings.HasPrefix(symbol, ".") {
		return "", unknown
	}
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", &FormatError{Where: f.dir, Reason: "the folder is not there (strategy.prices.folder)"}
	}
	if err != nil {
		return "", &UnavailableError{Symbol: symbol, Err: fmt.Errorf("reading the folder of prices: %w", err)}
	}
	for _, ending := range endings {
		i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() && strings.EqualFold(e.Name(), symbol+ending) })
		if i >= 0 {
			return filepath.Join(f.dir, entries[i].Name()), nil
		}
	}
	return "", unknown
}
