package plugintest

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"tailrace"
	"tailrace/attributes"
	"tailrace/sampler"
)

// plugin does what a test says.
type plugin struct {
	Keys     []string `json:"keys"`
	interest tailrace.Interest
	apply    func(*attributes.Batch) error
	decide   func(*sampler.Trace) (sampler.Decision, error)
}

func (p *plugin) Configure() (tailrace.Interest, error) {
	p.interest.Attributes = append(p.interest.Attributes, p.Keys...)
	return p.interest, nil
}
func (p *plugin) Apply(batch *attributes.Batch) error                   { return p.apply(batch) }
func (p *plugin) Decide(trace *sampler.Trace) (sampler.Decision, error) { return p.decide(trace) }

func same(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// A plugin sees what it asked for, and nothing else: by key, by prefix, by level, by field.
func TestOnlyWhatWasAskedForIsShown(t *testing.T) {
	var seen []string
	see := func(batch *attributes.Batch) error {
		seen = nil
		for attribute := range batch.Attributes() {
			seen = append(seen, attribute.Key()+"="+attribute.Value().String())
		}
		return nil
	}
	under := Attributes(t, &plugin{apply: see, interest: tailrace.Interest{Fields: []string{"span.name"}}}, `{"keys": ["a", "http.*"]}`)
	under.Resource = Item{"a": 1, "b": 2}
	under.Traces(Item{"a": true, "http.route": "/", "b": 1.5, "span.name": "GET /"}, Item{"span.name": "x"})
	same(t, seen, []string{"a=1", "a=true", "http.route=/", "span.name=GET /", "span.name=x"})

	items := tailrace.Interest{Levels: []tailrace.Level{tailrace.Item}}
	under = Attributes(t, &plugin{apply: see, interest: items}, `{"keys": ["*"]}`)
	under.Resource = Item{"a": 1}
	under.Logs(Item{"a": 2})
	same(t, seen, []string{"a=2"})
}

// What a plugin changes is changed, at the right places, whatever the order in which it says so.
func TestChangesAreMade(t *testing.T) {
	under := Attributes(t, &plugin{interest: tailrace.Interest{Fields: []string{"span.name"}}, apply: func(batch *attributes.Batch) error {
		var items []attributes.Node
		for item := range batch.Items() {
			items = append(items, item)
		}
		items[2].Set("a", tailrace.Int(-3))
		items[0].Set("new", items[0].Resource().Get("zone"))
		items[0].Insert("a", tailrace.Int(9))
		items[0].Insert("other", tailrace.Int(9))
		items[0].Set("span.name", tailrace.String("renamed"))
		items[0].Remove("b")
		items[1].Drop()
		items[2].Insert("more", tailrace.Bytes([]byte{1}))
		items[2].Set("nothing", items[2].Get("missing"))
		items[2].Resource().Set("checked", tailrace.Bool(true))
		return nil
	}}, `{"keys": ["a", "b", "zone"]}`)
	under.Resource = Item{"zone": "eu"}
	left := under.Traces(
		Item{"a": "x", "b": "y", "other": 1, "span.name": "GET /"},
		Item{"a": "dropped"},
		Item{"a": 2.5},
	)
	same(t, left, []Item{
		{"a": "x", "new": "eu", "other": 1, "span.name": "renamed"},
		{"a": int64(-3), "more": []byte{1}},
	})
	same(t, under.Resource, Item{"zone": "eu", "checked": true})
}

// The last word about an attribute counts, and what came in is shown to the end of the call.
func TestTheLastWordCounts(t *testing.T) {
	under := Attributes(t, &plugin{apply: func(batch *attributes.Batch) error {
		for item := range batch.Items() {
			item.Remove("a")
			item.Set("a", tailrace.String("1"))
			item.Set("a", tailrace.String(item.Get("a").String()+"2"))
		}
		return nil
	}}, `{"keys": ["a"]}`)
	same(t, under.Traces(Item{"a": "0"}), []Item{{"a": "02"}})
	// The memory of the batch before leaves no traces.
	same(t, under.Traces(Item{"b": "0"}), []Item{{"b": "0", "a": "2"}})
}

// Dropping a resource drops what is in it; data points know their metric.
func TestWhatBelongsToWhat(t *testing.T) {
	under := Attributes(t, &plugin{apply: func(batch *attributes.Batch) error {
		for point := range batch.Items() {
			if point.Metric().Level() != tailrace.Metric || point.Scope().Level() != tailrace.Scope {
				return errors.New("wrong parents")
			}
			point.Resource().Drop()
		}
		return nil
	}}, `{}`)
	same(t, under.Metrics(Item{"a": 1}, Item{"a": 2}), []Item{})
}

func TestErrorsOfAPlugin(t *testing.T) {
	under := Attributes(t, &plugin{apply: func(*attributes.Batch) error { return tailrace.Retryable(errors.New("busy")) }}, `{}`)
	_, err := under.Try(tailrace.Traces, Item{})
	if !tailrace.IsRetryable(err) || err.Error() != "busy" || tailrace.IsRetryable(errors.New("no")) {
		t.Error(err)
	}
}

// The operator's mistakes are named in words that need no Go.
func TestConfigurations(t *testing.T) {
	for config, wanted := range map[string]string{
		`{"keyz": []}`:  `keyz: unknown key "keyz"`,
		`{"keys": "a"}`: "keys: must be of type []string, not string",
		`{"keys": [1]}`: "keys: must be of type string, not number",
		`[]`:            "must be a JSON object",
		`{} {}`:         "one JSON object",
		`{"keys": ["a"`: "unexpected EOF",
	} {
		_, err := Configure(&plugin{}, config)
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%s: %v", config, err)
		}
	}
}

