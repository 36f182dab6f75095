/** What an author defines, and the component that it becomes. */

import * as attributes from "./attributes.js";
import { host, log, use, world } from "./host.js";
import { asked } from "./interest.js";
import * as processor from "./processor.js";
import * as sampler from "./sampler.js";

/** The interfaces, by the functions that an author writes for them. */
const KINDS = { attributes, processor, sampler };
const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
const ERROR_MODES = ["propagate", "ignore", "drop"];

/** The plugin's own "no" to a batch: an answer, not an accident. */
export class Failure extends Error {
  name = "Failure";

  constructor(message, { retryable = false } = {}) {
    super(message);
    this.retryable = retryable;
  }
}

/** Checks a definition; `export default` what it returns. */
export function plugin(definition) {
  return new Plugin(definition);
}

export class Plugin {
  #definition;

  constructor(definition) {
    if (definition === null || typeof definition !== "object") throw new TypeError("plugin() takes an object");
    for (const key of ["name", "version"]) {
      if (typeof definition[key] !== "string") throw new TypeError(`plugin(): ${key} must be a string`);
    }
    const kinds = Object.entries(KINDS).filter(([, { METHODS }]) => METHODS.some((name) => name in definition));
    if (kinds.length !== 1) {
      throw new TypeError(
        `plugin(): ${kinds.length === 0 ? "there is nothing to call" : "it is of several kinds at once"}: ` +
          "write attribute, group or batch (kind attributes), process (kind processor), or decide or decideAll (kind sampler)",
      );
    }
    [[this.kind]] = kinds;
    const methods = [...KINDS[this.kind].METHODS, "configure", "save", "restore"];
    const wrong = methods.find((name) => name in definition && typeof definition[name] !== "function");
    if (wrong !== undefined) throw new TypeError(`plugin(): ${wrong} must be a function`);
    const slow = methods.find((name) => definition[name] instanceof AsyncFunction);
    if (slow !== undefined) throw new TypeError(`plugin(): ${slow} cannot be async: nothing waits for it`);
    if ("save" in definition !== "restore" in definition) {
      throw new TypeError("plugin(): save and restore come together");
    }
    if (definition.errorMode !== undefined && !ERROR_MODES.includes(definition.errorMode)) {
      throw new TypeError(`plugin(): errorMode must be one of ${ERROR_MODES.join(", ")}`);
    }
    this.stateful = "save" in definition;
    this.#definition = definition;
  }

  /** The world of the contract that the component is for. */
  get world() {
    return `${this.stateful ? "stateful-" : ""}${this.kind}-plugin`;
  }

  /** A fresh instance: what the host calls, and what `this` is in the functions of the author. */
  instance() {
    return new Instance(this.#definition, this.kind);
  }

  /** The exports of the component, on the imports of the contract. */
  component(imports, scope = globalThis) {
    use(imports);
    world(scope);
    const instance = this.instance();
    const exports = {
      lifecycle: { describe: () => instance.describe(), configure: guarded((text) => instance.configure(text)) },
      [this.kind]: guardedAll(KINDS[this.kind].exports(instance)),
    };
    if (this.stateful) {
      exports.state = guardedAll({ save: () => instance.save(), restore: (bytes) => instance.restore(bytes) });
    }
    return exports;
  }
}

class Instance {
  #definition;
  asked = undefined;

  constructor(definition, kind) {
    this.#definition = definition;
    this.author = Object.create(definition);
    this.kind = kind;
  }

  describe() {
    const { name, version, configSchema, errorMode } = this.#definition;
    const schema = typeof configSchema === "object" ? JSON.stringify(configSchema) : configSchema;
    return { name, version, configSchema: schema, errorMode };
  }

  /** Throws the text that the operator reads. */
  configure(text) {
    let interest;
    try {
      interest = this.author.configure?.(JSON.parse(text)) ?? {};
    } catch (error) {
      throw operatorText(error);
    }
    try {
      this.asked = asked(interest);
    } catch (error) {
      throw operatorText(error);
    }
    return this.asked.wit;
  }

  /** Bytes; an author may give text or anything that JSON can hold. */
  save() {
    const state = this.author.save();
    return state instanceof Uint8Array ? state : host.encode(JSON.stringify(state) ?? "null");
  }

  restore(bytes) {
    try {
      this.author.restore(stateOf(bytes));
    } catch (error) {
      throw operatorText(error);
    }
  }
}

function stateOf(bytes) {
  try {
    return JSON.parse(host.decode(bytes));
  } catch {
    return bytes;
  }
}

/** An error of the configuration, as a text. */
function operatorText(error) {
  return error instanceof Error ? error.message : String(error);
}

/** Turns a `Failure` into the contract's; what else is thrown is an accident, which is logged and ends the instance. */
function guarded(call) {
  return (...given) => {
    try {
      return call(...given);
    } catch (error) {
      if (error instanceof Failure) throw { tag: error.retryable ? "retryable" : "permanent", val: error.message };
      if (typeof error === "string") throw error;
      log.error(`${error?.name ?? "Error"}: ${error?.message ?? error}\n${error?.stack ?? ""}`.trimEnd());
      throw error;
    }
  };
}

function guardedAll(functions) {
  return Object.fromEntries(Object.entries(functions).map(([name, call]) => [name, guarded(call)]));
}
