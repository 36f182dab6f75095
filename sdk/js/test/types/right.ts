// Compiled, never run: what an author writes in TypeScript.
import { counter, double, drop, Failure, hash, log, patterns, plugin, type Group, type Interest, type Patterns, type Trace } from "../../index.js";
import { configured } from "../../testing.js";

const seen = counter("seen", { team: "shop" });

export const attributes = plugin({
  name: "a",
  version: "1",
  errorMode: "ignore",
  found: undefined as Patterns | undefined,
  configure(config: { keys: string[] }): Interest {
    this.found = patterns(config.keys);
    return { attributes: config.keys, fields: ["span.name"], every: "item", signals: ["traces", "logs"] };
  },
  group(group: Group) {
    seen.add();
    for (const attribute of group) if (attribute.kind === "string") attribute.set(hash("sha256", String(attribute.value)));
    group.set("ratio", double(1));
    group.insert("copied", group.find("a") ?? "none");
    if (group.resource.get("service.name") === "noise") group.drop();
    log.info("seen", group.length);
  },
});

export const processor = plugin({
  name: "p",
  version: "1",
  process(batch) {
    if (batch.signal === "logs") throw new Failure("not now", { retryable: true });
    return batch.includes("noise") ? drop("noise") : undefined;
  },
});

export const sampler = plugin({
  name: "s",
  version: "1",
  wantsSpans: true,
  decide: (trace: Trace) => (trace.durationMs > 1000 ? { threshold: 0 } : trace.errorCount > 0),
});

const decisions = configured(sampler).decide([{ spans: [{ attributes: { a: 1 } }] }]);
decisions[0] === "sample";
