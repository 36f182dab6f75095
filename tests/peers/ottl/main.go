// Evaluates conditions with the Collector's own OTTL, for a comparison with ours (tests/src/bin/ottl_parity.rs).
//
// The argument is a file with an encoded trace request. Each line of standard input is `{"event": bool, "condition": "..."}`, a
// condition about spans or their events; each line of the answer is `{"refused": "why"}` or `{"answers": "10E..."}`: for each span or
// event in the order of the request whether the condition holds (1, 0), or that it could not be said (E).
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspanevent"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/ottlfuncs"
)

type question struct {
	Event     bool   `json:"event"`
	Condition string `json:"condition"`
}

type answer struct {
	Refused string `json:"refused,omitempty"`
	Answers string `json:"answers"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: %s REQUEST", os.Args[0])
	}
	request, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(request)
	if err != nil {
		return err
	}
	spans, events := scenes(traces)
	settings := componenttest.NewNopTelemetrySettings()
	ofSpan, err := spanParser(settings)
	if err != nil {
		return err
	}
	ofEvent, err := eventParser(settings)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		said := answer{}
		if asked.Event {
			said = ask(ottlspanevent.ContextName, ofEvent, settings, asked.Condition, events)
		} else {
			said = ask(ottlspan.ContextName, ofSpan, settings, asked.Condition, spans)
		}
		if err := out.Encode(said); err != nil {
			return err
		}
	}
	return lines.Err()
}

func scenes(traces ptrace.Traces) (spans []*ottlspan.TransformContext, events []*ottlspanevent.TransformContext) {
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				spans = append(spans, ottlspan.NewTransformContext(resource, scope, span))
				for _, event := range span.Events().All() {
					events = append(events, ottlspanevent.NewTransformContext(resource, scope, span, event))
				}
			}
		}
	}
	return spans, events
}

// spanParser has the names and functions that the Collector's sampler has.
func spanParser(settings component.TelemetrySettings) (ottl.Parser[*ottlspan.TransformContext], error) {
	functions := ottlfuncs.StandardConverters[*ottlspan.TransformContext]()
	root := ottlfuncs.NewIsRootSpanFactory()
	functions[root.Name()] = root
	return ottlspan.NewParser(functions, settings, ottlspan.EnablePathContextNames())
}

func eventParser(settings component.TelemetrySettings) (ottl.Parser[*ottlspanevent.TransformContext], error) {
	functions := ottlfuncs.StandardConverters[*ottlspanevent.TransformContext]()
	return ottlspanevent.NewParser(functions, settings, ottlspanevent.EnablePathContextNames())
}

// ask parses a condition, in which paths may leave out the name of its context, and evaluates it on all scenes.
func ask[K any](name string, parser ottl.Parser[K], settings component.TelemetrySettings, text string, scenes []K) answer {
	sequence := ottl.WithConditionConverter(
		func(_ *ottl.ParserCollection[*ottl.ConditionSequence[K]], _ ottl.ConditionsGetter, parsed []*ottl.Condition[K]) (*ottl.ConditionSequence[K], error) {
			sequence := ottl.NewConditionSequence(parsed, settings, ottl.WithConditionSequenceErrorMode[K](ottl.PropagateError))
			return &sequence, nil
		})
	collection, err := ottl.NewParserCollection(settings, ottl.WithParserCollectionContext(name, &parser, sequence))
	if err != nil {
		return answer{Refused: err.Error()}
	}
	conditions, err := collection.ParseConditionsWithContext(name, ottl.NewConditionsGetter([]string{text}), true)
	if err != nil {
		return answer{Refused: err.Error()}
	}
	answers := make([]byte, 0, len(scenes))
	for _, scene := range scenes {
		answers = append(answers, sign(conditions, scene))
	}
	return answer{Answers: string(answers)}
}

// sign is 1, 0 or E, and P if evaluating panics.
func sign[K any](conditions *ottl.ConditionSequence[K], scene K) (sign byte) {
	defer func() {
		if recover() != nil {
			sign = 'P'
		}
	}()
	holds, err := conditions.Eval(context.Background(), scene)
	switch {
	case err != nil:
		return 'E'
	case holds:
		return '1'
	default:
		return '0'
	}
}
