/** Runs a plugin under `node --test`, without Wasm. */

import type { Decision, Field, NewValue, Plugin, Signal } from "./index.js";

export interface Thing {
  attributes?: Record<string, NewValue>;
  fields?: Partial<Record<Field, NewValue>>;
}

/** A span, log record or data point. */
export interface Item extends Thing {
  events?: Thing[];
  links?: Thing[];
  exemplars?: Thing[];
}

/** Items of one resource and scope (and one metric, for metrics). */
export interface TestBatch {
  /** "traces" unless given. */
  signal?: Signal;
  resource?: Thing;
  scope?: Thing;
  metric?: Thing;
  items: Item[];
}

export interface TestTrace {
  resource?: Thing;
  scope?: Thing;
  spans: Item[];
  spanCount?: number;
  errorCount?: number;
  startMs?: number;
  durationMs?: number;
  size?: number;
  lastCall?: boolean;
}

/** Configures a plugin as the host does; throws what the operator would read. */
export function configured(plugin: Plugin, config?: object): Harness;
export interface Harness {
  /** `this` of the plugin's functions. */
  readonly plugin: any;
  /** What it asked for, in the words of the contract. */
  readonly interest: any;
  /** A batch through an `attributes` plugin; what goes on. */
  run(batch: TestBatch): Omit<TestBatch, "signal">;
  /** Traces through a `sampler` plugin. */
  decide(traces: TestTrace[]): Decision[];
  /** An encoded request through a `processor` plugin. */
  process(signal: Signal, bytes: Uint8Array): "unchanged" | Uint8Array | { drop: string };
}

/** What the plugin's metrics recorded. */
export const recorded: { kind: string; name: string; labels: [string, string][]; values: number[] }[];
