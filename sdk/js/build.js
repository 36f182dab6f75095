/**
 * Builds a component: `node build.js PROJECT KIND OUTPUT`, which is what `tailrace plugin build` runs.
 *
 * The plugin is loaded here once, natively, to see that it can be and which world of the contract it is for. If componentize-qjs is
 * not installed, standard error says only `missing: componentize-qjs`.
 */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, parse, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const INTERFACES = ["lifecycle", "attributes", "processor", "sampler", "state"];

const UNRESOLVED =
  "(A component has no Node modules. What comes from npm has to be an ES module without them, or be bundled: see the README of the SDK.)";

const [projectArg, kind, output] = process.argv.slice(2);
const project = realpathSync(projectArg);
const sdk = dirname(realpathSync(fileURLToPath(import.meta.url)));
const manifest = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));

transpile();
const componentize = await tool();
const main = resolve(project, manifest.main ?? "src/plugin.js");
const plugin = await load(main);
const source = [
  'import * as host from "tailrace:plugin/host@0.1.0";',
  `import plugin from ${JSON.stringify(`./${relative(project, main).replaceAll(sep, "/")}`)};`,
  `export const { ${INTERFACES.filter(exported).join(", ")} } = plugin.component(host);`,
  "",
].join("\n");

try {
  const { component } = await componentize({
    witPath: resolve(sdk, "../../wit"),
    jsSource: source,
    // Only its folder matters, but it must be there.
    jsPath: join(project, "package.json"),
    moduleRoot: common(project, sdk),
    world: plugin.world,
    stubWasi: true,
    sync: true,
  });
  const partial = `${output}.partial`;
  writeFileSync(partial, component);
  renameSync(partial, output);
} catch (error) {
  const said = error.message ?? String(error);
  fail(/resol\w+ \w+ '?(node:|[a-z@])/.test(said) ? `${said}\n${UNRESOLVED}` : said);
}

function exported(name) {
  return name === "lifecycle" || name === plugin.kind || (name === "state" && plugin.stateful);
}

/** A project of TypeScript has a script for it. */
function transpile() {
  if (manifest.scripts?.build === undefined) return;
  const ran = spawnSync("npm", ["run", "--silent", "build"], { cwd: project, encoding: "utf8" });
  if (ran.error) fail(`npm run build: ${ran.error.message}`);
  if (ran.status !== 0) fail(`npm run build:\n${ran.stdout}${ran.stderr}`);
}

/** From the project's node_modules, or one above it, or NODE_PATH. */
async function tool() {
  let path;
  try {
    path = createRequire(join(project, "package.json")).resolve("componentize-qjs");
  } catch {
    fail("missing: componentize-qjs");
  }
  const module = await import(pathToFileURL(path));
  return module.componentize ?? module.default.componentize;
}

async function load(path) {
  if (!existsSync(path)) fail(`${path}: there is no such file ("main" in package.json names the plugin's module)`);
  let module;
  try {
    module = await import(pathToFileURL(path));
  } catch (error) {
    // Uncaught in a process of its own it is shown with the file, the line and the code.
    const { stderr } = spawnSync(process.execPath, [path], { cwd: project, encoding: "utf8" });
    const ours = stderr.split("\n").filter((line) => !/^ +at .*node:internal|^Node\.js v/.test(line));
    fail(ours.join("\n").trim() || error.stack || String(error));
  }
  const found = module.default;
  if (typeof found?.component !== "function") fail(`${path} must end with \`export default plugin({...})\``);
  if (found.kind !== kind) {
    fail(
      `${path} is a plugin of kind ${found.kind}, but tailrace-plugin.yaml says ${kind}: change \`kind\` there, or the functions here`,
    );
  }
  return found;
}

/** The folder that holds both: what the compiler may read. */
function common(one, other) {
  let folder = one;
  while (relative(folder, other).startsWith("..") && folder !== parse(folder).root) folder = dirname(folder);
  return folder;
}

function fail(message) {
  rmSync(output, { force: true });
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
