/** Write plugins for Tailrace in JavaScript or TypeScript. */

/** What an attribute can be. A whole number beyond 2^53 comes as a bigint; an array or map as plain values. */
export type Value = string | number | bigint | boolean | Uint8Array | Nested[] | { [key: string]: Nested } | undefined;
export type Nested = Value;

/**
 * What an attribute can be set to. A whole number becomes an int, unless it replaces a double; `double()` says otherwise.
 * An attribute stands for its value, with its type.
 */
export type NewValue = string | number | bigint | boolean | Uint8Array | Double | Attribute;

/** A whole number that is to be a double: `group.set("ratio", double(1))`. */
export function double(number: number): Double;
export interface Double {
  readonly number: number;
}

export type Signal = "traces" | "metrics" | "logs";
export type Level = "resource" | "scope" | "item" | "event" | "link" | "exemplar" | "metric";
export type Kind = "empty" | "string" | "bool" | "int" | "double" | "bytes" | "nested" | "unknown";

/** Fields that are projected like attributes. */
export type Field =
  | "span.name"
  | "span.kind"
  | "span.status"
  | "span.status_message"
  | "span.duration"
  | "span.trace_id"
  | "span.parent_id"
  | "log.severity"
  | "log.severity_text"
  | "log.body"
  | "metric.name"
  | "scope.name"
  | "scope.version";

/** What a plugin wants to see; it sees nothing else. */
export interface Interest {
  /** Batches of these signals; all if left out. */
  signals?: Signal | Iterable<Signal>;
  /** Keys of attributes; `http.*` for those that begin so, `*` for all. For kind processor: without one of them in it, a batch passes. */
  attributes?: string | Iterable<string>;
  /** Where to look for these attributes; everywhere if left out. */
  levels?: Level | Iterable<Level>;
  /** Fields that are shown like attributes. */
  fields?: Field | Iterable<Field>;
  /** Levels of which every group is shown, also without a value: for plugins that add attributes. They are called for every batch. */
  every?: Iterable<"resource" | "scope" | "item" | "metric"> | "resource" | "scope" | "item" | "metric";
  /** Run in one instance, with one call after another. */
  singleInstance?: boolean;
}

/** One value that the plugin asked for: an attribute, or a field. */
export interface Attribute {
  /** The key of the attribute, or the name of the field. */
  readonly key: string;
  readonly level: Level;
  readonly kind: Kind;
  readonly isField: boolean;
  /** Read from the batch each time: keep it if you need it twice. */
  readonly value: Value;
  /** Gives it another value. */
  set(value: NewValue): void;
  /** Removes it; a field cannot be removed. */
  remove(): void;
  /** Drops the item that it belongs to; for a resource, scope or metric, every item in it. */
  drop(): void;
}

/** The values of one resource, scope, metric or item that the plugin asked for; an item's with those of its events, links and exemplars. */
export interface Group extends Iterable<Attribute> {
  readonly signal: Signal;
  readonly level: "resource" | "scope" | "item" | "metric";
  /** How many values there are. */
  readonly length: number;
  /** The value of this key or field of the item itself (not of its events, links and exemplars). */
  get(key: string): Value;
  /** The same as an attribute, to copy it or to look at its type. */
  find(key: string): Attribute | undefined;
  has(key: string): boolean;
  /** Sets the attribute, whether it is there or not; a field, if it is there. */
  set(key: string, value: NewValue): void;
  /** Sets the attribute if there is none, also among those that the plugin did not ask for. */
  insert(key: string, value: NewValue): void;
  /** Removes the attribute, if it is there. */
  remove(key: string): void;
  /** Drops the item; for a resource, scope or metric, every item in it. */
  drop(): void;
  /** What it lies in, to read; the values are those that the plugin asked for. */
  readonly resource: Group;
  readonly scope: Group;
  readonly metric: Group;
}

/** All values of one call. */
export interface Batch {
  readonly signal: Signal;
  attributes(): Iterable<Attribute>;
  groups(): Iterable<Group>;
}

/** An encoded request: an `ExportTraceServiceRequest`, `ExportMetricsServiceRequest` or `ExportLogsServiceRequest`. */
export interface RawBatch {
  readonly signal: Signal;
  readonly bytes: Uint8Array;
  /** Whether this text occurs anywhere in it, which costs far less than to decode it. */
  includes(text: string): boolean;
}

/** A trace that waits for a decision; iterate over it for every value that the plugin asked for. */
export interface Trace extends Iterable<Attribute> {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly spanCount: number;
  readonly errorCount: number;
  /** The earliest start, in milliseconds since 1970. */
  readonly startMs: number;
  /** From the earliest start to the latest end. */
  readonly durationMs: number;
  /** Bytes. */
  readonly size: number;
  /** Whether it is shown for the last time: "undecided" then counts as not sampled. */
  readonly lastCall: boolean;
  /** The first value with this key or field. */
  get(key: string): Value;
  /** Every value with this key or field. */
  all(key: string): Value[];
  /** The values of each span that has any. */
  readonly spans: Iterable<Group>;
  /** The spans as an encoded `TracesData`; empty without `wantsSpans`. */
  readonly otlp: Uint8Array;
}

