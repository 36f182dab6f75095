/**
 * Write plugins for Tailrace in JavaScript: `export default plugin({...})`. What everything is, `index.d.ts` says.
 */

export { plugin, Failure } from "./src/plugin.js";
export { double } from "./src/value.js";
export { drop } from "./src/processor.js";
export { counter, gauge, hash, histogram, log, patterns } from "./src/host.js";
