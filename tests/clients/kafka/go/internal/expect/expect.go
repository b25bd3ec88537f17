// Package expect says what held, and ends the program at the first thing that did not.
package expect

import (
	"fmt"
	"os"
	"time"
)

// Records of each topic.
const (
	Records    = 60
	Partitions = 3
	Wait       = 60 * time.Second
)

// FirstMs is the time of the first record; each next one is a second later. None is older than
// topics keep records.
var FirstMs = time.Now().Add(-time.Hour).UnixMilli()

// Tag makes names of this run its own.
var Tag = fmt.Sprintf("%08x", time.Now().UnixNano()&0xffffffff)

// That ends the program unless it holds.
func That(holds bool, what string) {
	if !holds {
		fmt.Fprintln(os.Stderr, "FAILED:", what)
		os.Exit(1)
	}
	fmt.Println("ok:", what)
}

// NoError ends the program on an error.
func NoError(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "FAILED: %s: %v\n", what, err)
		os.Exit(1)
	}
}

// At is the time of a record.
func At(number int) time.Time {
	return time.UnixMilli(FirstMs + int64(number)*1000)
}

// Key and Value of a record.
func Key(number int) string { return fmt.Sprintf("key %d", number) }

// Value of a record.
func Value(number int) string { return fmt.Sprintf("value %d", number) }
