// Package tailrace is the SDK for Tailrace plugins in Go: what all kinds of plugins share.
//
// A plugin is a struct that is filled from the configuration and handed to one of the packages
// [tailrace/attributes], [tailrace/processor] or [tailrace/sampler]; each shows a whole plugin. Build it with
// `tailrace plugin build`. Outside of WebAssembly everything here works too, so that `go test` can test a plugin:
// the functions that call the host then do the same in Go.
//
// A plugin has no files, no network, no environment and no arguments; clocks and random numbers work. What it prints
// becomes lines of the host's log. A panic is a trap: the host throws the instance away, and the operator's
// error_mode says what becomes of the batch.
package tailrace

import "errors"

// Info says who a plugin is.
type Info struct {
	// Name as its author calls it.
	Name string
	// Version as its author counts.
	Version string
	// Schema is a JSON Schema of the configuration; "" for none.
	Schema string
	// ErrorMode is what should happen to a batch for which a call fails.
	ErrorMode ErrorMode
}

// ErrorMode says what happens to a batch for which a call fails, if the operator does not say.
type ErrorMode uint8

const (
	// NoWish leaves it to the host, which refuses the batch.
	NoWish ErrorMode = iota
	// Propagate refuses the batch: the sender may try again. What a plugin that protects data must keep.
	Propagate
	// Ignore passes the batch on unchanged.
	Ignore
	// Drop drops the batch and counts it.
	Drop
)

// Signal is the kind of telemetry in a batch.
type Signal uint8

const (
	Traces Signal = iota
	Metrics
	Logs
)

// String is "traces", "metrics" or "logs".
func (s Signal) String() string {
	return [...]string{"traces", "metrics", "logs"}[s]
}

// Level says where a value lives.
type Level uint8

const (
	// Resource is who sent the telemetry.
	Resource Level = iota
	// Scope is an instrumentation scope.
	Scope
	// Item is a span, a log record or a data point.
	Item
	// Event is an event of a span.
	Event
	// Link is a link of a span.
	Link
	// Exemplar is an exemplar of a data point.
	Exemplar
	// Metric is a metric: its metadata and fields.
	Metric
)

// Interest says what a plugin wants to see. It sees nothing else, and is not called in vain.
type Interest struct {
	// Signals it is about; none means all.
	Signals []Signal
	// Attributes by their keys. A key that ends in "*" stands for every key that begins so, "*" alone for all.
	// A processor is called for every batch if it names none.
	Attributes []string
	// Fields that are shown like attributes: "span.name", "span.kind", "span.status", "span.status_message",
	// "span.duration", "span.trace_id", "span.parent_id", "log.severity", "log.severity_text", "log.body", "metric.name", "scope.name",
	// "scope.version".
	Fields []string
	// Levels at which to look for the attributes; none means everywhere.
	Levels []Level
	// Always is for plugins that add attributes: they are called also for batches in which nothing of the above occurs.
	Always bool
	// Single asks for one instance only, which is called for one batch after the other.
	Single bool
}

// Plugin is what every plugin can do.
type Plugin interface {
	// Configure is called once, after the fields of the plugin were filled from the configuration, a JSON object, as
	// [encoding/json] does it; keys that fit no field are refused before. The error is what the operator reads.
	Configure() (Interest, error)
}

// Retryable marks an error with which a call refuses a batch as one that will pass: the sender is asked to try again.
// Any other error is permanent.
func Retryable(err error) error {
	return &retryable{err}
}

// IsRetryable says whether the error, or one that it wraps, was made by [Retryable].
func IsRetryable(err error) bool {
	var wanted *retryable
	return errors.As(err, &wanted)
}

type retryable struct{ error }

func (r *retryable) Unwrap() error { return r.error }