// Traces are told apart, and each knows its own spans.
func TestSampler(t *testing.T) {
	under := Sampler(t, &plugin{decide: func(trace *sampler.Trace) (sampler.Decision, error) {
		if trace.Duration > time.Second {
			return sampler.Drop, nil
		}
		for span := range trace.Spans() {
			if number, ok := span.Get("a").AsNumber(); ok && number > 1 {
				return sampler.SampleAt(7), nil
			}
		}
		if trace.LastCall {
			return sampler.NotSampled, nil
		}
		return sampler.Undecided, nil
	}}, `{"keys": ["a"]}`)
	got := under.Decide(
		Trace{Spans: []Item{{"a": 1}, {"a": 2}}},
		Trace{Spans: []Item{{"a": 1}, {"b": 2}}},
		Trace{Spans: []Item{{"a": 2.5}}, Duration: time.Minute},
		Trace{LastCall: true},
		Trace{Spans: []Item{{"a": "3"}, {"a": 1.5}}},
	)
	same(t, got, []sampler.Decision{sampler.SampleAt(7), sampler.Undecided, sampler.Drop, sampler.NotSampled, sampler.SampleAt(7)})
	if under.Spans().String() != "undecided" {
		t.Error("a trace without spans")
	}
}

// What calls the host does the same natively.
func TestWhatTheHostGives(t *testing.T) {
	counter, err := tailrace.NewCounter("seen_total", "kind", "x")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(2)
	counter.Add(-5)
	same(t, Counted("seen_total", "kind", "x"), 2.0)
	if _, err := tailrace.NewGauge("seen_total", "kind", "x"); err == nil {
		t.Error("one name, two kinds")
	}
	if _, err := tailrace.NewCounter("Seen"); err == nil {
		t.Error("a wrong name")
	}
	if _, err := tailrace.NewCounter("seen", "label"); err == nil {
		t.Error("a label without a value")
	}
	patterns, err := tailrace.CompilePatterns(`\d+`, `(?P<word>[a-z]+)(-)?`)
	if err != nil {
		t.Fatal(err)
	}
	same(t, patterns.Match("a1", "1"), []tailrace.Match{{Text: 0, Pattern: 0}, {Text: 0, Pattern: 1}, {Text: 1, Pattern: 0}})
	same(t, patterns.Find("1a22"), []tailrace.Match{{Start: 0, End: 1}, {Start: 2, End: 4}, {Pattern: 1, Start: 1, End: 2}})
	same(t, patterns.Names(1), []string{"", "word", ""})
	same(t, patterns.Groups(1, "1ab"), [][2]int{{1, 3}, {1, 3}, {-1, -1}})
	if _, err := tailrace.CompilePatterns(`(`); err == nil {
		t.Error("a wrong pattern")
	}
	hashes, err := tailrace.Hash("sha256", nil, "", "abc")
	if err != nil || len(hashes) != 2 || len(hashes[1]) != 32 || hashes[1][0] != 0xba {
		t.Error(hashes, err)
	}
	if _, err := tailrace.Hash("hmac-sha256", nil, "x"); err == nil {
		t.Error("a key is missing")
	}
}
