/** Plugins that work on single attributes. */

import { Batch } from "./batch.js";
import { Edits } from "./edits.js";

/** What an author writes; the widest that is there is called. */
export const METHODS = ["attribute", "group", "batch"];

export function exports(instance) {
  return { apply: (signal, values) => apply(instance.author, instance.asked, signal, values) };
}

/** Shows a batch to the plugin; returns the edits of the contract. */
export function apply(author, asked, signal, values) {
  const edits = new Edits();
  const batch = new Batch(signal, values, asked, edits);
  if (author.batch) {
    author.batch(batch);
  } else if (author.group) {
    for (const group of batch.groups()) author.group(group);
  } else {
    batch.eachAttribute((attribute) => author.attribute(attribute));
  }
  return edits.wit();
}