/** True is "sample", false is "not-sampled". The threshold is that of consistent probability sampling, below 2^56. */
export type Decision = boolean | "sample" | "not-sampled" | "drop" | "undecided" | { threshold: number };

interface Common<Self> {
  name: string;
  version: string;
  /** A JSON Schema of the configuration. */
  configSchema?: object | string;
  /** What should happen to a batch if a call fails and the operator does not say; "propagate" unless given. */
  errorMode?: "propagate" | "ignore" | "drop";
  /** Takes the configuration and says what the plugin wants to see. Keep what you need in `this`. What it throws, the operator reads. */
  configure?(this: Self, config: any): Interest | void;
  /** What to keep when the host replaces the instance: bytes, or what JSON can hold. Only with `singleInstance`. */
  save?(this: Self): unknown;
  restore?(this: Self, state: any): void;
  [own: string]: unknown;
}

export interface AttributesPlugin extends Common<any> {
  /** Called for each value. */
  attribute?(this: any, attribute: Attribute): void;
  /** Called for each group instead. */
  group?(this: any, group: Group): void;
  /** Called once with all of them instead, for what is cheap for a whole column only, such as `patterns`. */
  batch?(this: any, batch: Batch): void;
  process?: undefined;
  decide?: undefined;
  decideAll?: undefined;
}

export interface ProcessorPlugin extends Common<any> {
  /** Returns nothing (unchanged), an encoded request (instead), or `drop(reason)`. */
  process(this: any, batch: RawBatch): Uint8Array | Dropped | void;
  attribute?: undefined;
  group?: undefined;
  batch?: undefined;
  decide?: undefined;
  decideAll?: undefined;
}

export interface SamplerPlugin extends Common<any> {
  /** Whether `trace.otlp` is wanted, which costs a copy of every trace. */
  wantsSpans?: boolean;
  decide?(this: any, trace: Trace): Decision;
  /** One decision for each trace, in their order; called instead of `decide`. */
  decideAll?(this: any, traces: Trace[]): Decision[];
  attribute?: undefined;
  group?: undefined;
  batch?: undefined;
  process?: undefined;
}

/** Makes a plugin: `export default plugin({...})`. */
export function plugin(definition: AttributesPlugin | ProcessorPlugin | SamplerPlugin): Plugin;
export interface Plugin {
  readonly kind: "attributes" | "processor" | "sampler";
  readonly world: string;
}

/** Drops a whole batch; the reason is counted: a few words in lower case, few different ones. */
export function drop(reason: string): Dropped;
export interface Dropped {
  readonly reason: string;
}

/** The plugin's own "no" to a batch: throw it. Anything else that is thrown is an accident, which ends the instance. */
export class Failure extends Error {
  constructor(message: string, options?: { retryable?: boolean });
  readonly retryable: boolean;
}

/** Lines for the host's log, with the name of the plugin. Never log values of telemetry. `console` writes there too. */
export const log: Record<"trace" | "debug" | "info" | "warn" | "error", (...parts: unknown[]) => void>;

/** Metrics of the plugin's own, `plugin_<name>` among the host's. Make them once, at the top or in `configure`. */
export function counter(name: string, labels?: Record<string, string | number | boolean>): { add(value?: number): void };
export function gauge(name: string, labels?: Record<string, string | number | boolean>): { set(value: number): void };
export function histogram(name: string, labels?: Record<string, string | number | boolean>): { record(value: number): void };

/** Compiles regular expressions (of RE2) in the host, where they are far quicker. In `configure`, not at the top. */
export function patterns(expressions: string | Iterable<string>): Patterns;
/** Give whole arrays where you can: one call then serves them all. */
export interface Patterns {
  readonly expressions: string[];
  /** Which patterns match, by their numbers. */
  test(text: string): number[];
  test(texts: Iterable<string>): number[][];
  /** Every match of each pattern. */
  find(text: string): Match[];
  find(texts: Iterable<string>): Match[][];
  /** The texts with every match replaced by a text. */
  replace(text: string, replacement: string): string;
  replace(texts: Iterable<string>, replacement: string): string[];
  /** The groups of the first match of one pattern, by number and name. */
  capture(text: string, pattern?: number): Record<string | number, string | undefined> | undefined;
}
export interface Match {
  pattern: number;
  start: number;
  end: number;
}

/** Hashes in hexadecimal digits, made by the host. What can be guessed, such as card numbers, is only safe with an `hmac` and a secret key. */
export type Algorithm = "md5" | "sha1" | "sha256" | "sha512" | "sha3-256" | "hmac-sha256" | "hmac-sha512";
export function hash(algorithm: Algorithm, text: string, options?: { key?: string | Uint8Array }): string;
export function hash(algorithm: Algorithm, texts: Iterable<string>, options?: { key?: string | Uint8Array }): string[];
